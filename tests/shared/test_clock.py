from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared import clock
from energy_portal.shared.clock import HALF_HOUR, LabelConvention, OffMark, Period, YearMonth, normalise_mark
from energy_portal.shared.units import kwh_of_watts

SINGAPORE = ZoneInfo("Asia/Singapore")
BERLIN = ZoneInfo("Europe/Berlin")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
BEIRUT = ZoneInfo("Asia/Beirut")
APIA = ZoneInfo("Pacific/Apia")

zones = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})).map(ZoneInfo)
days = st.dates(date(1990, 1, 1), date(2037, 12, 30))
instants = st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 30), timezones=st.just(UTC))
periods = st.tuples(instants, instants).map(lambda pair: Period(min(pair), max(pair)))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestNormaliseMark:
    @pytest.mark.parametrize(
        ("day", "expected", "month"),
        [("2024-12-31", "2024-12-31T16:00", "2024-12"), ("2024-02-29", "2024-02-29T16:00", "2024-02")],
    )
    def test_takes_23_59_for_the_midnight_that_closes_the_month(self, day, expected, month):
        mark = normalise_mark(datetime.fromisoformat(f"{day}T23:59"), zone=SINGAPORE)

        assert mark == utc(expected)
        assert mark == clock.local_month(YearMonth.parse(month), SINGAPORE).end

    def test_takes_23_59_and_the_following_00_00_for_the_same_mark(self):
        assert normalise_mark(datetime(2024, 12, 31, 23, 59), zone=SINGAPORE) == normalise_mark(
            datetime(2025, 1, 1), zone=SINGAPORE
        )

    @pytest.mark.parametrize(
        "stamp",
        [
            "2025-01-01T10:15",
            "2025-01-01T10:59",
            "2025-01-01T10:29",
            "2025-01-01T10:30:01",
            "2025-01-01T10:30:00.000001",
            "2025-01-01T23:59:30",
            "2025-01-01T23:59:59.5",
            "2025-01-01T10:30:59",
        ],
    )
    def test_refuses_what_ends_no_half_hour(self, stamp):
        with pytest.raises(OffMark) as refusal:
            normalise_mark(datetime.fromisoformat(stamp), zone=SINGAPORE)

        assert refusal.value.code == "off_mark"

    @pytest.mark.parametrize(
        ("stamp", "expected"),
        [
            ("2025-01-01T23:59:59+08:00", "2025-01-01T16:00"),
            ("2025-01-01T10:30:00+08:00", "2025-01-01T02:30"),
            ("2025-01-01T15:59:00+00:00", "2025-01-01T16:00"),
            ("2025-01-01T02:00:00Z", "2025-01-01T02:00"),
        ],
    )
    def test_reads_a_stamp_with_an_offset_as_an_instant_on_the_site_clock(self, stamp, expected):
        assert normalise_mark(datetime.fromisoformat(stamp), zone=SINGAPORE) == utc(expected)

    def test_refuses_23_59_that_is_not_before_the_sites_midnight(self):
        with pytest.raises(OffMark):
            normalise_mark(datetime.fromisoformat("2025-01-01T23:59+00:00"), zone=SINGAPORE)

    @pytest.mark.parametrize(
        ("convention", "stamp", "expected"),
        [
            ("period_start", "2025-01-01T23:30", "2025-01-01T16:00"),
            ("period_start", "2025-01-01T00:00", "2024-12-31T16:30"),
            ("end_minus_one", "2025-01-01T10:29", "2025-01-01T02:30"),
            ("end_minus_one", "2025-01-01T23:59", "2025-01-01T16:00"),
            ("end_minus_one", "2025-01-01T10:59", "2025-01-01T03:00"),
        ],
    )
    def test_applies_the_sources_convention_first(self, convention, stamp, expected):
        assert normalise_mark(datetime.fromisoformat(stamp), convention, SINGAPORE) == utc(expected)

    @pytest.mark.parametrize(("convention", "stamp"), [("period_start", "23:59"), ("end_minus_one", "10:30")])
    def test_refuses_a_stamp_of_another_convention(self, convention, stamp):
        with pytest.raises(OffMark):
            normalise_mark(datetime.fromisoformat(f"2025-01-01T{stamp}"), convention, SINGAPORE)

    def test_refuses_a_time_that_the_clock_jumped_over(self):
        with pytest.raises(OffMark, match="skipped"):
            normalise_mark(datetime(2025, 3, 30, 2, 30), zone=BERLIN)

    def test_takes_an_ambiguous_time_for_the_first_of_the_two(self):
        assert normalise_mark(datetime(2025, 10, 26, 2, 30), zone=BERLIN) == utc("2025-10-26T00:30")

    def test_takes_an_ambiguous_23_59_for_the_one_that_closes_the_day(self):
        mark = normalise_mark(datetime(2025, 10, 25, 23, 59), zone=BEIRUT)

        assert mark == clock.local_day(date(2025, 10, 25), BEIRUT).end

    def test_refuses_to_guess_a_zone(self):
        with pytest.raises(ValueError, match="no time zone"):
            normalise_mark(datetime(2025, 1, 1))

    @given(
        stamp=st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)),
        minute=st.sampled_from([0, 29, 30, 59]),
        convention=st.sampled_from(LabelConvention),
        zone=zones,
    )
    def test_gives_marks_that_it_leaves_alone_when_it_sees_them_again(self, stamp, minute, convention, zone):
        stamp = stamp.replace(minute=minute, second=0, microsecond=0, fold=0)
        try:
            mark = normalise_mark(stamp, convention, zone)
        except OffMark:
            return

        assert clock.is_half_hour_mark(mark.astimezone(zone))
        assert normalise_mark(mark, zone=zone) == mark


