from datetime import UTC, datetime, timedelta
from decimal import Decimal
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from energy_portal.shared.clock import HALF_HOUR, Period
from meters import tasks
from meters.models import ReadingWork, RegisterDay, RegisterReading
from meters.selectors.consumption import Granularity
from meters.selectors.portfolio import (
    MixedUnits,
    Wanted,
    accounts_portfolio,
    class_consumption,
    common_zone,
    meters_portfolio,
)
from meters.services import rollups
from meters.services.chain import change_multiplier, exchange_meter
from meters.services.readings import OfferedReading, receive_readings
from meters.services.rollups import roll_up_pending
from meters.services.worklog import log_work
from tests.factories import (
    BindingFactory,
    MeterFactory,
    PremisesFactory,
    RegisterFactory,
    ServicePointFactory,
    since,
    supplied_register,
)
from tests.meters.helpers import store_reading

SGT = ZoneInfo("Asia/Singapore")
MARCH = datetime(2025, 3, 1, tzinfo=SGT)
NOW = datetime(2025, 3, 15, 4, 10, tzinfo=UTC)
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def at(days, half_hours=0):
    return MARCH + days * DAY + half_hours * HALF_HOUR


def offer(register, *rows, now=NOW):
    offered = [OfferedReading(register.meter.serial, time, value, register.code) for time, value in rows]
    return receive_readings(readings=offered, actor=PORTAL, now=now)


def steady(register, first, last, *, per_day=24, start=1000):
    """Let a dial grow by so much a day, half-hour by half-hour, from one day to another."""
    marks = range(first * 48, last * 48 + 1)
    report = offer(register, *((at(0, mark), start + Decimal(mark) * per_day / 48) for mark in marks))
    assert not report.rejected


def roll_up():
    while roll_up_pending(now=NOW):
        pass


def days_of(register):
    found = RegisterDay.objects.filter(register=register).order_by("time")
    return [(day.time.astimezone(SGT), day.until.astimezone(SGT), day.energy) for day in found]


def wanted(days=14, granularity=Granularity.DAY, **more):
    return Wanted(Period(at(0), at(days)), granularity, NOW, SGT, **more)


