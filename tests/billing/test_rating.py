import itertools
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating import NoRateInForce, NoTaxInForce, NotCut, cuts
from energy_portal.shared.units import to_cents
from tests.billing.ratings import (
    flat_version,
    gst,
    midnight,
    rated,
    stretch,
    supply,
)

Q1 = flat_version("2023 Q1", date(2023, 1, 1), date(2023, 4, 1), "0.2895")
Q2 = flat_version("2023 Q2", date(2023, 4, 1), date(2023, 7, 1), "0.2743")
GST_7 = gst(date(2007, 7, 1), date(2023, 1, 1), "7")
GST_8 = gst(date(2023, 1, 1), date(2024, 1, 1), "8")
GST_9 = gst(date(2024, 1, 1), None, "9")
TAXES = (GST_7, GST_8, GST_9)


class TestRate:
    @pytest.mark.parametrize(
        ("month", "subtotal", "tax", "total"),
        [(2, "89.32", "7.15", "96.47"), (5, "84.63", "6.77", "91.40")],
        ids=["first quarter", "second quarter"],
    )
    def test_prices_a_month_to_the_cent(self, month, subtotal, tax, total):
        used = stretch(midnight(date(2023, month, 1)), midnight(date(2023, month + 1, 1)), "308.52")

        rating = rated(supply(used), versions=(Q1, Q2), taxes=TAXES)

        assert (rating.subtotal, rating.tax, rating.total) == (Decimal(subtotal), Decimal(tax), Decimal(total))

    def test_prices_each_part_of_a_period_by_the_version_in_force(self):
        first, last = midnight(date(2023, 3, 15)), midnight(date(2023, 4, 15))
        ends = cuts(first, last, (Q1, Q2), TAXES)
        days = [(end - start).days for start, end in itertools.pairwise(ends)]
        used = [
            stretch(start, end, 10 * Decimal(count)) for start, end, count in zip(ends, ends[1:], days, strict=False)
        ]

        rating = rated(supply(*used), versions=(Q1, Q2), taxes=TAXES)

        assert days == [17, 14]
        assert [line.amount for line in rating.charges] == [Decimal("49.22"), Decimal("38.40")]
        assert (rating.subtotal, rating.tax, rating.total) == (Decimal("87.62"), Decimal("7.01"), Decimal("94.63"))

    def test_taxes_the_lines_of_each_tax_version_apart(self):
        flat = flat_version("flat", date(2020, 1, 1), None, "0.25")
        turn = midnight(date(2023, 1, 1))
        used = [stretch(turn - timedelta(days=10), turn, "100"), stretch(turn, turn + timedelta(days=10), "200")]

        rating = rated(supply(*used), versions=(flat,), taxes=TAXES)

        assert [(line.tax.name, line.quantity, line.amount) for line in rating.taxes] == [
            ("GST 7 %", Decimal("25.00"), Decimal("1.75")),
            ("GST 8 %", Decimal("50.00"), Decimal("4.00")),
        ]
        assert rating.total == Decimal("80.75")

    def test_taxes_nothing_that_is_not_taxed(self):
        untaxed = flat_version("untaxed", date(2020, 1, 1), None, "0.25", tax_code=None)

        rating = rated(supply(stretch(Q1.start, Q2.start, "10")), versions=(untaxed,))

        assert rating.taxes == ()
        assert rating.total == rating.subtotal == Decimal("2.50")

    def test_comes_to_nothing_without_energy(self):
        rating = rated(versions=(Q1,), taxes=TAXES)

        assert (rating.subtotal, rating.tax, rating.total) == (Decimal("0.00"),) * 3

    @pytest.mark.parametrize(
        ("first", "after"),
        [
            (date(2023, 6, 1), date(2023, 7, 2)),
            (date(2022, 12, 31), date(2023, 1, 2)),
            (date(2024, 1, 1), date(2024, 2, 1)),
        ],
        ids=["ends after the last version", "starts before the first", "has none"],
    )
    def test_refuses_to_guess_a_price(self, first, after):
        used = supply(stretch(midnight(first), midnight(after), "1"))

        with pytest.raises(NoRateInForce):
            rated(used, versions=(Q2,) if first.year == 2023 else (Q1,), taxes=TAXES)

    def test_refuses_a_gap_between_two_versions(self):
        later = flat_version("2023 Q3", date(2023, 7, 1), date(2023, 10, 1), "0.2774")

        with pytest.raises(NoRateInForce):
            rated(supply(stretch(Q1.start, later.start + timedelta(days=1), "1")), versions=(Q1, later), taxes=TAXES)

    def test_refuses_a_taxed_price_without_its_tax(self):
        with pytest.raises(NoTaxInForce):
            rated(supply(stretch(Q1.start, Q2.start, "1")), versions=(Q1,), taxes=(GST_7,))

    def test_refuses_energy_that_was_not_cut_at_a_price_change(self):
        uncut = supply(stretch(Q2.start - timedelta(days=1), Q2.start + timedelta(days=1), "1"))

        with pytest.raises(NotCut):
            rated(uncut, versions=(Q1, Q2), taxes=TAXES)

    def test_refuses_energy_that_was_not_cut_at_a_tax_change(self):
        flat = flat_version("flat", date(2020, 1, 1), None, "0.25")
        turn = midnight(date(2023, 1, 1))

        with pytest.raises(NotCut):
            rated(
                supply(stretch(turn - timedelta(days=1), turn + timedelta(days=1), "1")), versions=(flat,), taxes=TAXES
            )


