from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared.clock import HALF_HOUR, half_hours, local_day
from meters.consumption import growth
from meters.estimation import (
    NO_LIKE_DAYS,
    DayClass,
    LikeDays,
    Method,
    NotEstimable,
    Standing,
    along_line,
    day_class,
    days_to_look_at,
    estimate_dial,
    estimate_intervals,
    marks_between,
    spread,
)

SGT = ZoneInfo("Asia/Singapore")
BERLIN = ZoneInfo("Europe/Berlin")
MILLION = Decimal(10**6)
# A Wednesday; the day before is one of its class.
NOON = datetime(2025, 3, 5, 12, tzinfo=SGT).astimezone(UTC)
TUESDAY = date(2025, 3, 4)

energies = st.lists(st.integers(0, 5_000), min_size=1, max_size=60)


def kwh(*texts):
    return [Decimal(text) for text in texts]


def after(hours):
    return NOON + timedelta(hours=hours)


def day_of(day, profile, zone=SGT):
    """Return the energies of a day by the ends of its half-hours: what is not in ``profile`` is 0.1."""
    period = local_day(day, zone)
    return {
        start + HALF_HOUR: profile.get(f"{start.astimezone(zone):%H:%M}", Decimal("0.1"))
        for start in half_hours(period.start, period.end)
    }


def like_tuesday(**profile):
    named = {name[1:].replace("_", ":"): Decimal(value) for name, value in profile.items()}
    return LikeDays(day_of(TUESDAY, named), days=[TUESDAY], zone=SGT)


def dial(*reads, until=None, like_days=NO_LIKE_DAYS, modulus=MILLION, decimals=3, zone=SGT):
    return estimate_dial(
        reads=[Standing(after(hours), Decimal(str(value))) for hours, value in reads],
        until=until,
        like_days=like_days,
        zone=zone,
        modulus=modulus,
        decimals=decimals,
    )


def steps(first, estimates, last):
    values = [Decimal(str(first)), *(each.value for each in estimates), Decimal(str(last))]
    return [later - earlier for earlier, later in pairwise(values)]


class TestDayClass:
    @pytest.mark.parametrize(
        ("day", "expected"),
        [
            (date(2025, 3, 7), DayClass.WORKDAY),
            (date(2025, 3, 8), DayClass.SATURDAY),
            (date(2025, 3, 9), DayClass.SUNDAY),
        ],
    )
    def test_parts_the_week(self, day, expected):
        assert day_class(day) is expected

    def test_takes_a_holiday_for_a_sunday(self):
        assert day_class(date(2025, 5, 1), {date(2025, 5, 1)}) is DayClass.SUNDAY


class TestSpread:
    @given(energies, st.integers(0, 10**9))
    def test_adds_up_to_the_last_digit(self, weights, thousandths):
        total = Decimal(thousandths).scaleb(-3)

        parts = spread(total, [Decimal(weight) for weight in weights], decimals=3)

        assert sum(parts) == total
        assert min(parts) >= 0

    @given(energies, st.integers(0, 10**9))
    def test_leaves_no_part_a_whole_unit_from_its_share(self, weights, thousandths):
        total, whole = Decimal(thousandths).scaleb(-3), sum(weights)

        parts = spread(total, [Decimal(weight) for weight in weights], decimals=3)

        if whole:
            off = [part - total * weight / whole for part, weight in zip(parts, weights, strict=True)]
            assert max(map(abs, off)) < Decimal("0.001")

    def test_is_as_fine_as_its_total(self):
        assert spread(Decimal("0.0003"), kwh("1", "2"), decimals=1) == kwh("0.0001", "0.0002")

    def test_counts_weights_of_nothing_as_equal(self):
        assert spread(Decimal("0.4"), kwh("0", "0"), decimals=1) == kwh("0.2", "0.2")


class TestAlongLine:
    @given(st.integers(1, 100), st.integers(0, 10**6))
    def test_is_never_more_than_half_a_unit_off(self, count, units):
        parts = along_line(Decimal(units), [Decimal(1)] * count, decimals=0)

        assert sum(parts) == units
        line = [Decimal(units) * place / count for place in range(1, count + 1)]
        assert all(abs(height - exact) <= Decimal("0.5") for height, exact in zip(accumulate(parts), line, strict=True))


