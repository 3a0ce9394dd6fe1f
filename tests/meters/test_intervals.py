from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.consumption import UNKNOWN, Chain, Curve, Hanging, Read
from meters.intervals import Backed, IntervalCurve

START = datetime(2025, 3, 1, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
LONG_AGO, FAR_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
ONE = [(LONG_AGO, Decimal(1))]


def at(hours):
    return START + timedelta(hours=hours)


def intervals(*energies, since=LONG_AGO, multipliers=ONE, quality=17):
    """Return half-hours from the start on; None leaves one out, a pair brings its own quality."""
    reads = []
    for place, energy in enumerate(energies, start=1):
        value, own = energy if isinstance(energy, tuple) else (energy, quality)
        if value is not None:
            reads.append(Read(START + place * HALF_HOUR, Decimal(str(value)), own))
    return IntervalCurve(reads, since=since, multipliers=multipliers)


def dial(*reads):
    return Curve([Read(at(h), Decimal(v), 17) for h, v in reads], modulus=Decimal(10**6), multipliers=ONE)


class TestIntervalCurve:
    def test_adds_up_the_half_hours_of_a_stretch(self):
        energy = intervals(1, 2, 3, 4).between(at(0.5), at(1.5))

        assert (energy.amount, energy.complete, energy.estimated_amount, energy.quality) == (5, True, 0, 17)

    def test_does_not_know_a_stretch_of_which_a_half_hour_is_missing(self):
        holed = intervals(1, None, 3)

        assert holed.between(at(0), at(1.5)) == UNKNOWN
        known = holed.known_within(at(0), at(1.5))
        assert (known.amount, known.complete) == (4, False)

    @pytest.mark.parametrize(("start", "end"), [(-1, 1), (0, 2), (-2, -1), (5, 6)])
    def test_does_not_know_what_lies_outside(self, start, end):
        assert intervals(1, 2, 3).between(at(start), at(end)) == UNKNOWN

    def test_knows_nothing_where_it_has_nothing(self):
        assert intervals().known_within(at(0), at(1)) == intervals(1).known_within(at(2), at(3)) == UNKNOWN

    def test_shares_a_half_hour_that_is_cut_out_evenly_as_an_estimate(self):
        cut = intervals(3, 6).between(at(1 / 6), at(1))

        assert (cut.amount, cut.estimated_amount, cut.quality) == (8, 2, 9)
        assert intervals(3, 6).between(at(1 / 6), at(1), estimate=False) == UNKNOWN

    def test_begins_its_first_half_hour_when_the_meter_was_hung_up(self):
        late = intervals(3, 6, since=at(0.25))

        assert late.between(at(0.25), at(1)).amount == 9
        assert late.between(at(0.25), at(0.5), estimate=False).quality == 17

    def test_applies_the_multiplier_in_force_when_a_half_hour_began(self):
        changed = intervals(1, 1, multipliers=[(LONG_AGO, Decimal(1)), (at(0.5), Decimal(10))])

        assert changed.between(at(0), at(1)).amount == 11

    def test_tells_what_is_estimated_of_it(self):
        energy = intervals(1, (2, 8), 3).between(at(0), at(1.5))

        assert (energy.amount, energy.estimated_amount, energy.quality) == (6, 2, 8)

    def test_keeps_the_quality_of_an_estimate_on_the_line_that_is_whole(self):
        assert intervals((2, 9)).between(at(0), at(0.5), estimate=False).amount == 2

    def test_rests_on_what_its_half_hours_add_up_to(self):
        energy = intervals("1.5", "2.5", multipliers=[(LONG_AGO, Decimal(2))]).between(at(0), at(1))

        assert [(read.time, read.value, read.role) for _, read in energy.reads] == [
            (at(0), 0, "summed"),
            (at(1), 4, "summed"),
        ]

    @given(st.lists(st.integers(0, 5_000_000) | st.none(), min_size=1, max_size=40), st.data())
    def test_adds_up_wherever_it_is_cut(self, energies, data):
        line = intervals(*(None if each is None else Decimal(each).scaleb(-6) for each in energies))
        minutes = data.draw(st.lists(st.integers(0, 30 * len(energies)), min_size=2, max_size=6, unique=True))
        cuts = [START + timedelta(minutes=each) for each in sorted(minutes)]

        parts = [line.known_within(start, end) for start, end in pairwise(cuts)]
        whole = line.known_within(cuts[0], cuts[-1])

        assert (whole.amount or 0) == sum(part.amount or 0 for part in parts)
        assert whole.complete == all(part.complete for part in parts)


class TestBacked:
    @pytest.fixture
    def flow(self):
        """A dial that was not read at one, and half-hours that say a little more than it."""
        return Backed([dial((0, 100), (0.5, 101), (4, 108))], [intervals("1.1", "1.1", "1.1", "1.1")])

    def test_is_the_dials_where_the_dial_tells(self, flow):
        assert flow.between(at(0), at(4)).amount == 8
        assert flow.known_within(at(0), at(4)).amount == 8

    def test_is_the_half_hours_where_the_dial_does_not(self, flow):
        assert flow.between(at(0.5), at(1)).amount == flow.known_within(at(0.5), at(1)).amount == Decimal("1.1")

    def test_is_never_both(self, flow):
        partly = flow.known_within(at(-1), at(1))

        assert (partly.amount, partly.complete) == (1, False)

    def test_is_not_known_where_neither_tells(self, flow):
        assert flow.between(at(2), at(3)) == UNKNOWN

    def test_counts_along_a_chain_like_any_other(self, flow):
        hanging = Hanging(LONG_AGO, at(0.5), (dial((-1, 5), (0, 6), (0.5, 7)),))

        assert Chain([hanging, Hanging(at(0.5), FAR_AHEAD, (flow,))]).between(at(0), at(1)).amount == Decimal("2.1")