class TestLocalDay:
    @pytest.mark.parametrize(
        ("day", "zone", "count"),
        [
            (date(2025, 3, 30), BERLIN, 46),
            (date(2025, 10, 26), BERLIN, 50),
            (date(2025, 6, 1), BERLIN, 48),
            (date(2018, 11, 4), SAO_PAULO, 46),
            (date(2018, 2, 17), SAO_PAULO, 50),
            (date(2024, 4, 7), ZoneInfo("Australia/Lord_Howe"), 49),
            (date(2011, 12, 30), APIA, 0),
        ],
    )
    def test_has_the_half_hours_that_its_clock_makes(self, day, zone, count):
        period = clock.local_day(day, zone)

        assert period.half_hour_count == count
        assert len(list(clock.half_hours(period.start, period.end))) == count

    @pytest.mark.parametrize(("day", "kwh"), [(date(2025, 3, 30), "23.0"), (date(2025, 10, 26), "25.0")])
    def test_turns_one_kilowatt_into_23_and_25_kwh_where_the_clock_changes(self, day, kwh):
        half_hour_energy = kwh_of_watts(Decimal(1000), Decimal("0.5"))

        assert clock.local_day(day, BERLIN).half_hour_count * half_hour_energy == Decimal(kwh)

    @given(day=days, zone=zones)
    def test_is_tiled_by_its_half_hours_and_followed_by_the_next_day(self, day, zone):
        period = clock.local_day(day, zone)
        marks = list(clock.half_hours(period.start, period.end))

        assert period.end == clock.local_day(day + timedelta(days=1), zone).start
        assert all(after - before == HALF_HOUR for before, after in pairwise(marks))
        if marks:
            assert marks[0] == period.start
            assert marks[-1] < period.end <= marks[-1] + HALF_HOUR
            assert marks[0].astimezone(zone).date() == day

    @given(day=days, zone=zones)
    def test_begins_at_the_first_instant_of_its_date(self, day, zone):
        start = clock.local_day(day, zone).start

        assert start.astimezone(zone).date() >= day
        assert (start - timedelta(seconds=1)).astimezone(zone).date() < day


class TestLocalWeek:
    def test_runs_from_monday_to_monday(self):
        week = clock.local_week(date(2025, 3, 30), BERLIN)

        assert week == Period(utc("2025-03-23T23:00"), utc("2025-03-30T22:00"))


class TestPreviousMonth:
    def test_is_the_local_month_before(self):
        now = datetime(2025, 3, 15, tzinfo=SINGAPORE)

        assert clock.previous_month(now, SINGAPORE) == Period(utc("2025-01-31T16:00"), utc("2025-02-28T16:00"))

    @pytest.mark.parametrize(
        ("now", "month"),
        [("2025-02-28T15:59:59", "2025-01"), ("2025-02-28T16:00", "2025-02"), ("2025-01-05", "2024-12")],
    )
    def test_turns_at_the_local_midnight(self, now, month):
        assert clock.previous_month(utc(now), SINGAPORE) == clock.local_month(YearMonth.parse(month), SINGAPORE)