class TestDaysToLookAt:
    def test_are_the_newest_of_each_class_that_occurs(self):
        friday = datetime(2025, 3, 7, 12, tzinfo=SGT)

        days = days_to_look_at(friday, friday + timedelta(days=1), SGT, frozenset())

        workdays = [each for each in days if each.weekday() < 5]
        saturdays = [each for each in days if each.weekday() == 5]
        assert workdays == [date(2025, 2, 27), date(2025, 2, 28), *(date(2025, 3, day) for day in (3, 4, 5, 6))]
        assert saturdays == [date(2025, 1, 25) + timedelta(days=7 * week) for week in range(6)]
        assert len(days) == 12

    def test_leave_the_next_day_out_when_it_ends_at_midnight(self):
        friday = datetime(2025, 3, 7, 12, tzinfo=SGT)

        days = days_to_look_at(friday, datetime(2025, 3, 8, tzinfo=SGT), SGT, frozenset())

        assert {each.weekday() for each in days} <= {0, 1, 2, 3, 4}


class TestLikeDays:
    def test_leave_out_a_day_that_misses_a_half_hour(self):
        holed = day_of(TUESDAY, {})
        del holed[next(iter(holed))]

        assert LikeDays(holed, days=[TUESDAY], zone=SGT).shape([after(0), after(0.5)]) is None

    def test_take_the_mean_of_the_newest_four(self):
        days = [date(2025, 2, 26), date(2025, 2, 27), date(2025, 2, 28), date(2025, 3, 3), TUESDAY]
        noons = dict(zip(days, kwh("99", "1", "2", "3", "6"), strict=True))
        known = {mark: value for day in days for mark, value in day_of(day, {"12:00": noons[day]}).items()}

        assert LikeDays(known, days=days, zone=SGT).shape([after(0), after(0.5)]) == kwh("3")

    def test_take_a_part_of_a_half_hour_by_its_duration(self):
        like_days = like_tuesday(_12_00="0.6")

        assert like_days.shape([after(1 / 6), after(0.5)]) == kwh("0.4")

    def test_keep_to_the_clock_where_it_is_set_forward(self):
        sunday, before = date(2025, 3, 30), date(2025, 3, 23)
        like_days = LikeDays(
            day_of(before, {"03:00": Decimal(7), "02:00": Decimal(5)}, BERLIN), days=[before], zone=BERLIN
        )
        start = datetime(2025, 3, 30, 1, 30, tzinfo=BERLIN).astimezone(UTC)

        assert like_days.shape([start, start + HALF_HOUR, start + 2 * HALF_HOUR]) == kwh("0.1", "7")
        assert local_day(sunday, BERLIN).half_hour_count == 46


class TestDialWithinTwoHours:
    def test_lies_on_a_line(self):
        estimates = dial((0, "100.0"), (2, "104.0"))

        assert [(each.time, each.value, each.method) for each in estimates] == [
            (after(0.5), 101, Method.LINE),
            (after(1), 102, Method.LINE),
            (after(1.5), 103, Method.LINE),
        ]

    def test_goes_by_time_where_a_read_lies_between_the_marks(self):
        estimates = dial((1 / 6, "100.0"), (1, "105.0"))

        assert [(each.time, each.value) for each in estimates] == [(after(0.5), 102)]

    def test_keeps_to_the_line_where_a_like_day_is_known(self):
        estimates = dial((0, 100), (2, 104), like_days=like_tuesday(_12_00="9"))

        assert {each.method for each in estimates} == {Method.LINE}

    def test_goes_on_past_the_modulus(self):
        estimates = dial((0, "99999.0"), (2, "3.0"), modulus=Decimal(10**5), decimals=1)

        assert [each.value for each in estimates] == kwh("0", "1", "2")

    def test_has_nothing_to_say_between_neighbouring_marks(self):
        assert dial((0, 100), (0.5, 101)) == []


class TestDialOverMoreThanTwoHours:
    LIKE_DAY = like_tuesday(_12_00="0.2", _12_30="0.2", _13_00="0.4", _13_30="0.8", _14_00="0.4")

    def test_takes_after_a_like_day_scaled_to_the_difference(self):
        estimates = dial((0, "100.0"), (2.5, "105.0"), like_days=self.LIKE_DAY)

        assert steps("100.0", estimates, "105.0") == kwh("0.5", "0.5", "1.0", "2.0", "1.0")
        assert {each.method for each in estimates} == {Method.LIKE_DAY}

    def test_spreads_a_known_difference_evenly_without_a_like_day(self):
        estimates = dial((0, "100.0"), (2.5, "105.0"))

        assert steps("100.0", estimates, "105.0") == kwh("1", "1", "1", "1", "1")
        assert {each.method for each in estimates} == {Method.LINE}

    def test_projects_a_like_day_as_it_was_without_an_end(self):
        estimates = dial((0, "100.0"), until=after(1), like_days=self.LIKE_DAY)

        assert [(each.time, each.value) for each in estimates] == [
            (after(0.5), Decimal("100.2")),
            (after(1), Decimal("100.4")),
        ]
        assert {each.method for each in estimates} == {Method.PROJECTED}

    def test_invents_nothing_without_an_end_or_a_like_day(self):
        with pytest.raises(NotEstimable) as refusal:
            dial((0, 100), until=after(24))

        assert refusal.value.code == "no_like_day"

    def test_stays_beside_a_value_that_stands_but_is_not_trusted(self):
        estimates = dial((0, 100), (1, "103.5"), (2, 104))

        assert [(each.time, each.value) for each in estimates] == [
            (after(0.5), 101),
            (after(1.5), Decimal("103.5")),
        ]

    def test_passes_over_a_value_that_cannot_stand_between(self):
        estimates = dial((0, 100), (1, 180), (2, 104))

        assert [each.value for each in estimates] == [101, 103]


