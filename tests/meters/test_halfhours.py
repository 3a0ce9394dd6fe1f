from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared.clock import HALF_HOUR, Period, local_day
from meters.consumption import ESTIMATES, Chain, Curve, Hanging, Read
from meters.halfhours import Axis, HalfHours, from_chain, from_steps, steps_of
from meters.intervals import Backed, IntervalCurve

START = datetime(2025, 3, 1, tzinfo=UTC)
LONG_AGO, FAR_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")

qualities = st.sampled_from([17, 17, 17, 10, 8, 9])


def mark(number):
    return START + number * HALF_HOUR


def axis_of(half_hours, *, latest=FAR_AHEAD):
    return Axis.of(Period(START, mark(half_hours)), LONDON, latest)


def dial(reads, *, factors=((LONG_AGO, Decimal(1)),), modulus=10**6):
    """Return a dial's curve; reads by their instant, in half-hours since the start."""
    return Curve(
        [Read(mark(at), Decimal(value), quality) for at, value, quality in reads],
        modulus=Decimal(modulus),
        multipliers=list(factors),
    )


def intervals(energies):
    """Return an interval register's curve; energies by their half-hour's number."""
    reads = [Read(mark(at + 1), Decimal(value), 17) for at, value in energies]
    return IntervalCurve(reads, since=LONG_AGO, multipliers=[(LONG_AGO, Decimal(1))])


def always(*curves):
    return Chain([Hanging(LONG_AGO, FAR_AHEAD, curves)])


def ramp(energies):
    """Return half-hours, all known, of energies in µkWh."""
    known = np.ones(len(energies), dtype=np.bool_)
    return HalfHours(START, np.array(energies, dtype=np.int64), known, ~known)


@st.composite
def dials(draw):
    """Draw what a dial showed on marks, both ends among them: marks, µ-values that may turn over, qualities."""
    count = draw(st.integers(1, 30))
    inner = draw(st.sets(st.integers(1, count - 1))) if count > 1 else set()
    marks = sorted({0, count, *inner})
    steps = draw(st.lists(st.integers(0, 9_000_000), min_size=len(marks) - 1, max_size=len(marks) - 1))
    first = draw(st.integers(0, 999_999_999))
    values = np.concatenate(([first], first + np.cumsum(steps, dtype=np.int64))) % 1_000_000_000
    return count, marks, values, draw(st.lists(qualities, min_size=len(marks), max_size=len(marks)))


class TestAxis:
    @pytest.mark.parametrize(
        ("zone", "start", "expected"),
        [
            ("Asia/Singapore", datetime(2025, 3, 1, 10, 17, tzinfo=UTC), datetime(2025, 3, 1, 10, tzinfo=UTC)),
            ("Asia/Kathmandu", datetime(2025, 3, 1, 10, 17, tzinfo=UTC), datetime(2025, 3, 1, 10, 15, tzinfo=UTC)),
            ("Asia/Kathmandu", datetime(2025, 3, 1, 18, 15, tzinfo=UTC), datetime(2025, 3, 1, 18, 15, tzinfo=UTC)),
        ],
    )
    def test_lies_on_the_half_hours_of_the_place(self, zone, start, expected):
        axis = Axis.of(Period(start, start + timedelta(hours=2)), ZoneInfo(zone), FAR_AHEAD)

        assert (axis.start, axis.is_whole) == (expected, start == expected)

    @pytest.mark.parametrize(
        ("day", "zone", "count"),
        [
            (date(2025, 3, 30), "Europe/Berlin", 46),
            (date(2025, 10, 26), "Europe/Berlin", 50),
            (date(2025, 10, 5), "Australia/Lord_Howe", 47),
            (date(2025, 4, 6), "Australia/Lord_Howe", 49),
        ],
    )
    def test_has_as_many_half_hours_as_the_day(self, day, zone, count):
        assert Axis.of(local_day(day, ZoneInfo(zone)), ZoneInfo(zone), FAR_AHEAD).count == count

    def test_knows_no_half_hour_that_has_not_ended(self):
        assert axis_of(10, latest=mark(4) + timedelta(minutes=29)).limit == mark(4)
        assert axis_of(10, latest=START - HALF_HOUR).marks == 0