class TestRollUpPending:
    def test_sums_the_local_days_that_were_written(self):
        register = supplied_register()
        steady(register, 0, 2)

        assert roll_up_pending(now=NOW) > 0

        assert days_of(register) == [(at(0), at(1), 24), (at(1), at(2), 24)]
        assert not ReadingWork.objects.filter(purpose="rollup").exists()
        day = RegisterDay.objects.filter(register=register).earliest("time")
        assert (day.known_energy, day.estimated_energy, day.half_hours_known, day.quality) == (24, 0, 48, 17)
        assert day.computed_at == NOW

    def test_does_nothing_when_nothing_waits(self):
        assert roll_up_pending(now=NOW) == 0

    def test_leaves_other_work_alone(self):
        offer(supplied_register(), (at(0), 1))

        roll_up()

        left = set(ReadingWork.objects.values_list("purpose", flat=True))
        assert "validation" in left
        assert "rollup" not in left

    def test_keeps_what_is_known_of_a_day_that_is_not_whole(self):
        register = supplied_register()
        offer(register, (at(0), 10), (at(0, 1), 11), (at(0, 9), 14))

        roll_up()

        day = RegisterDay.objects.get(register=register)
        assert (day.energy, day.known_energy, day.half_hours_known) == (None, 4, 1)

    def test_sums_a_day_anew_when_late_data_come(self):
        register = supplied_register()
        offer(register, (at(0), 10), (at(2), 30))
        roll_up()
        assert days_of(register) == []

        offer(register, (at(1), 18))
        roll_up()

        assert days_of(register) == [(at(0), at(1), 8), (at(1), at(2), 12)]

    def test_cuts_days_at_an_exchange_and_forgets_what_was_counted_beyond_it(self):
        register = supplied_register()
        steady(register, 0, 3)
        roll_up()
        new = RegisterFactory()
        place = register.meter.installations.get().service_point

        exchange_meter(
            service_point=place,
            last_reads={register.pk: Decimal(1036)},
            new_meter=new.meter,
            first_reads={new.pk: Decimal(7)},
            at=at(1, 24),
            actor=PORTAL,
            now=NOW,
        )
        offer(new, (at(2), 19), (at(3), 43))
        roll_up()

        assert days_of(register) == [(at(0), at(1), 24), (at(1), at(1, 24), 12)]
        assert days_of(new) == [(at(1, 24), at(2), 12), (at(2), at(3), 24)]

    def test_applies_a_multiplier_from_when_on_it_holds(self):
        register = supplied_register()
        steady(register, 0, 3)
        roll_up()

        change_multiplier(
            register=register, multiplier=Decimal(10), value=Decimal(1024), at=at(1), actor=PORTAL, now=NOW
        )
        roll_up()

        assert [energy for _, _, energy in days_of(register)] == [24, 240, 240]

    def test_sums_half_hours_of_an_interval_register(self):
        register = supplied_register(kind="interval")
        for mark in range(1, 97):
            if mark != 60:
                store_reading(register, at(0, mark), "0.5")
        log_work(register_ids=[register.pk], low=at(0), high=at(2), now=NOW)

        roll_up()

        assert days_of(register) == [(at(0), at(1), 24), (at(1), at(2), None)]
        day = RegisterDay.objects.filter(register=register).latest("time")
        assert (day.known_energy, day.half_hours_known) == (Decimal("23.5"), 47)

    @pytest.mark.parametrize(("first", "hours"), [(datetime(2025, 3, 30), 23), (datetime(2024, 10, 27), 25)])
    def test_knows_days_of_the_clock_change(self, first, hours):
        berlin = ZoneInfo("Europe/Berlin")
        register = supplied_register()
        place = register.meter.installations.get().service_point
        place.premises = PremisesFactory(zone="Europe/Berlin")
        place.save()
        start = first.replace(tzinfo=berlin)
        for mark in (-1, 0, 1, 2):
            instant = (start + mark * DAY).astimezone(UTC)
            store_reading(register, instant, 100 + Decimal((instant - start.astimezone(UTC)) // timedelta(hours=1)))
        log_work(register_ids=[register.pk], low=start - DAY, high=start + 2 * DAY, now=NOW)

        roll_up()

        assert [energy for _, _, energy in days_of(register)] == [24, hours, 24]

    def test_parts_work_that_is_too_much_for_once(self):
        registers = [supplied_register() for _ in range(3)]
        for register in registers:
            offer(register, (at(0), 10), (at(1), 18))
        ReadingWork.objects.all().delete()
        log_work(register_ids=[each.pk for each in registers], low=at(0), high=at(1), now=NOW)

        with mock.patch.object(rollups, "CHUNK_HALF_HOURS", 300):
            calls = [roll_up_pending(now=NOW) for _ in range(3)]

        assert calls == [1, 1, 0]
        assert [days_of(each) for each in registers] == [[(at(0), at(1), 8)]] * 3

    def test_costs_as_many_queries_for_many_registers_as_for_one(self):
        counts = []
        for count in (1, 6):
            for _ in range(count):
                offer(supplied_register(), (at(0), 10), (at(1), 18))
            with CaptureQueriesContext(connection) as queries:
                assert roll_up_pending(now=NOW) == count
            counts.append(len(queries))

        assert counts[0] >= counts[1]

    def test_is_what_the_task_does_until_nothing_waits(self, time_machine):
        time_machine.move_to(NOW, tick=False)
        register = supplied_register()
        offer(register, (at(0), 10), (at(1), 18))

        tasks.settle()

        assert days_of(register) == [(at(0), at(1), 8)]


class TestPortfolio:
    def test_reads_no_readings_where_days_tell(self):
        registers = [supplied_register() for _ in range(2)]
        for register in registers:
            steady(register, 0, 3)
        roll_up()
        RegisterReading.objects.all().delete()

        found = meters_portfolio(meters=[each.meter for each in registers], wanted=wanted(3))

        assert (found.total.energy_kwh, found.total.complete) == (144, True)
        assert [each.energy_kwh for each in found.total.series] == [48, 48, 48]
        assert {each.energy_kwh for each in found.members.values()} == {Decimal(72)}

    def test_is_right_at_once_where_new_readings_wait_to_be_summed(self):
        register = supplied_register()
        steady(register, 0, 2)
        roll_up()
        steady(register, 2, 3)

        found = meters_portfolio(meters=[register.meter], wanted=wanted(3))

        assert (found.total.energy_kwh, found.total.complete) == (72, True)
        assert [each.energy_kwh for each in found.total.series] == [24, 24, 24]

    @pytest.mark.parametrize(("granularity", "expected"), [("week", [48, 24 * 5]), ("month", [168]), (None, [])])
    def test_adds_days_up_to_weeks_and_months(self, granularity, expected):
        register = supplied_register()
        steady(register, 0, 7)
        roll_up()

        found = meters_portfolio(meters=[register.meter], wanted=wanted(7, granularity and Granularity(granularity)))

        assert found.total.energy_kwh == 168
        assert [each.energy_kwh for each in found.total.series] == expected

    def test_of_accounts_counts_each_while_it_was_supplied(self):
        register = supplied_register()
        steady(register, 0, 4)
        roll_up()
        place = register.meter.installations.get().service_point
        place.bindings.update(valid=since(at(-30), at(1, 24)))
        before = place.bindings.get().account
        after = BindingFactory(service_point=place, valid=since(at(1, 24))).account

        found = accounts_portfolio(accounts=[before, after], commodity="electric", wanted=wanted(4))

        assert [each.energy_kwh for each in found.members.values()] == [36, 60]
        assert [each.energy_kwh for each in found.total.series] == [24, 24, 24, 24]

    def test_of_a_class_counts_its_places_up_to_last_midnight(self):
        homes, shop = [supplied_register() for _ in range(2)], supplied_register()
        shop.meter.installations.get().service_point.__class__.objects.filter(installations__meter=shop.meter).update(
            service_class="commercial"
        )
        for register in (*homes, shop):
            steady(register, 0, 14)
        roll_up()

        asked = wanted(31)
        residential, every = (
            class_consumption(commodity="electric", service_class=name, wanted=asked) for name in ("residential", None)
        )

        assert (residential.energy_kwh, residential.complete) == (2 * 14 * 24, True)
        assert residential.period.end == at(14)
        assert every.energy_kwh == 3 * 14 * 24
        assert class_consumption(commodity="water", service_class=None, wanted=asked).quantity is None

    def test_as_it_was_known_once_is_measured_from_readings(self):
        register = supplied_register()
        offer(register, (at(0), 10), now=at(1))
        offer(register, (at(1), 18), now=at(4))
        roll_up()

        then, now = (
            meters_portfolio(meters=[register.meter], wanted=wanted(1, as_of=as_of)).total.energy_kwh
            for as_of in (at(3), None)
        )

        assert (then, now) == (None, 8)

    def test_does_not_add_cubic_metres_to_energy(self):
        water = RegisterFactory(meter=MeterFactory(type="water"), unit="m³")
        place = ServicePointFactory(commodity="water")
        place.installations.create(meter=water.meter, valid=since(at(-30)))

        with pytest.raises(MixedUnits):
            meters_portfolio(meters=[supplied_register().meter, water.meter], wanted=wanted(1))

    def test_of_several_units_of_energy_is_told_together_in_kwh(self):
        meters = []
        for unit, end in (("kWh", 310), ("GJ", 13)):
            register = RegisterFactory(meter=MeterFactory(type="heat"), unit=unit, code="6-0:1.0.0")
            place = ServicePointFactory(commodity="heat")
            place.installations.create(meter=register.meter, valid=since(at(-30)))
            offer(register, (at(0), 10), (at(1), end))
            meters.append(register.meter)

        found = meters_portfolio(meters=meters, wanted=wanted(1))

        assert [each.unit for each in found.members.values()] == ["kWh", "GJ"]
        assert [each.quantity for each in found.members.values()] == [300, 3]
        assert (found.total.unit, round(found.total.quantity, 3)) == ("kWh", Decimal("1133.333"))

    def test_of_gas_holds_the_energy_of_each_place(self):
        meters = []
        for calorific in (36, 72):
            register = RegisterFactory(meter=MeterFactory(type="gas"), unit="m³", code="7-0:3.0.0")
            place = ServicePointFactory(commodity="gas", calorific_value_mj_m3=calorific)
            place.installations.create(meter=register.meter, valid=since(at(-30)))
            offer(register, (at(0), 10), (at(1), 20))
            meters.append(register.meter)
        roll_up()

        found = meters_portfolio(meters=meters, wanted=wanted(1)).total

        assert (found.unit, found.quantity, found.energy_kwh) == ("m³", 20, 300)
        assert (found.series[0].quantity, found.series[0].energy_kwh) == (20, 300)

    def test_costs_as_many_queries_for_many_meters_as_for_few(self):
        counts = []
        for count in (2, 8):
            registers = [supplied_register() for _ in range(count)]
            for register in registers:
                steady(register, 0, 1)
            roll_up()
            for register in registers:
                offer(register, (at(2), 1048))
            with CaptureQueriesContext(connection) as queries:
                meters_portfolio(meters=[each.meter for each in registers], wanted=wanted(3))
            counts.append(len(queries))

        assert counts[0] == counts[1]

    def test_lies_in_the_zone_that_its_places_share(self):
        assert str(common_zone(["Europe/Berlin"] * 2)) == "Europe/Berlin"
        assert str(common_zone(["Europe/Berlin", "Asia/Tokyo"])) == str(common_zone([])) == "Asia/Singapore"
