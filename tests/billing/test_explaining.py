from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from billing.explaining import Billed, Cause, Charge, Unexplained, explain_difference

CENT = Decimal("0.01")


def billed(total: str, *, days: int = 30, kwh: str = "300", estimated: str = "0", charges=()) -> Billed:
    return Billed(Decimal(days), Decimal(kwh) - Decimal(estimated), Decimal(estimated), Decimal(total), "SGD", charges)


def lines(*rows: tuple[str, str, str, str]) -> tuple[Charge, ...]:
    """Write lines as kind, hours, quantity, amount."""
    return tuple(
        Charge(kind, "Electricity", Decimal(kwh), Decimal(amount), hours=hours) for kind, hours, kwh, amount in rows
    )


def amounts(parts) -> dict[str, str]:
    return {part.cause.value: str(part.amount) for part in parts}


def of_lines(charges: tuple[Charge, ...], **facts) -> Billed:
    return billed(str(sum((charge.amount for charge in charges), Decimal(0))), charges=charges, **facts)


class TestExplainDifference:
    def test_gives_days_their_share_at_the_use_and_price_of_before(self):
        found = explain_difference(billed("90.00", days=30), billed("93.00", days=31, kwh="310"))

        assert amounts(found.parts) == {"days": "3.00", "use": "0.00", "price": "0.00"}
        assert found.amount == Decimal("3.00")

    def test_gives_use_a_day_its_share_at_the_price_of_before(self):
        found = explain_difference(billed("90.00"), billed("120.00", kwh="400"))

        assert amounts(found.parts) == {"days": "0.00", "use": "30.00", "price": "0.00"}

    def test_tells_estimated_energy_from_measured(self):
        found = explain_difference(billed("90.00"), billed("120.00", kwh="400", estimated="60"))

        assert amounts(found.parts) == {"days": "0.00", "use": "12.00", "estimates": "18.00", "price": "0.00"}

    def test_leaves_the_rest_to_price(self):
        found = explain_difference(billed("90.00"), billed("99.00"))

        assert amounts(found.parts) == {"days": "0.00", "use": "0.00", "price": "9.00"}

    def test_keeps_what_was_fed_in_apart(self):
        sunny = of_lines(lines(("energy", "", "300", "90.00"), ("export", "", "100", "-20.00")))
        dull = of_lines(lines(("energy", "", "300", "90.00"), ("export", "", "40", "-8.00")))

        found = explain_difference(sunny, dull)

        assert amounts(found.parts) == {"days": "0.00", "use": "0.00", "export": "12.00", "price": "0.00"}

    @pytest.mark.parametrize(
        ("before", "reason"),
        [
            (None, Unexplained.NO_BILL_BEFORE),
            (replace(billed("90.00"), currency="EUR"), Unexplained.OTHER_CURRENCY),
            (billed("90.00", kwh="0"), Unexplained.NO_ENERGY_BEFORE),
            (billed("90.00", days=0), Unexplained.NO_ENERGY_BEFORE),
            (billed("0.00"), Unexplained.NOTHING_CHARGED_BEFORE),
        ],
    )
    def test_says_why_it_cannot_be_told_apart(self, before, reason):
        found = explain_difference(before, billed("99.00"))

        assert (found.reason, found.parts) == (reason, ())