class TestHalfHours:
    def test_tells_its_total_and_its_end(self):
        hours = ramp([1_500_000, 2, 0])

        assert (hours.total_kwh, hours.end, hours.is_complete) == (Decimal("1.500002"), mark(3), True)

    def test_is_not_complete_with_an_unknown_half_hour_or_none(self):
        assert not HalfHours.unknown(START, 2).is_complete
        assert not ramp([]).is_complete

    @given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.data())
    def test_loses_nothing_however_it_is_cut(self, energies, data):
        hours = ramp(energies)
        minutes = data.draw(st.lists(st.integers(1, 30 * len(energies) - 1), max_size=4))
        cuts = [START, *sorted(START + timedelta(minutes=each) for each in minutes), hours.end]

        parts = [hours.between(low, high) for low, high in pairwise(cuts)]

        assert np.concatenate([part.energy_ukwh for part in parts]).tolist() == energies
        assert [part.start for part in parts if len(part)] == [
            mark(sum(map(len, parts[:at]))) for at, part in enumerate(parts) if len(part)
        ]

    def test_keeps_the_first_half_hour_of_a_supply_that_began_within_it(self):
        assert len(ramp([5, 6, 7]).between(START + timedelta(minutes=17), mark(2))) == 2


class TestFromSteps:
    @given(dials())
    def test_tells_what_the_chain_tells(self, shown):
        count, marks, values, quality = shown
        axis = axis_of(count)
        reads = [
            (at, Decimal(int(value)).scaleb(-6), each) for at, value, each in zip(marks, values, quality, strict=True)
        ]
        chain = always(dial(reads, modulus=1000))
        estimates = np.isin(quality, list(ESTIMATES))

        steps = steps_of(values, modulus=1_000_000_000, factor=Decimal(1))
        fast, slow = from_steps(axis, np.array(marks), steps, estimates), from_chain(axis, chain)

        assert fast.energy_ukwh.tolist() == slow.energy_ukwh.tolist()
        assert fast.estimated.tolist() == slow.estimated.tolist()
        assert fast.is_complete
        assert slow.is_complete
        assert fast.total_kwh == chain.between(START, mark(count)).amount
        for at in range(count):
            alone = chain.between(mark(at), mark(at + 1))
            assert alone.amount in {None, Decimal(int(fast.energy_ukwh[at])).scaleb(-6)}

    @given(dials())
    def test_knows_nothing_beyond_the_reads(self, shown):
        count, marks, values, _ = shown
        steps = steps_of(values, modulus=1_000_000_000, factor=Decimal(1))

        told = from_steps(axis_of(count + 7), np.array(marks) + 3, steps, np.zeros(len(marks), dtype=np.bool_))

        assert np.flatnonzero(told.known).tolist() == list(range(3, count + 3))
        assert not told.energy_ukwh[~told.known].any()

    @pytest.mark.parametrize(
        ("values", "factor", "expected"),
        [
            ([0, 4], Decimal(40), [160]),
            ([0, 4], Decimal("0.5"), [2]),
            ([0, 5], Decimal("0.5"), None),
            ([0, 10**15], Decimal(10**8), None),
            ([999_999_999, 4], Decimal(2), [10]),
        ],
    )
    def test_multiplies_exactly_or_not_at_all(self, values, factor, expected):
        steps = steps_of(np.array(values), modulus=10**9, factor=factor)

        assert (None if steps is None else steps.tolist()) == expected


