from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.actors import PORTAL
from energy_portal.shared.clock import HALF_HOUR, Period
from meters.models import RegisterReading
from meters.selectors.consumption import Granularity, meter_consumption
from meters.selectors.portfolio import Wanted, meters_portfolio
from meters.services.chain import exchange_meter
from meters.services.corrections import correct_reading
from meters.services.readings import OfferedReading, receive_readings
from meters.services.rollups import roll_up_pending
from tests.factories import RegisterFactory, supplied_register

SGT = ZoneInfo("Asia/Singapore")
MARCH = datetime(2025, 3, 1, tzinfo=SGT)
NOW = datetime(2025, 3, 15, 4, 10, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def at(days, half_hours=0):
    return MARCH + days * timedelta(days=1) + half_hours * HALF_HOUR


def offer(register, *rows):
    offered = [OfferedReading(register.meter.serial, time, value, register.code) for time, value in rows]
    return receive_readings(readings=offered, actor=PORTAL, now=NOW)


def wanted(days, granularity):
    return Wanted(Period(at(0), at(days)), granularity, NOW, SGT)


marks = st.integers(0, 5 * 48)
batches = st.lists(st.sets(marks, min_size=1, max_size=120), min_size=1, max_size=3)


class TestAnyHistory:
    """Days summed ahead, with whatever waits to be summed, tell the same as all readings do."""

    @settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
    @given(data=st.data())
    def test_is_told_alike_by_days_and_by_curves(self, data, fresh_place):
        place, registers = fresh_place()
        energies = data.draw(st.lists(st.integers(0, 3_000), min_size=5 * 48, max_size=5 * 48))
        shown = [Decimal(sum(energies[:mark])).scaleb(-3) for mark in range(5 * 48 + 1)]
        exchanged = data.draw(st.none() | st.integers(49, 4 * 48))
        for number, batch in enumerate(data.draw(batches)):
            self.send(registers, batch, shown, exchanged if number or exchanged is None else None)
            if number == 0 and exchanged is not None:
                self.exchange(place, registers, shown, exchanged)
            if data.draw(st.booleans()):
                roll_up_pending(now=NOW)
        if data.draw(st.booleans()):
            self.correct(registers[0], data.draw(marks))

        for granularity in (None, Granularity.DAY, Granularity.WEEK, Granularity.MONTH):
            for register in registers:
                by_days = meters_portfolio(meters=[register.meter], wanted=wanted(6, granularity)).total
                by_curves = meter_consumption(
                    meter=register.meter, period=Period(at(0), at(6)), granularity=granularity, now=NOW, zone=SGT
                )
                assert self.told(by_days) == self.told(by_curves)

    @staticmethod
    def told(consumption):
        series = [(each.start, each.quantity, each.estimated) for each in consumption.series]
        return consumption.quantity, consumption.complete, consumption.estimated_share, series

    @staticmethod
    def send(registers, batch, shown, exchanged):
        for mark in sorted(batch):
            after = exchanged is not None and mark > exchanged
            value = shown[mark] - (shown[exchanged] if after else 0)
            offer(registers[1 if after else 0], (at(0, mark), value))

    @staticmethod
    def exchange(place, registers, shown, mark):
        old, new = registers
        RegisterReading.objects.filter(register=old, time__gt=at(0, mark)).delete()
        exchange_meter(
            service_point=place,
            last_reads={old.pk: shown[mark]},
            new_meter=new.meter,
            first_reads={new.pk: Decimal(0)},
            at=at(0, mark),
            actor=PORTAL,
            now=NOW,
        )

    @staticmethod
    def correct(register, mark):
        """Withdraw the first reading from a mark on, if there is one."""
        standing = RegisterReading.objects.filter(register=register, time__gte=at(0, mark)).order_by("time").first()
        if standing is not None:
            correct_reading(register=register, time=standing.time, value=None, reason="misread", actor=PORTAL, now=NOW)


@pytest.fixture
def fresh_place():
    """Return what makes a fresh place with a meter, and a spare one, for each example."""

    def make():
        register = supplied_register()
        return register.meter.installations.get().service_point, (register, RegisterFactory())

    return make
