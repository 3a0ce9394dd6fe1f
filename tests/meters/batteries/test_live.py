import json
from datetime import UTC, datetime, timedelta

import pytest

from meters.batteries.decoding import Reading
from meters.batteries.models import Battery, BatteryState, BmsReading, PcsReading
from meters.batteries.quantities import NAMES, System
from meters.batteries.services import news
from meters.batteries.services.live import Outcome, take_readings
from meters.batteries.services.telling import teller
from meters.series.columns import EPOCH
from tests.factories import BatteryFactory, DataSourceFactory

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(minutes=1)


def reading(battery: str, at: datetime = NOON, system: System = System.BMS, creator: int | None = None, **told: float):
    values = tuple(told.get(name) for name in NAMES[system])
    return Reading(system, battery, (at - EPOCH) // timedelta(microseconds=1), values, creator)


def take(*readings: Reading) -> list[Outcome]:
    return take_readings(readings=readings, now=NOW)


@pytest.fixture
def heard(monkeypatch):
    """What is told, from now on; what was told before is forgotten."""
    told = []
    monkeypatch.setattr(news, "_listeners", [told.extend])
    teller.forget()
    yield told
    teller.forget()


@pytest.mark.django_db
class TestTakeReadings:
    def test_stores_both_systems_of_many_batteries(self):
        one, other = BatteryFactory.create_batch(2)

        outcomes = take(
            reading(one.battery_id, soc=50.1),
            reading(other.battery_id, system=System.PCS, dc_voltage=830.0),
            reading(one.battery_id, system=System.PCS, dc_voltage=831.0),
            reading(one.battery_id, soc=50.1),
            reading(one.battery_id, soc=51),
        )

        assert outcomes == ["stored", "stored", "stored", "duplicate", "conflict"]
        assert list(BmsReading.objects.values_list("battery", "soc_percent", "voltage_v")) == [(one.pk, 50.1, None)]
        assert dict(PcsReading.objects.values_list("battery", "dc_voltage_v")) == {one.pk: 831, other.pk: 830}
        assert BatteryState.objects.get(battery=one).heard_at == NOW

    def test_judges_each_by_its_battery_and_its_time(self):
        known = BatteryFactory().battery_id
        retired = BatteryFactory(status="retired", retired_at=NOW).battery_id

        outcomes = take(
            reading("nobody", soc=1),
            reading("no\0body", soc=1),
            reading(retired, soc=1),
            reading(known, datetime(1999, 12, 31, tzinfo=UTC), soc=1),
            reading(known, NOW + timedelta(minutes=5), soc=1),
            reading(known, NOW + timedelta(minutes=5, microseconds=1), soc=1),
        )

        assert outcomes == [
            "unknown_battery",
            "unknown_battery",
            "retired_battery",
            "too_old",
            "stored",
            "in_future",
        ]
        assert BmsReading.objects.count() == 1

    def test_creates_what_a_source_may_create_and_only_for_what_is_taken(self):
        source = DataSourceFactory(may_create_devices=True)

        outcomes = take(
            reading("B1", soc=1, creator=source.pk),
            reading("B1", NOON + timedelta(seconds=1), soc=1, creator=source.pk),
            reading("B 2", soc=1, creator=source.pk),
            reading("B3", datetime(1999, 12, 31, tzinfo=UTC), soc=1, creator=source.pk),
        )

        assert outcomes == ["stored", "stored", "unknown_battery", "unknown_battery"]
        assert [battery.battery_id for battery in Battery.objects.all()] == ["B1"]
        assert Battery.history.count() == 1

    def test_costs_the_same_however_many_batteries_there_are(self, django_assert_max_num_queries):
        batteries = BatteryFactory.create_batch(20)
        take(reading(batteries[0].battery_id, soc=1))

        with django_assert_max_num_queries(5):
            take(*[reading(battery.battery_id, NOON + timedelta(seconds=1), soc=1) for battery in batteries])


@pytest.mark.django_db
class TestNews:
    def test_are_the_published_reading_as_short_as_it_is_stored(self, heard, django_capture_on_commit_callbacks):
        battery = BatteryFactory()

        with django_capture_on_commit_callbacks(execute=True):
            take(reading(battery.battery_id, soc=50.1, cell_max_voltage=1 / 3, current=-1e-6))

        [told] = heard
        assert (told.battery_pk, told.system, told.at) == (battery.pk, "bms", NOON)
        assert told.text.startswith('{"timestamp":"2025-03-01T12:00:00Z","soc":50.1,"soh":null,')
        document = json.loads(told.text)
        assert list(document) == ["timestamp", *NAMES[System.BMS]]
        assert (document["cell_max_voltage"], document["current"]) == (0.33333334, -1e-6)

    def test_come_after_the_commit_newer_each_time_and_once(self, heard, django_capture_on_commit_callbacks):
        name = BatteryFactory().battery_id
        steps = [NOON + timedelta(seconds=second) for second in (1, 0, 1, 3, 2)]

        for at in steps:
            before = len(heard)
            with django_capture_on_commit_callbacks(execute=True):
                take(reading(name, at, soc=50))
                assert len(heard) == before

        assert [told.at for told in heard] == [steps[0], steps[3]]

    def test_are_the_newest_of_many_in_the_order_of_their_times(self, heard, django_capture_on_commit_callbacks):
        one, other = BatteryFactory.create_batch(2)
        times = [NOON - timedelta(seconds=second) for second in range(30)]

        with django_capture_on_commit_callbacks(execute=True):
            take(*[reading(one.battery_id, at, soc=50) for at in times], reading(other.battery_id, soc=50))

        assert [told.at for told in heard if told.battery_pk == one.pk] == sorted(times)[-20:]
        assert [told.at for told in heard if told.battery_pk == other.pk] == [NOON]
