from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.consumption import ESTIMATES, Chain, Curve, Energy, Hanging, Read, least_trusted, share, total

START = datetime(2025, 3, 1, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
LONG_AGO, FAR_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
ONE = [(LONG_AGO, Decimal(1))]

micro_kwh = st.integers(0, 7_000_000)


def at(hours):
    return START + timedelta(hours=hours)


def curve(*reads, modulus=10**6, multipliers=ONE, quality=17):
    return Curve(
        [Read(at(hours), Decimal(str(value)), quality) for hours, value in reads],
        modulus=Decimal(modulus),
        multipliers=multipliers,
    )


def dial_of(energies, *, modulus, first=0):
    """Return the half-hourly values of a dial that counts energies in micro-kWh."""
    counted = accumulate(energies, initial=first)
    return [Decimal(each % (modulus * 10**6)).scaleb(-6) for each in counted]


def half_hourly(values, *, missing=frozenset(), modulus):
    reads = [Read(START + n * HALF_HOUR, value, 17) for n, value in enumerate(values) if n not in missing]
    return Curve(reads, modulus=Decimal(modulus), multipliers=ONE)


class TestCurve:
    @given(st.lists(micro_kwh, min_size=1, max_size=60), st.integers(0, 99_999_999))
    def test_adds_half_hours_up_to_the_difference_of_the_edges_over_any_roll_over(self, energies, first):
        values = dial_of(energies, modulus=100, first=first)
        line = half_hourly(values, modulus=100)
        marks = [START + n * HALF_HOUR for n in range(len(values))]

        parts = [line.between(start, end).amount for start, end in pairwise(marks)]

        assert parts == [Decimal(each).scaleb(-6) for each in energies]
        assert line.between(marks[0], marks[-1]).amount == sum(parts) == Decimal(sum(energies)).scaleb(-6)

    @given(st.lists(micro_kwh, min_size=3, max_size=40), st.data())
    def test_keeps_the_difference_of_the_edges_whatever_is_missing_between(self, energies, data):
        values = dial_of(energies, modulus=10**6)
        missing = data.draw(st.sets(st.integers(1, len(energies) - 1)))
        end = START + len(energies) * HALF_HOUR

        whole, some = (half_hourly(values, missing=gone, modulus=10**6) for gone in (set(), missing))

        assert some.between(START, end) == whole.between(START, end)

    @given(st.lists(micro_kwh, min_size=3, max_size=40), st.data())
    def test_knows_a_half_hour_only_from_both_its_reads(self, energies, data):
        values = dial_of(energies, modulus=10**6)
        missing = data.draw(st.sets(st.integers(0, len(energies))))
        line = half_hourly(values, missing=missing, modulus=10**6)

        for n in range(len(energies)):
            mark = START + n * HALF_HOUR
            known = line.between(mark, mark + HALF_HOUR, estimate=False)
            assert (known.amount is None) == bool({n, n + 1} & missing)

    @given(
        st.lists(
            st.tuples(st.integers(0, 40), st.sampled_from([0, 8, 9, 10, 17])), max_size=30, unique_by=lambda r: r[0]
        ),
        st.integers(0, 20),
        st.integers(0, 40),
    )
    def test_lists_the_half_hours_that_it_knows_one_by_one(self, marks, low, high):
        reads = [Read(START + n * HALF_HOUR, Decimal(n // 2), quality) for n, quality in sorted(marks)]
        line = Curve(reads, modulus=Decimal(1000), multipliers=ONE)

        listed = line.half_hours(START + low * HALF_HOUR, START + high * HALF_HOUR)

        singly = {
            start: line.between(start, start + HALF_HOUR, estimate=False)
            for start in (START + n * HALF_HOUR for n in range(low, high))
        }
        assert listed == [
            (start, each.amount, each.quality, each.estimated_amount > 0 or each.quality in ESTIMATES)
            for start, each in singly.items()
            if each.complete
        ]

    def test_draws_a_line_between_reads_two_hours_apart(self):
        line = curve((10, "100.0"), (12, "104.0"))

        points = [line.at(at(hours)) for hours in (10.5, 11, 11.5)]

        assert [point.height for point in points] == [1, 2, 3]
        assert {point.quality for point in points} == {9}

    @pytest.mark.parametrize("hours", [9, 10, 12, 13])
    def test_does_not_draw_one_over_a_longer_gap_or_beyond_its_ends(self, hours):
        line = curve((9.5, 100), (12.5, 104))

        assert line.at(at(hours)) is None

    def test_counts_as_estimated_what_lies_next_to_an_estimated_edge(self):
        line = curve((10, 100), (12, 104), (13, 110))

        energy = line.between(at(11), at(13))

        assert (energy.amount, energy.estimated_amount, energy.quality) == (8, 2, 9)
        assert energy.estimated_share == Decimal("0.25")

    def test_counts_a_stretch_within_one_gap_as_wholly_estimated(self):
        energy = curve((10, 100), (12, 104)).between(at(10.5), at(11))

        assert (energy.amount, energy.estimated_amount, energy.estimated_share) == (1, 1, 1)

    def test_counts_what_rests_on_estimated_reads_as_estimated(self):
        reads = [Read(at(n), Decimal(n), 8 if n == 2 else 17) for n in range(5)]
        line = Curve(reads, modulus=Decimal(1000), multipliers=ONE)

        assert line.between(at(0), at(4)).estimated_amount == 2

    def test_applies_a_multiplier_from_its_change_on(self):
        line = curve((0, 10), (1, 12), (2, 15), multipliers=[(LONG_AGO, Decimal(1)), (at(1), Decimal(40))])

        assert [line.between(at(0), at(1)).amount, line.between(at(1), at(2)).amount] == [2, 120]
        assert line.between(at(0), at(2)).amount == 122

    def test_knows_what_lies_between_its_first_and_last_read(self):
        energy = curve((3, 10), (9, 16)).known_within(at(0), at(12))

        assert (energy.amount, energy.complete) == (6, False)

    @pytest.mark.parametrize("reads", [(), ((5, 10),)])
    def test_knows_nothing_from_fewer_than_two_instants(self, reads):
        assert curve(*reads).known_within(at(0), at(12)).amount is None


class TestChain:
    @pytest.fixture
    def exchanged(self):
        """A meter until 14.25 h, another from then on."""
        return Chain(
            [
                Hanging(LONG_AGO, at(14.25), (curve((14, "45210.0"), (14.25, "45210.3")),)),
                Hanging(at(14.25), FAR_AHEAD, (curve((14.25, "12.0"), (14.5, "12.1")),)),
            ]
        )

    def test_adds_what_each_meter_counted(self, exchanged):
        assert exchanged.between(at(14), at(14.5)).amount == Decimal("0.4")

    def test_knows_nothing_across_a_time_without_a_meter(self):
        chain = Chain(
            [
                Hanging(LONG_AGO, at(2), (curve((1, 5), (2, 6)),)),
                Hanging(at(3), FAR_AHEAD, (curve((3, 0), (4, 2)),)),
            ]
        )

        assert chain.between(at(1), at(4)).amount is None
        assert (chain.known_within(at(1), at(4)).amount, chain.known_within(at(1), at(4)).complete) == (3, False)

    def test_does_not_subtract_across_an_exchange_without_reads(self):
        chain = Chain(
            [
                Hanging(LONG_AGO, at(2.25), (curve((1, 45000), (2, 45001)),)),
                Hanging(at(2.25), FAR_AHEAD, (curve((2.5, 3), (3, 4)),)),
            ]
        )

        assert chain.between(at(1), at(3)).amount is None
        assert chain.known_within(at(1), at(3)).amount == 2

    def test_adds_registers_that_count_side_by_side(self):
        chain = Chain([Hanging(LONG_AGO, FAR_AHEAD, (curve((0, 0), (1, 2)), curve((0, 5), (1, 8))))])

        assert chain.between(at(0), at(1)).amount == 5

    def test_knows_nothing_when_one_of_them_is_not_known(self):
        chain = Chain([Hanging(LONG_AGO, FAR_AHEAD, (curve((0, 0), (1, 2)), curve((0, 5))))])

        assert chain.between(at(0), at(1)).amount is None

    def test_knows_nothing_where_no_meter_ever_hung(self):
        assert Chain([]).between(at(0), at(1)) == Chain([]).known_within(at(0), at(1)) == Energy(None, complete=False)


class TestHelpers:
    def test_share_of_nothing_is_nothing(self):
        assert share(Decimal(0), Decimal(0)) == share(Decimal(0), None) == 0

    @pytest.mark.parametrize(("qualities", "least"), [((17, 9), 9), ((19, 17), 17), ((0, 14), 14), ((), None)])
    def test_least_trusted_quality_speaks_for_all(self, qualities, least):
        assert least_trusted(qualities) == least

    def test_total_of_unknown_parts_is_unknown(self):
        assert total([Energy(None, complete=False)] * 2).amount is None
