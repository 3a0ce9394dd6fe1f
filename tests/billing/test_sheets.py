from decimal import Decimal

import pytest

from billing.admin.sheets import (
    after_act,
    components_of,
    fields_of,
    fields_of_post,
    new_fields,
    put_problems,
)
from billing.models import TariffComponent
from billing.services.versions import InvalidComponents, checked_components

NIGHT_ROW = [0] * 8 + [1] * 14 + [0] * 2
TWO_PERIODS = {
    "periods": [
        {"name": "Night", "tiers": [{"up_to": "100", "rate": "0.1"}, {"up_to": None, "rate": "0.15"}]},
        {"name": "Day", "tiers": [{"up_to": None, "rate": "0.3"}]},
    ],
    "weekday": [NIGHT_ROW] * 12,
    "weekend": [[0] * 24] * 12,
    "tiers_per": "day",
}


def stored(kind, terms, name="Electricity"):
    return TariffComponent(kind=kind, name=name, terms=terms)


def sent(fields):
    """The fields as a browser sends them."""
    data = {}
    for index, item in enumerate(fields):
        for name in ("kind", "name", "amount", "per", "tiers_per", "weekday", "weekend"):
            data[f"c{index}-{name}"] = getattr(item, name)
        for place, period in enumerate(item.periods):
            data |= {f"c{index}-p{place}-name": period.name, f"c{index}-p{place}-tiers": period.tiers}
    return data


class TestFields:
    @pytest.mark.parametrize(
        ("kind", "terms"),
        [
            ("energy", TWO_PERIODS),
            ("export", {"periods": [{"name": "", "tiers": [{"up_to": None, "rate": "0.05"}]}]}),
            ("demand", {"periods": [{"name": "", "tiers": [{"up_to": None, "rate": "9"}]}]}),
            ("fixed", {"amount": "0.275", "per": "day"}),
            ("minimum", {"amount": "5", "per": "month"}),
        ],
    )
    def test_come_back_from_the_form_as_the_same_component(self, kind, terms):
        written = fields_of([stored(kind, terms)])

        (component,) = checked_components(components_of(fields_of_post(sent(written))))

        assert (component.kind, component.name, component.terms) == (kind, "Electricity", terms)

    def test_write_tiers_and_tables_as_a_person_does(self):
        (fields,) = fields_of([stored("energy", TWO_PERIODS)])

        assert fields.periods[0].tiers == "0.1 to 100; 0.15"
        assert fields.weekday.splitlines()[0] == "000000001111111111111100"

    def test_put_each_problem_to_its_place(self):
        fields = fields_of([stored("energy", TWO_PERIODS), stored("fixed", {"amount": "many", "per": "day"}, "Supply")])
        fields[0].periods[0].tiers = "0.1 to 100; cheap"
        fields[0].weekday = fields[0].weekday.replace("1", "7", 1)

        with pytest.raises(InvalidComponents) as refused:
            checked_components(components_of(fields))
        rest = put_problems(fields, refused.value.errors)

        assert rest == []
        assert fields[0].periods[0].problems == ["Tier 2: A number is needed."]
        assert fields[0].problems["weekday"] == ["Line 1: There is no period 7: they go from 0 to 1."]
        assert fields[1].problems["amount"] == ["A number is needed."]


class TestActs:
    def test_add_a_component_of_a_kind(self):
        (added,) = after_act([], "add-fixed")

        assert (added.kind, added.name) == ("fixed", "Fixed charge")

    def test_remove_a_component(self):
        assert after_act([new_fields("fixed"), new_fields("energy")], "remove-0")[0].kind == "energy"

    def test_fill_the_tables_when_a_second_period_is_added(self):
        (energy,) = after_act([new_fields("energy")], "period-0")

        assert len(energy.periods) == 2
        assert energy.weekend.splitlines() == ["0" * 24] * 12

    def test_give_the_hours_of_a_removed_period_to_the_first(self):
        fields = fields_of([stored("energy", TWO_PERIODS)])
        after_act(fields, "period-0")

        (energy,) = after_act(fields, "unperiod-0-1")

        assert [period.name for period in energy.periods] == ["Night", ""]
        assert energy.weekday.splitlines()[0] == "0" * 24

    @pytest.mark.parametrize("act", ["remove-7", "unperiod-0-0", "add-gift", "", "period-"])
    def test_leave_everything_at_what_no_button_says(self, act):
        fields = [new_fields("energy")]

        assert after_act(fields, act) == [new_fields("energy")]


def test_an_amount_keeps_its_digits():
    (fields,) = fields_of([stored("fixed", {"amount": "10.00", "per": "month"}, "Supply")])

    assert Decimal(components_of([fields])[0].terms["amount"]) == 10
