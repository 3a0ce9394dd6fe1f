from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating.shares import counted_as, tier_shares
from billing.rating.terms import Component, EnergyTerms, Kind, RatePeriod, Tier

ALL = (Tier(None, Decimal("0.1")),)
energies = st.lists(st.decimals(min_value=0, max_value=3, places=6), max_size=60)
limits = st.lists(st.decimals(min_value="0.1", max_value=90, places=3), min_size=1, max_size=4, unique=True).map(sorted)
reached = st.decimals(min_value=0, max_value=100, places=6)


def shares(*kwh: str, reached: str = "0", lower: str = "0", upper: str | None = None) -> list[str]:
    found = tier_shares(
        [Decimal(each) for each in kwh],
        reached=Decimal(reached),
        lower=Decimal(lower),
        upper=None if upper is None else Decimal(upper),
    )
    return [f"{share.normalize():f}" for share in found]


def component(name: str, *periods: str, kind: Kind = Kind.ENERGY) -> Component:
    return Component(uuid4(), kind, name, EnergyTerms(tuple(RatePeriod(period, ALL) for period in periods)))


class TestTierShares:
    def test_cut_the_half_hour_in_which_a_limit_is_reached(self):
        assert shares("0.6", "0.6", "0.6", upper="1") == ["0.6", "0.4", "0"]
        assert shares("0.6", "0.6", "0.6", lower="1") == ["0", "0.2", "0.6"]

    def test_count_on_from_what_was_reached_before(self):
        assert shares("0.6", "0.6", reached="0.7", lower="1", upper="1.5") == ["0.3", "0.2"]

    def test_may_give_one_half_hour_to_several_tiers(self):
        assert [shares("5", lower=lower, upper=upper) for lower, upper in (("0", "1"), ("1", "3"), ("3", None))] == [
            ["1"],
            ["2"],
            ["2"],
        ]

    @given(energies=energies, limits=limits, reached=reached)
    def test_give_every_half_hour_away_exactly_once(self, energies, limits, reached):
        tiers = zip([Decimal(0), *limits], [*limits, None], strict=True)
        given_away = [list(tier_shares(energies, reached=reached, lower=lower, upper=upper)) for lower, upper in tiers]

        assert [sum(parts) for parts in zip(*given_away, strict=True)] == energies
        assert all(share >= 0 for tier in given_away for share in tier)


class TestCountedAs:
    def test_is_the_same_of_components_of_one_name_in_two_versions(self):
        before, after = component("Steps", "Day", "Night"), component("Steps", "Night", "Day")

        assert counted_as([before], before, 0) == counted_as([after], after, 1)

    @pytest.mark.parametrize(
        "other", [component("Adder", "Day"), component("Steps", "Day", kind=Kind.EXPORT), component("Steps", "Peak")]
    )
    def test_differs_by_name_kind_and_period(self, other):
        own = component("Steps", "Day")

        assert counted_as([own], own, 0) != counted_as([other], other, 0)

    def test_tells_components_and_periods_of_one_name_apart(self):
        first, second = component("Steps", "Day", "Day"), component("Steps", "Day")

        found = {
            counted_as([first, second], first, 0),
            counted_as([first, second], first, 1),
            counted_as([first, second], second, 0),
        }

        assert len(found) == 3
