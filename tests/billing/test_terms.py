from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating.terms import (
    DemandTerms,
    EnergyTerms,
    FixedTerms,
    InvalidTerms,
    Kind,
    MinimumTerms,
    Per,
    RatePeriod,
    Tier,
    decode,
    encode,
    flat_terms,
)

prices = st.decimals(min_value=-100, max_value=100, places=5)
amounts = st.decimals(min_value=0, max_value=1000, places=4)


@st.composite
def rate_periods(draw):
    limits = sorted(draw(st.sets(st.decimals(min_value=1, max_value=5000, places=2), max_size=3)))
    return RatePeriod(draw(st.text(max_size=10)), tuple(Tier(limit, draw(prices)) for limit in [*limits, None]))


@st.composite
def priced(draw, made):
    periods = tuple(draw(st.lists(rate_periods(), min_size=1, max_size=4)))
    rows = st.tuples(*[st.tuples(*[st.integers(0, len(periods) - 1)] * 24)] * 12)
    return made(periods, draw(rows), draw(rows))


terms = st.one_of(
    st.tuples(st.sampled_from([Kind.ENERGY, Kind.EXPORT]), priced(EnergyTerms)),
    st.tuples(st.just(Kind.DEMAND), priced(DemandTerms)),
    st.tuples(st.just(Kind.FIXED), st.builds(FixedTerms, amounts, st.sampled_from(Per))),
    st.tuples(st.just(Kind.MINIMUM), st.builds(MinimumTerms, amounts, st.sampled_from(Per))),
)


class TestTerms:
    @given(terms)
    def test_are_read_as_they_were_written(self, made):
        kind, written = made

        assert decode(kind, encode(written)) == written

    def test_of_a_flat_rate_need_no_tables(self):
        assert encode(flat_terms(Decimal("0.2895"))) == {
            "periods": [{"name": "", "tiers": [{"up_to": None, "rate": "0.2895"}]}]
        }

    @pytest.mark.parametrize(
        ("kind", "data", "problems"),
        [
            ("energy", [], {"An object is needed."}),
            ("energy", {}, {"periods: At least one period is needed."}),
            ("fixed", {"amount": "x", "per": "week"}, {"amount: A number is needed.", "per: Either day or month."}),
            ("fixed", {"amount": "-1", "per": "day"}, {"amount: A number from 0 to 1000000000 is needed."}),
            ("minimum", {"amount": True, "per": "day"}, {"amount: A number is needed."}),
            ("fixed", {"amount": "0.12345678901", "per": "day"}, {"amount: At most 10 decimals."}),
            (
                "minimum",
                {"amount": "1", "per": "day", "rate": "2"},
                {"rate: A component of kind minimum has no such member."},
            ),
            (
                "energy",
                {"periods": [{"name": "", "tiers": [{"up_to": None, "rate": "1"}, {"up_to": "5", "rate": "NaN"}]}]},
                {
                    "periods[0].tiers[0].up_to: Only the last tier has no end.",
                    "periods[0].tiers[1].up_to: The last tier has no end.",
                    "periods[0].tiers[1].rate: A number from -1000000000 to 1000000000 is needed.",
                },
            ),
            (
                "energy",
                {
                    "periods": [
                        {
                            "name": "",
                            "tiers": [
                                {"up_to": "5", "rate": "1"},
                                {"up_to": "5", "rate": "1"},
                                {"up_to": None, "rate": 1},
                            ],
                        }
                    ]
                },
                {"periods[0].tiers[1].up_to: It must lie above 5."},
            ),
            (
                "demand",
                {
                    "periods": [{"name": "", "tiers": [{"up_to": None, "rate": "1"}]}],
                    "weekday": [[0] * 24] * 11,
                    "weekend": [[0] * 24] * 11 + [[1] * 24],
                },
                {
                    "weekday: 12 rows are needed, one a month.",
                    "weekend[11]: There is no period 1: they go from 0 to 0.",
                },
            ),
        ],
    )
    def test_are_refused_with_every_problem_named(self, kind, data, problems):
        with pytest.raises(InvalidTerms) as refused:
            decode(kind, data)

        assert {str(problem) for problem in refused.value.problems} >= problems
