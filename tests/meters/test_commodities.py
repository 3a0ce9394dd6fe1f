from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from accounts.roles import Scope
from energy_portal.shared.clock import HALF_HOUR, Period
from meters.selectors.consumption import Granularity, account_consumption, meter_consumption
from meters.selectors.quantities import QuantityRequest, metered_quantities
from tests.factories import (
    BindingFactory,
    CustomerAccountFactory,
    InstallationFactory,
    MeterFactory,
    RegisterFactory,
    ServicePointFactory,
    supplied_register,
)
from tests.meters.helpers import client_of, store_reading

SGT = ZoneInfo("Asia/Singapore")
MIDNIGHT = datetime(2025, 3, 3, tzinfo=SGT)
DAY = Period(MIDNIGHT, MIDNIGHT + timedelta(days=1))
NOW = datetime(2025, 3, 10, 4, tzinfo=UTC)
HOUR = Period(MIDNIGHT, MIDNIGHT + 2 * HALF_HOUR)

pytestmark = pytest.mark.django_db


def place(commodity, account, **values):
    """Return a meter of a commodity that hangs where an account is supplied with it."""
    point = ServicePointFactory(commodity=commodity, **values)
    BindingFactory(service_point=point, account=account)
    meter = MeterFactory(type=commodity)
    InstallationFactory(meter=meter, service_point=point)
    return meter


def half_hours(register, *energies):
    for count, energy in enumerate(energies, start=1):
        if energy is not None:
            store_reading(register, MIDNIGHT + count * HALF_HOUR, energy)


def dial(register, first, last, *, period=DAY):
    store_reading(register, period.start, first)
    store_reading(register, period.end, last)


@pytest.fixture
def account():
    return CustomerAccountFactory()


@pytest.fixture
def asked(account):
    """Return what an account used that day, of a commodity."""

    def ask(commodity="electric", granularity=None):
        return account_consumption(account=account, period=DAY, granularity=granularity, now=NOW, commodity=commodity)

    return ask


class TestIntervalRegister:
    @pytest.fixture
    def register(self, account):
        return supplied_register(account=account, kind="interval", code="1.29.0")

    def test_is_counted_half_hour_by_half_hour(self, register, asked):
        half_hours(register, *["0.5"] * 48)

        day = asked(granularity=Granularity.HALF_HOUR)

        assert [each.energy_kwh for each in day.series] == [Decimal("0.5")] * 48
        assert (day.energy_kwh, day.complete, day.unit, day.quantity) == (24, True, "kWh", 24)

    def test_leaves_a_half_hour_that_is_missing_unknown(self, register, asked):
        half_hours(register, *["0.5"] * 20, None, *["0.5"] * 27)

        day, whole = asked(granularity=Granularity.HALF_HOUR), asked(granularity=Granularity.DAY)

        assert [each.energy_kwh for each in day.series].index(None) == 20
        assert (day.energy_kwh, day.complete) == (whole.energy_kwh, whole.complete) == (Decimal("23.5"), False)
        assert whole.series[0].energy_kwh is None

    def test_makes_a_bill_that_says_what_its_half_hours_add_up_to(self, register, account):
        half_hours(register, *["0.5"] * 48)

        [quantity] = metered_quantities(
            requests=[QuantityRequest(account_id=account.pk, cuts=(DAY.start, DAY.end))], now=NOW
        )[account.pk]

        assert (quantity.energy_kwh, quantity.complete) == (24, True)
        assert [(read.time, read.value, read.role) for read in quantity.reads] == [
            (DAY.start, 0, "summed"),
            (DAY.end, 24, "summed"),
        ]

    def test_beside_a_dial_is_counted_only_where_the_dial_does_not_tell(self, register, asked):
        total = RegisterFactory(meter=register.meter)
        dial(total, 100, 130)
        half_hours(register, *["0.5"] * 48)

        day = asked(granularity=Granularity.HALF_HOUR)

        assert (day.energy_kwh, day.complete) == (30, True)
        assert {each.energy_kwh for each in day.series} == {Decimal("0.5")}


class TestCommodities:
    def test_are_told_apart(self, account, asked):
        dial(RegisterFactory(meter=place("electric", account)), 100, 112)
        dial(RegisterFactory(meter=place("water", account), unit="m³", code="8.1.0"), 7, "7.4")

        assert (asked().energy_kwh, asked().unit) == (12, "kWh")
        assert (asked("water").quantity, asked("water").unit) == (Decimal("0.4"), "m³")

    def test_of_water_hold_no_energy(self, account, asked):
        dial(RegisterFactory(meter=place("water", account), unit="m³"), 7, "7.4")

        assert (asked("water").energy_kwh, asked("water").complete) == (None, True)

    def test_of_gas_hold_energy_by_what_is_supplied_there(self, account, asked):
        gas = {"calorific_value_mj_m3": Decimal("39.5"), "volume_correction": Decimal("1.02264")}
        dial(RegisterFactory(meter=place("gas", account, **gas), unit="m³"), 0, 100)

        day = asked("gas", Granularity.DAY)

        assert (day.quantity, day.unit, day.energy_kwh) == (100, "m³", Decimal("1122.063333"))
        assert (day.series[0].quantity, day.series[0].energy_kwh) == (100, Decimal("1122.063333"))

    def test_of_gas_hold_unknown_energy_where_nobody_says_what_is_supplied(self, account, asked):
        dial(RegisterFactory(meter=place("gas", account), unit="m³"), 0, 100)

        assert (asked("gas").quantity, asked("gas").energy_kwh) == (100, None)

    def test_of_heat_in_gigajoules_hold_energy(self, account, asked):
        dial(RegisterFactory(meter=place("heat", account), unit="GJ"), 0, "3.6")

        assert (asked("heat").quantity, asked("heat").unit, asked("heat").energy_kwh) == (Decimal("3.6"), "GJ", 1000)

    def test_of_heat_in_two_units_are_added_up_as_kwh(self, account, asked):
        dial(RegisterFactory(meter=place("heat", account), unit="GJ"), 0, "3.6")
        dial(RegisterFactory(meter=place("heat", account), unit="kWh"), 0, "500")

        assert (asked("heat").quantity, asked("heat").unit) == (1500, "kWh")

    def test_of_heat_do_not_count_the_water_that_carries_it(self, account, asked):
        meter = place("heat", account)
        dial(RegisterFactory(meter=meter, unit="m³", code="6.2.0"), 0, 40)
        dial(RegisterFactory(meter=meter, unit="kWh", code="6.8.0"), 0, 500)

        assert asked("heat").quantity == 500

    def test_that_nobody_counts_have_their_usual_unit(self, asked):
        assert [asked(name).unit for name in ("electric", "water", "gas", "heat")] == ["kWh", "m³", "m³", "kWh"]


