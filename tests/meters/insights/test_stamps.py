from datetime import UTC, datetime, timedelta, timezone

import pytest

from meters.insights.management.stamps import CannotTell, parser_of

NOON = datetime(2024, 3, 14, 12, 30)


class TestParserOf:
    @pytest.mark.parametrize(
        ("stamp", "moment"),
        [
            ("2024-03-14 12:30", NOON),
            ("2024-03-14T12:30:00", NOON),
            ("2024-03-14T12:30:00Z", NOON.replace(tzinfo=UTC)),
            ("2024-03-14T12:30+08:00", NOON.replace(tzinfo=timezone(timedelta(hours=8)))),
            ("14/03/2024 12:30", NOON),
            ("3/14/2024 12:30:00 PM", NOON),
            ("14.03.2024 12:30", NOON),
            ("202403141230", NOON),
            ("14-Mar-24 12:30", NOON),
            ("1710419400", NOON.replace(tzinfo=UTC)),
            ("1710419400000", NOON.replace(tzinfo=UTC)),
            ("2024-03-13 24:00", datetime(2024, 3, 14)),
            ("13/03/2024 24:00", datetime(2024, 3, 14)),
        ],
    )
    def test_reads_stamps_in_many_hands(self, stamp, moment):
        assert parser_of([stamp])(stamp) == moment

    def test_finds_out_by_all_of_them_whether_days_or_months_come_first(self):
        assert parser_of(["03/04/2024 00:00", "03/14/2024 00:00"])("03/04/2024 00:00") == datetime(2024, 3, 4)

    def test_lives_with_a_few_that_cannot_be_read(self):
        parse = parser_of([*["2024-03-14 12:30"] * 20, "total"])

        assert parse("total") is None

    def test_refuses_what_it_does_not_know(self):
        with pytest.raises(CannotTell, match="'spring'"):
            parser_of(["spring"])