class TestPeriod:
    def test_refuses_to_end_before_it_starts(self):
        with pytest.raises(ValueError, match="cannot end"):
            Period(utc("2025-01-02"), utc("2025-01-01"))

    def test_refuses_naive_edges(self):
        with pytest.raises(ValueError, match="no time zone"):
            Period(datetime(2025, 1, 1), datetime(2025, 1, 2))

    def test_measures_real_time_over_a_clock_change(self):
        period = Period(datetime(2025, 10, 26, tzinfo=BERLIN), datetime(2025, 10, 27, tzinfo=BERLIN))

        assert period.half_hour_count == 50

    def test_holds_its_start_and_not_its_end(self):
        period = Period(utc("2025-01-01"), utc("2025-01-02"))

        assert period.contains(period.start)
        assert not period.contains(period.end)

    def test_is_cut_into_local_days_with_parts_at_both_ends(self):
        period = Period(utc("2025-01-01T10:00"), utc("2025-01-03T10:00"))

        assert [day.half_hour_count for day in period.days(SINGAPORE)] == [12, 48, 36]

    @given(period=periods, cuts=st.lists(instants))
    def test_is_whole_again_when_its_pieces_are_laid_end_to_end(self, period, cuts):
        pieces = period.split_at(*cuts)

        assert pieces[0].start == period.start
        assert pieces[-1].end == period.end
        assert all(before.end == after.start for before, after in pairwise(pieces))
        assert all(piece.start < piece.end for piece in pieces) or pieces == [period]

    @given(one=periods, other=periods, instant=instants)
    def test_shares_exactly_the_instants_that_both_hold(self, one, other, instant):
        shared = one.intersect(other)

        assert shared == other.intersect(one)
        assert (shared is not None and shared.contains(instant)) == (one.contains(instant) and other.contains(instant))

    @given(one=periods)
    def test_shares_all_of_itself_with_itself(self, one):
        assert one.intersect(one) == (one if one.start < one.end else None)

    @given(start=instants, hours=st.integers(0, 24 * 70), zone=zones)
    def test_has_days_that_lie_in_one_local_date_each(self, start, hours, zone):
        period = Period(start, start + timedelta(hours=hours))

        pieces = period.days(zone)

        assert sum((piece.duration for piece in pieces), timedelta()) == period.duration
        for piece in pieces:
            assert clock.local_day(piece.start.astimezone(zone).date(), zone).start <= piece.start


class TestYearMonth:
    def test_reads_and_writes_itself(self):
        assert str(YearMonth.parse("2025-02")) == "2025-02"

    @pytest.mark.parametrize("text", ["2025-13", "2025-2", "2025-00", "0000-01", "2025-02-01", "", "\uff12025-02"])
    def test_refuses_what_is_no_month(self, text):
        with pytest.raises(clock.BadMonth):
            YearMonth.parse(text)

    def test_knows_its_neighbours_over_the_year(self):
        assert YearMonth(2024, 12).next() == YearMonth(2025, 1)
        assert YearMonth(2025, 1).previous() == YearMonth(2024, 12)

    def test_is_that_of_the_zones_clock(self):
        assert YearMonth.of(utc("2025-01-31T16:00"), SINGAPORE) == YearMonth(2025, 2)


class TestZone:
    @pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe", "a" * 5000, "Asia/\0"])
    def test_refuses_a_name_that_is_not_a_zone(self, name):
        with pytest.raises(clock.UnknownZone):
            clock.zone(name)

    def test_returns_the_zone_of_a_name(self):
        assert clock.zone("Asia/Singapore") == SINGAPORE


class TestFloorHalfHour:
    def test_goes_back_to_the_mark_before(self):
        assert clock.floor_half_hour(utc("2025-01-01T10:59:59.9")) == utc("2025-01-01T10:30")

    @given(instant=instants)
    def test_lands_on_a_mark_less_than_a_half_hour_back(self, instant):
        mark = clock.floor_half_hour(instant)

        assert clock.is_half_hour_mark(mark)
        assert timedelta(0) <= instant - mark < HALF_HOUR


class TestLocalTexts:
    @given(
        zone=zones,
        first=instants,
        whole=st.booleans(),
        step=st.sampled_from([HALF_HOUR, timedelta(hours=17), timedelta(days=31)]),
        count=st.integers(0, 400),
    )
    def test_are_what_each_instant_writes_by_itself(self, zone, first, whole, step, count):
        first = first.replace(microsecond=0) if whole else first
        series = [first + place * step for place in range(count)]

        assert clock.local_texts(series, zone) == [instant.astimezone(zone).isoformat() for instant in series]

    @pytest.mark.parametrize(
        ("change", "before", "after"),
        [
            ("2025-03-30T01:00", "2025-03-30T01:30:00+01:00", "2025-03-30T03:00:00+02:00"),
            ("2025-10-26T01:00", "2025-10-26T02:30:00+02:00", "2025-10-26T02:00:00+01:00"),
        ],
    )
    def test_change_their_offset_with_the_clock(self, change, before, after):
        day = [utc(change) + place * HALF_HOUR for place in range(-60, 60)]

        assert clock.local_texts(day, BERLIN)[59:61] == [before, after]
