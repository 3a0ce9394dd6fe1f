from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared.clock import HALF_HOUR
from meters.formats import half_hours
from meters.formats.half_hours import half_hourly
from meters.formats.records import FileFault, FileReading

START = datetime(2025, 3, 1, tzinfo=UTC)
SGT = ZoneInfo("Asia/Singapore")


def part(minute, length, value="1", *, line=2, quality=None, serial="M1"):
    start = START + timedelta(minutes=minute)
    end = start + timedelta(minutes=length)
    return FileReading(line, serial, "1.8.0", end, Decimal(value), start, quality=quality)


def codes(records, zone=SGT):
    return [each.code if isinstance(each, FileFault) else each.value for each in half_hourly(records, zone=zone)]


class TestHalfHourly:
    @pytest.mark.parametrize("length", [5, 10, 15])
    def test_sums_what_makes_a_half_hour_whole(self, length):
        parts = [part(minute, length, "0.1", line=minute) for minute in range(0, 60, length)]

        first, second = half_hourly(parts, zone=SGT)

        assert (first.start, first.end, first.line) == (START, START + HALF_HOUR, 0)
        assert (second.start, second.end, second.line) == (START + HALF_HOUR, START + 2 * HALF_HOUR, 30)
        assert first.value == second.value == Decimal("0.1") * (30 // length)

    def test_takes_parts_of_several_lengths_in_any_order(self):
        (whole,) = half_hourly([part(25, 5), part(0, 15), part(15, 10)], zone=SGT)

        assert (whole.start, whole.end, whole.value) == (START, START + HALF_HOUR, 3)

    @pytest.mark.parametrize(
        ("qualities", "quality"), [((17, 19), 17), ((17, 8), 8), ((None, 19), 17), ((None, None), None)]
    )
    def test_trusts_the_sum_as_its_least_trusted_part(self, qualities, quality):
        (whole,) = half_hourly([part(15 * place, 15, quality=each) for place, each in enumerate(qualities)], zone=SGT)

        assert whole.quality == quality

    def test_leaves_half_hours_dials_and_faults_alone(self):
        whole, fault = part(0, 30), FileFault(3, "malformed", "")
        dial = replace(whole, start=None)

        assert list(half_hourly([whole, dial, fault], zone=SGT)) == [whole, dial, fault]

    def test_reports_each_line_of_a_half_hour_that_is_not_whole(self):
        found = list(half_hourly([part(0, 15, line=2), part(30, 15, line=3), part(45, 15, line=4)], zone=SGT))

        assert found[0].value == 2
        assert [(each.line, each.code) for each in found[1:]] == [(2, "incomplete_half_hour")]

    @pytest.mark.parametrize(
        ("record", "code"),
        [
            (part(0, 60), "interval_too_long"),
            (part(0, 7), "interval_length"),
            (part(2, 5), "off_mark"),
            (part(20, 15), "off_mark"),
        ],
    )
    def test_refuses_what_is_no_part_of_a_half_hour(self, record, code):
        assert codes([record]) == [code]

    def test_keeps_the_first_of_parts_that_overlap(self):
        assert codes([part(0, 15, "1"), part(0, 15, "1"), part(0, 15, "2"), part(5, 10, "1"), part(15, 15, "1")]) == [
            "overlapping_intervals",
            "overlapping_intervals",
            2,
        ]

    def test_follows_a_clock_whose_hours_begin_at_a_quarter(self):
        quarter = ZoneInfo("Asia/Kathmandu")

        assert codes([part(15, 15, "1"), part(30, 15, "2")], quarter) == [3]

    def test_holds_no_more_open_half_hours_than_it_may(self, monkeypatch):
        monkeypatch.setattr(half_hours, "_MOST_OPEN", 2)

        found = codes(part(30 * place, 15) for place in range(5))

        assert found == ["incomplete_half_hour"] * 5

    @given(st.permutations([(meter, minute) for meter in ("M1", "M2") for minute in range(0, 120, 5)]))
    def test_loses_no_energy_whatever_the_order(self, order):
        parts = [part(minute, 5, str(minute), serial=serial) for serial, minute in order]

        found = list(half_hourly(parts, zone=SGT))

        assert len(found) == 8
        assert sum(each.value for each in found) == sum(each.value for each in parts)