class TestAnswers:
    @pytest.fixture(autouse=True)
    def clock(self, time_machine):
        time_machine.move_to(NOW, tick=False)

    @pytest.fixture
    def get(self):
        client = client_of(scopes=[Scope.QUERIES])
        return lambda path, **query: client.get(path, {"from": DAY.start, "to": DAY.end, **query}).json()

    def test_of_an_electric_meter_say_kwh_and_nothing_beside_it(self, account, get):
        register = supplied_register(account=account)
        dial(register, 100, "112.5")

        answer = get(f"/api/v1/meters/{register.meter.serial}/consumption", granularity="day")

        assert (answer["unit"], answer["consumption"], answer["consumption_kwh"]) == ("kWh", 12.5, 12.5)
        assert answer["series"] == [{"from": "2025-03-03T00:00:00+08:00", "kwh": 12.5, "quality": 17}]

    def test_of_a_gas_meter_say_what_was_counted_beside_its_energy(self, account, get):
        meter = place("gas", account, calorific_value_mj_m3=36)
        dial(RegisterFactory(meter=meter, unit="m³"), 0, 100)

        answer = get("/get_consumption", meter_id=meter.serial, granularity="day")

        assert (answer["unit"], answer["consumption"], answer["consumption_kwh"]) == ("m³", 100, 1000)
        assert answer["series"] == [{"from": "2025-03-03T00:00:00+08:00", "kwh": 1000, "quality": 17, "value": 100}]

    def test_of_an_accounts_water_are_given_when_asked_for(self, account, get):
        dial(RegisterFactory(meter=place("water", account), unit="m³"), 7, "7.4")

        answer = get("/get_consumption", account_id=account.number, commodity="water")

        assert (answer["unit"], answer["consumption"], answer["consumption_kwh"]) == ("m³", 0.4, None)

    @pytest.mark.parametrize("path", ["consumption", "profile"])
    def test_of_exports_are_what_went_out(self, account, get, path):
        register = supplied_register(account=account)
        dial(register, 100, 101, period=HOUR)
        dial(RegisterFactory(meter=register.meter, code="2.8.0", direction="export"), 50, 53, period=HOUR)

        answers = [
            get(f"/api/v1/meters/{register.meter.serial}/{path}", to=HOUR.end, direction=direction)
            for direction in ("import", "export")
        ]

        assert [(answer["direction"], answer["consumption_kwh"]) for answer in answers] == [
            ("import", 1),
            ("export", 3),
        ]

    def test_of_exports_are_told_of_accounts_too(self, account, get):
        register = supplied_register(account=account)
        dial(RegisterFactory(meter=register.meter, code="2.8.0", direction="export"), 50, 53)

        answer = get("/get_consumption", account_id=account.number, direction="export")

        assert (answer["direction"], answer["consumption_kwh"]) == ("export", 3)

    def test_follow_the_newest_half_hour_of_water(self, account, get, time_machine):
        meter = place("water", account)
        half_hours(RegisterFactory(meter=meter, unit="m³", kind="interval"), "0.01", "0.02")
        time_machine.move_to(DAY.start + timedelta(hours=3), tick=False)

        answer = client_of(scopes=[Scope.QUERIES]).get(
            f"/get_consumption?meter_id={meter.serial}&period=last_30_minutes"
        )

        assert (answer.json()["period"]["from"], answer.json()["consumption"]) == ("2025-03-03T00:30:00+08:00", 0.02)


def test_a_meter_that_went_elsewhere_counts_in_both_places_energies(account):
    meter = place("gas", account, calorific_value_mj_m3=36)
    meter.installations.update(valid=(DAY.start - timedelta(days=9), HOUR.end))
    InstallationFactory(
        meter=meter,
        service_point=ServicePointFactory(commodity="gas", calorific_value_mj_m3=72),
        valid=(HOUR.end, None),
    )
    half_hours(RegisterFactory(meter=meter, unit="m³", kind="interval"), "1", "1", "1", "1")

    consumption = meter_consumption(
        meter=meter, period=Period(DAY.start, DAY.start + 4 * HALF_HOUR), granularity=None, now=NOW
    )

    assert (consumption.quantity, consumption.energy_kwh) == (4, 60)