kilowatt_hours = st.decimals(min_value=0, max_value=99_999, places=6)
prices = st.decimals(min_value=0, max_value=5, places=6)


@st.composite
def histories(draw):
    """Consecutive versions from 2023 on, the last without an end, with energies cut where they start."""
    lengths = draw(st.lists(st.integers(1, 60), min_size=1, max_size=5))
    starts = [date(2023, 1, 1)]
    for length in lengths:
        starts.append(starts[-1] + timedelta(days=length))
    ends = [*starts[1:], None]
    versions = [
        flat_version(f"v{index}", first, after, str(draw(prices)))
        for index, (first, after) in enumerate(zip(starts, ends, strict=True))
    ]
    first, last = midnight(date(2023, 1, 1)), midnight(starts[-1] + timedelta(days=draw(st.integers(1, 400))))
    ends_of = cuts(first, last, versions, TAXES)
    used = [stretch(start, end, draw(kilowatt_hours)) for start, end in itertools.pairwise(ends_of)]
    return versions, used


class TestInvariants:
    @given(histories())
    def test_lines_sum_to_the_total(self, history):
        versions, used = history

        rating = rated(supply(*used), versions=versions, taxes=TAXES)

        assert rating.subtotal == sum(line.amount for line in rating.charges)
        assert rating.tax == sum(line.amount for line in rating.taxes)
        assert rating.total == rating.subtotal + rating.tax
        assert sum(line.quantity for line in rating.taxes) == rating.subtotal
        assert rating.total == rating.total.quantize(Decimal("0.01"))

    @given(histories())
    def test_every_stretch_is_priced_once_by_the_version_that_covers_it(self, history):
        versions, used = history

        rating = rated(supply(*used), versions=versions, taxes=TAXES)

        assert [(line.start, line.end, line.quantity) for line in rating.charges] == [
            (each.start, each.end, each.energy_kwh) for each in used
        ]
        for line in rating.charges:
            assert line.version.start <= line.start
            assert line.version.end is None or line.end <= line.version.end
            assert line.amount == to_cents(line.quantity * line.rate)

    @given(histories(), st.integers(1, 999_999))
    def test_where_a_stretch_is_split_does_not_matter(self, history, millionths):
        versions, used = history
        whole, *rest = used
        middle = whole.start + (whole.end - whole.start) / 2
        part = whole.energy_kwh * millionths / 1_000_000
        halves = [stretch(whole.start, middle, part), stretch(middle, whole.end, whole.energy_kwh - part)]

        together = rated(supply(*used), versions=versions, taxes=TAXES)
        apart = rated(supply(*halves, *rest), versions=versions, taxes=TAXES)

        assert [(line.quantity, line.amount) for line in apart.lines] == [
            (line.quantity, line.amount) for line in together.lines
        ]

    @given(histories(), st.randoms(use_true_random=False))
    def test_the_order_of_stretches_does_not_matter(self, history, random):
        versions, used = history
        shuffled = random.sample(used, len(used))

        assert (
            rated(supply(*shuffled), versions=versions, taxes=TAXES).total
            == rated(supply(*used), versions=versions, taxes=TAXES).total
        )


class TestCuts:
    def test_names_the_ends_and_what_starts_between_them(self):
        first, last = midnight(date(2022, 12, 15)), midnight(date(2023, 4, 15))

        assert cuts(first, last, (Q1, Q2), TAXES) == (first, Q1.start, Q2.start, last)

    def test_needs_no_cut_where_versions_start_with_the_period(self):
        assert cuts(Q1.start, Q2.start, (Q1, Q2), TAXES) == (Q1.start, Q2.start)


class TestToCent:
    @pytest.mark.parametrize(
        ("amount", "rounded"), [("0.005", "0.01"), ("0.0049", "0.00"), ("49.215", "49.22"), ("-0.005", "-0.01")]
    )
    def test_rounds_half_away_from_zero(self, amount, rounded):
        assert to_cents(Decimal(amount)) == Decimal(rounded)
