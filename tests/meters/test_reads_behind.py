from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from energy_portal.shared.clock import HALF_HOUR, Period
from meters.models import RegisterReading, SupersededReading
from meters.selectors.reads_behind import reads_behind
from meters.services.chain import exchange_meter
from tests.factories import MeterFactory, RegisterFactory, supplied_register
from tests.meters.helpers import store_reading

TEN = datetime(2025, 3, 3, 10, tzinfo=UTC)
DAY = Period(TEN, TEN + 12 * HALF_HOUR)
NOW = datetime(2025, 3, 10, 4, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def register():
    return supplied_register()


def place_of(register):
    return register.meter.installations.get().service_point


def behind(register, *starts, **options):
    found = reads_behind(service_point_id=place_of(register).pk, starts=starts or (TEN,), within=DAY, **options)
    return [[(str(read.value.normalize()), read.role) for read in each.reads] for each in found]


class TestReadsBehind:
    def test_names_both_ends_of_a_half_hour(self, register):
        for place, value in enumerate(("100", "101", "103")):
            store_reading(register, TEN + place * HALF_HOUR, value)

        found = behind(register, TEN, TEN + HALF_HOUR)

        assert found == [
            [("1E+2", "boundary"), ("101", "boundary")],
            [("101", "boundary"), ("103", "boundary")],
        ]

    def test_tells_the_least_trusted_quality(self, register):
        store_reading(register, TEN, "100")
        store_reading(register, TEN + HALF_HOUR, "101", quality=9)

        (found,) = reads_behind(service_point_id=place_of(register).pk, starts=[TEN], within=DAY)

        assert found.quality == 9

    def test_names_the_nearest_reads_around_a_long_gap(self, register):
        store_reading(register, TEN, "100")
        store_reading(register, DAY.end, "112")

        (found,) = reads_behind(service_point_id=place_of(register).pk, starts=[TEN + 4 * HALF_HOUR], within=DAY)

        assert found.quality is None
        assert [read.value for read in found.reads] == [Decimal(100), Decimal(112)]

    def test_names_the_reads_of_both_meters_of_an_exchange(self, register):
        store_reading(register, TEN, "100")
        successor = RegisterFactory(meter=MeterFactory(serial="SG-NEW"))
        exchange_meter(
            service_point=place_of(register),
            new_meter=successor.meter,
            at=TEN + timedelta(minutes=17),
            last_reads={register.pk: Decimal("100.3")},
            first_reads={successor.pk: Decimal("12.0")},
            actor=PORTAL,
            now=NOW,
        )
        store_reading(successor, TEN + HALF_HOUR, "12.1")

        (found,) = reads_behind(
            service_point_id=register.meter.installations.get().service_point_id, starts=[TEN], within=DAY
        )

        told = [(read.serial, read.value, read.role) for read in found.reads]
        assert told == [
            (register.meter.serial, Decimal(100), "boundary"),
            (register.meter.serial, Decimal("100.3"), "removed"),
            ("SG-NEW", Decimal("12.0"), "installed"),
            ("SG-NEW", Decimal("12.1"), "boundary"),
        ]

    def test_tells_what_was_known_then(self, register):
        store_reading(register, TEN, "100")
        reading = store_reading(register, TEN + HALF_HOUR, "101", received_at=TEN + HALF_HOUR)
        SupersededReading.objects.create(
            register_id=register.pk,
            time=reading.time,
            value=reading.value,
            quality=reading.quality,
            received_at=reading.received_at,
            superseded_at=NOW,
            reason="correction",
        )
        RegisterReading.objects.filter(register_id=register.pk, time=reading.time).update(value="102", received_at=NOW)

        assert behind(register)[0][1] == ("102", "boundary")
        assert behind(register, as_of=NOW - timedelta(days=1))[0][1] == ("101", "boundary")

    def test_says_nothing_where_nothing_is_known(self, register):
        assert behind(register) == [[]]

    def test_asks_no_more_of_the_database_for_more_half_hours(self, register):
        for place in range(9):
            store_reading(register, TEN + place * HALF_HOUR, str(100 + place))
        with CaptureQueriesContext(connection) as one:
            reads_behind(service_point_id=place_of(register).pk, starts=[TEN], within=DAY)
        with CaptureQueriesContext(connection) as eight:
            starts = [TEN + place * HALF_HOUR for place in range(8)]
            reads_behind(service_point_id=place_of(register).pk, starts=starts, within=DAY)

        assert len(one) == len(eight)