class TestPrice:
    def test_tells_rates_from_the_hours_of_use(self):
        before = of_lines(lines(("energy", "Peak", "100", "40.00"), ("energy", "Night", "200", "20.00")))
        after = of_lines(lines(("energy", "Peak", "150", "66.00"), ("energy", "Night", "150", "15.00")))

        found = explain_difference(before, after)

        # 150 kWh of the peak cost 0.04 more each; 50 kWh moved from 0.10 to 0.40.
        assert amounts(found.price) == {"rates": "6.00", "mix": "15.00"}
        assert amounts(found.parts)["price"] == "21.00"

    def test_tells_fixed_charges_and_tax(self):
        before = of_lines(
            lines(("energy", "", "300", "90.00"), ("fixed", "", "30", "10.00"), ("tax", "", "100", "8.00"))
        )
        after = of_lines(
            lines(("energy", "", "300", "90.00"), ("fixed", "", "30", "11.00"), ("tax", "", "101", "9.09"))
        )

        assert amounts(explain_difference(before, after).price) == {"fixed": "1.00", "tax": "1.09"}

    def test_puts_tiers_together_that_only_one_bill_reached(self):
        low = Charge("energy", "Electricity", Decimal(300), Decimal("60.00"), tier="1")
        high = Charge("energy", "Electricity", Decimal(100), Decimal("40.00"), tier="2")
        tax = Charge("tax", "GST", Decimal(60), Decimal("6.00"))

        found = explain_difference(of_lines((low, tax)), of_lines((low, high, tax), kwh="400"))

        # 400 kWh cost 100.00 rather than 80.00, and the tax of 6.00 does not grow to 8.00.
        assert amounts(found.price) == {"rates": "20.00", "tax": "-2.00"}

    def test_does_not_tell_rates_from_hours_that_were_not_there_before(self):
        before = of_lines(lines(("energy", "", "300", "90.00"), ("fixed", "", "30", "10.00")))
        after = of_lines(lines(("energy", "Peak", "300", "96.00"), ("fixed", "", "30", "11.00")))

        assert amounts(explain_difference(before, after).price) == {"energy": "6.00", "fixed": "1.00"}

    def test_is_not_divided_where_the_lines_do_not_make_up_the_total(self):
        torn = replace(
            of_lines(lines(("energy", "", "300", "90.00"), ("fixed", "", "30", "10.00"))), total=Decimal(101)
        )

        assert explain_difference(torn, billed("99.00")).price == ()


money = st.decimals(min_value=-500, max_value=2_000, places=2)
energy = st.decimals(min_value=0, max_value=5_000, places=6)
kinds = st.sampled_from(["energy", "export", "demand", "fixed", "minimum", "tax"])
charges = st.builds(
    Charge,
    kind=kinds,
    name=st.sampled_from(["Electricity", "Adder"]),
    quantity=energy,
    amount=money,
    hours=st.sampled_from(["", "Peak", "Night"]),
    tier=st.sampled_from(["1", "2"]),
)


@st.composite
def bills(draw) -> Billed:
    made = tuple(draw(st.lists(charges, max_size=8)))
    total = sum((charge.amount for charge in made), Decimal(0))
    days = Decimal(draw(st.integers(min_value=1, max_value=31)))
    return Billed(days, draw(energy), draw(energy), total, "SGD", made)


class TestEveryDifference:
    @given(before=bills(), after=bills())
    @example(before=billed("0.01", days=3, kwh="3"), after=billed("0.02", days=7, kwh="7", estimated="1"))
    def test_adds_up_to_the_cent(self, before, after):
        found = explain_difference(before, after)
        assume(found.reason is None)

        assert sum(part.amount for part in found.parts) == found.amount == after.total - before.total
        (price,) = (part.amount for part in found.parts if part.cause is Cause.PRICE)
        assert not found.price or sum(part.amount for part in found.price) == price
        assert all(part.amount == part.amount.quantize(CENT) for part in (*found.parts, *found.price))

    @given(before=bills())
    def test_is_nothing_of_the_same_bill_twice(self, before):
        found = explain_difference(before, before)
        assume(found.reason is None)

        assert {part.amount for part in found.parts} == {Decimal(0)}
        assert found.price == ()

    @given(before=bills(), after=bills())
    def test_lies_within_a_cent_of_the_formula(self, before, after):
        found = explain_difference(before, after)
        assume(found.reason is None)
        fed_in = sum((charge.amount for charge in before.charges if charge.kind == "export"), Decimal(0))

        told = {part.cause: part.amount for part in found.parts}

        days = (after.days - before.days) * (before.total - fed_in) / before.days
        assert abs(told[Cause.DAYS] - days) <= CENT