class TestDialAlways:
    @given(
        st.integers(0, 99_999_999),
        st.integers(0, 50_000),
        energies,
        st.integers(1, 200),
        st.sampled_from([SGT, BERLIN]),
    )
    def test_is_monotone_exact_and_between_its_neighbours(self, first, difference, weights, half_hour_count, zone):
        modulus, start = Decimal(10**5), Decimal(first).scaleb(-3)
        total = Decimal(difference).scaleb(-3)
        days = [TUESDAY - timedelta(days=back) for back in range(8)]
        known = {
            mark: Decimal(weights[place % len(weights)]).scaleb(-3)
            for place, mark in enumerate(mark for day in days for mark in day_of(day, {}, zone))
        }
        end = NOON + half_hour_count * HALF_HOUR

        estimates = estimate_dial(
            reads=[Standing(NOON, start), Standing(end, (start + total) % modulus)],
            until=None,
            like_days=LikeDays(known, days=days, zone=zone),
            zone=zone,
            modulus=modulus,
            decimals=3,
        )

        grown = [growth(start, each.value, modulus) for each in estimates]
        assert [each.time for each in estimates] == marks_between(NOON, end, zone)
        assert all(earlier <= later for earlier, later in pairwise([Decimal(0), *grown, total]))
        assert all(each.value.as_tuple().exponent >= -3 and 0 <= each.value < modulus for each in estimates)


class TestIntervals:
    EDGES = tuple(after(half_hours / 2) for half_hours in range(3))

    def estimate(self, *, edges=EDGES, neighbours=(None, None), total=None, end_known=True, like_days=NO_LIKE_DAYS):
        found = estimate_intervals(
            edges=edges,
            neighbours=neighbours,
            total=total,
            end_known=end_known,
            like_days=like_days,
            decimals=3,
        )
        return [(each.value, each.method) for each in found]

    def test_lie_on_a_line_between_their_neighbours(self):
        neighbours = (Decimal("0.1"), Decimal("0.4"))

        assert self.estimate(neighbours=neighbours) == [
            (Decimal("0.2"), Method.LINE),
            (Decimal("0.3"), Method.LINE),
        ]

    def test_add_up_to_what_the_dial_counted(self):
        neighbours = (Decimal("0.1"), Decimal("0.4"))

        assert self.estimate(neighbours=neighbours, total=Decimal(1)) == [
            (Decimal("0.4"), Method.LINE),
            (Decimal("0.6"), Method.LINE),
        ]

    def test_take_after_a_like_day_beside_a_neighbour_that_is_not_trusted(self):
        like_days = like_tuesday(_12_00="0.2", _12_30="0.6")

        assert self.estimate(neighbours=(Decimal(1), None), like_days=like_days) == [
            (Decimal("0.2"), Method.LIKE_DAY),
            (Decimal("0.6"), Method.LIKE_DAY),
        ]

    def test_scale_a_like_day_to_what_the_dial_counted(self):
        edges = [after(half_hours / 2) for half_hours in range(6)]
        like_days = like_tuesday(_12_00="0.2", _12_30="0.2", _13_00="0.4", _13_30="0.8", _14_00="0.4")

        found = self.estimate(edges=edges, neighbours=(Decimal(1), Decimal(1)), total=Decimal(5), like_days=like_days)

        assert found == [(energy, Method.LIKE_DAY) for energy in kwh("0.5", "0.5", "1", "2", "1")]

    def test_are_projected_without_an_end(self):
        like_days = like_tuesday(_12_00="0.2")

        found = self.estimate(end_known=False, neighbours=(Decimal(1), None), like_days=like_days)

        assert found == [(Decimal("0.2"), Method.PROJECTED), (Decimal("0.1"), Method.PROJECTED)]

    def test_are_refused_where_nothing_is_known(self):
        with pytest.raises(NotEstimable):
            self.estimate(neighbours=(Decimal(1), None))