class TestFromChain:
    @given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30), st.integers(1, 99_999))
    def test_adds_up_to_the_stretch_also_where_a_multiplier_is_finer_than_what_is_told(self, steps, factor):
        values = np.concatenate(([0], np.cumsum(steps))).tolist()
        reads = [(at, Decimal(value).scaleb(-6), 17) for at, value in enumerate(values)]
        chain = always(dial(reads, factors=[(LONG_AGO, Decimal(factor).scaleb(-4))], modulus=10**9))

        told = from_chain(axis_of(len(steps)), chain)

        assert abs(told.total_kwh - chain.between(START, mark(len(steps))).amount) <= Decimal("0.0000005")

    def test_changes_the_multiplier_within_the_period(self):
        line = dial([(0, 0, 17), (1, 1, 17), (2, 2, 17)], factors=[(LONG_AGO, Decimal(1)), (mark(1), Decimal(40))])

        assert from_chain(axis_of(2), always(line)).energy_ukwh.tolist() == [1_000_000, 40_000_000]

    def test_adds_the_parts_of_a_half_hour_in_which_the_meter_was_exchanged(self):
        swapped = START + timedelta(minutes=17)
        old = Curve(
            [Read(START, Decimal("45210.0"), 17), Read(swapped, Decimal("45210.3"), 17)],
            modulus=Decimal(10**6),
            multipliers=[(LONG_AGO, Decimal(1))],
        )
        new = Curve(
            [Read(swapped, Decimal("12.0"), 17), Read(mark(1), Decimal("12.1"), 17)],
            modulus=Decimal(10**6),
            multipliers=[(LONG_AGO, Decimal(1))],
        )
        chain = Chain([Hanging(LONG_AGO, swapped, (old,)), Hanging(swapped, FAR_AHEAD, (new,))])

        told = from_chain(axis_of(1), chain)

        assert (told.energy_ukwh.tolist(), told.is_complete, told.estimated.tolist()) == ([400_000], True, [False])

    def test_does_not_know_a_half_hour_in_which_nothing_hung_for_a_while(self):
        reads = [(0, 0, 17), (1, 1, 17), (2, 2, 17)]
        chain = Chain([Hanging(LONG_AGO, mark(1) + timedelta(minutes=5), (dial(reads),))])

        told = from_chain(axis_of(2), chain)

        assert (told.known.tolist(), told.total_kwh) == ([True, False], Decimal(1))

    def test_sums_registers_and_knows_only_what_all_tell(self):
        day, night = dial([(0, 0, 17), (1, 1, 17), (2, 3, 17)]), dial([(0, 5, 17), (1, 9, 17)])

        told = from_chain(axis_of(2), always(day, night))

        assert (told.energy_ukwh.tolist(), told.known.tolist()) == ([5_000_000, 0], [True, False])

    def test_spreads_a_gap_between_reads_beside_the_marks(self):
        line = dial([(0, 0, 17), (0.5, 1, 17), (10.5, 11, 17), (11, 12, 17)])

        told = from_chain(axis_of(11), always(line))

        assert told.energy_ukwh.tolist() == [1_500_000, *[1_000_000] * 9, 1_500_000]
        assert (told.is_complete, told.estimated.all()) == (True, True)

    def test_spreads_no_gap_that_begins_before_the_period(self):
        line = dial([(-3, 0, 17), (5, 8, 17), (6, 9, 17)])

        assert from_chain(axis_of(6), always(line)).known.tolist() == [False] * 5 + [True]

    def test_leaves_a_missing_half_hour_of_an_interval_register_unknown(self):
        told = from_chain(axis_of(3), always(intervals([(0, "0.1"), (2, "0.3")])))

        assert (told.energy_ukwh.tolist(), told.known.tolist()) == ([100_000, 0, 300_000], [True, False, True])


class TestFromDialsAndIntervals:
    def test_counts_what_the_dial_counts_in_the_shape_of_the_half_hours(self):
        both = Backed([dial([(0, 0, 17), (4, 10, 17)])], [intervals([(0, 1), (1, 2), (2, 4), (3, 1)])])

        told = from_chain(axis_of(4), always(both))

        assert told.energy_ukwh.tolist() == [1_250_000, 2_500_000, 5_000_000, 1_250_000]

    def test_gives_what_no_half_hour_tells_to_those_that_are_missing(self):
        both = Backed([dial([(0, 0, 17), (6, 10, 17)])], [intervals([(0, 1), (1, 2), (2, 3)])])

        told = from_chain(axis_of(6), always(both))

        assert told.total_kwh == 10
        assert told.energy_ukwh[:3].tolist() == [1_000_000, 2_000_000, 3_000_000]
        assert told.estimated.tolist() == [False] * 3 + [True] * 3

    def test_shares_evenly_where_the_half_hours_tell_more_than_the_dial(self):
        both = Backed([dial([(0, 0, 17), (6, 3, 17)])], [intervals([(0, 4)])])

        told = from_chain(axis_of(6), always(both))

        assert (told.energy_ukwh.tolist(), told.estimated.all()) == ([500_000] * 6, True)

    def test_takes_the_half_hours_where_the_dial_does_not_know_the_ends(self):
        both = Backed([dial([(1, 0, 17)])], [intervals([(0, 1), (1, 2)])])

        assert from_chain(axis_of(2), always(both)).energy_ukwh.tolist() == [1_000_000, 2_000_000]

    @given(st.data())
    def test_adds_up_to_the_stretch(self, data):
        count = data.draw(st.integers(5, 20))
        told_by_dial = sorted({0, count, *data.draw(st.sets(st.integers(1, count - 1)))})
        grown = np.cumsum([data.draw(st.integers(0, 10**7)) for _ in told_by_dial])
        shape = data.draw(st.lists(st.integers(0, 10**7), min_size=count, max_size=count))
        lost = data.draw(st.sets(st.integers(0, count - 1)))
        reads = [(at, Decimal(int(value)).scaleb(-6), 17) for at, value in zip(told_by_dial, grown, strict=True)]
        energies = [(at, Decimal(each).scaleb(-6)) for at, each in enumerate(shape) if at not in lost]
        chain = always(Backed([dial(reads)], [intervals(energies)]))

        told = from_chain(axis_of(count), chain)

        assert told.is_complete
        assert told.total_kwh == chain.between(START, mark(count)).amount
