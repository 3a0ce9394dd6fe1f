from datetime import UTC, datetime, timedelta

import pytest

from meters.devices.decoding import Sample
from meters.devices.models import ArchivedDay, Device, DeviceSample, LateSample, RollupMark, TouchedHour
from meters.devices.services import messages
from meters.devices.services.messages import Outcome, take_samples
from meters.devices.store import DEVICE_SAMPLES
from meters.series.errors import MissingPartition
from meters.series.partitions import list_partitions
from tests.factories import DataSourceFactory, DeviceFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 1, 1, 12, tzinfo=UTC)


def us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def sample(name="plug-1", at=NOW, **told):
    return Sample(name, us(at), **(told or {"power_w": 100.0}))


def take(*samples, now=NOW):
    return take_samples(samples=samples, now=now)


def stored():
    return list(DeviceSample.objects.order_by("device_id", "time").values_list("device__device_id", "time", "power_w"))


class TestTakeSamples:
    def test_stores_each_sample_once_however_often_it_comes(self):
        DeviceFactory(device_id="plug-1")
        first = take(sample(), sample(at=NOW - timedelta(seconds=1), power_w=90.0))

        again = take(sample(), sample(at=NOW - timedelta(seconds=1), power_w=90.0))

        assert first == [Outcome.STORED, Outcome.STORED]
        assert again == [Outcome.DUPLICATE, Outcome.DUPLICATE]
        assert stored() == [("plug-1", NOW - timedelta(seconds=1), 90.0), ("plug-1", NOW, 100.0)]

    def test_joins_what_a_second_sample_of_the_same_time_tells_and_stamps_it_anew(self):
        DeviceFactory(device_id="plug-1")
        take(sample(power_w=100.0))
        later = NOW + timedelta(seconds=30)

        outcomes = take(sample(temperature_c=21.5, switch=True), now=later)

        row = DeviceSample.objects.get()
        assert outcomes == [Outcome.STORED]
        assert (row.power_w, row.temperature_c, row.switch, row.received_at) == (100.0, 21.5, True, later)

    def test_keeps_the_first_value_and_tells_of_the_conflict(self):
        DeviceFactory(device_id="plug-1")
        take(sample(power_w=100.0))

        assert take(sample(power_w=101.0)) == [Outcome.CONFLICT]
        assert stored() == [("plug-1", NOW, 100.0)]

    def test_rejects_what_is_bad_and_keeps_the_rest(self):
        DeviceFactory(device_id="plug-1")
        DeviceFactory(device_id="gone", status="retired", retired_at=NOW)

        outcomes = take(
            sample("nobody"),
            sample("gone"),
            sample(at=NOW - timedelta(days=35, seconds=1)),
            sample(at=NOW + timedelta(minutes=5, seconds=1)),
            sample("nul\0"),
            sample(),
        )

        assert outcomes == ["unknown_device", "retired_device", "too_old", "in_future", "unknown_device", "stored"]
        assert [outcome.is_rejected for outcome in outcomes] == [True] * 5 + [False]
        assert stored() == [("plug-1", NOW, 100.0)]
        assert len(list_partitions(DEVICE_SAMPLES)) == 1

    def test_creates_unknown_devices_where_the_source_may(self):
        source = DataSourceFactory()
        new = sample("new")._replace(creator=source.pk, product="p1")

        outcomes = take(new, sample("other"), new._replace(time_us=new.time_us - 1), sample(" ")._replace(creator=1))

        device = Device.objects.get()
        assert outcomes == ["stored", "unknown_device", "stored", "unknown_device"]
        assert (device.device_id, device.product.product_id, device.created_by_source) == ("new", "p1", source)
        assert device.history.count() == 1
        assert DeviceSample.objects.filter(device=device).count() == 2

    def test_notes_new_samples_below_the_mark_to_be_rolled_up_again(self):
        plug, other = DeviceFactory(device_id="plug-1"), DeviceFactory(device_id="plug-2")
        take(sample(at=NOW - timedelta(hours=5)))
        RollupMark.objects.update(until=NOW - timedelta(hours=1))

        take(
            sample(at=NOW - timedelta(hours=5)),
            sample(at=NOW - timedelta(hours=3)),
            sample("plug-2", at=NOW - timedelta(hours=2)),
            sample("plug-2"),
        )

        assert list(TouchedHour.objects.values_list("low", "high", "device_ids")) == [
            (NOW - timedelta(hours=3), NOW - timedelta(hours=3), [plug.pk]),
            (NOW - timedelta(hours=2), NOW - timedelta(hours=2), [other.pk]),
        ]

    def test_notes_nothing_of_what_was_there_already(self):
        DeviceFactory(device_id="plug-1")
        take(sample(at=NOW - timedelta(hours=5)))
        RollupMark.objects.update(until=NOW)

        take(sample(at=NOW - timedelta(hours=5)))

        assert not TouchedHour.objects.exists()

    def test_keeps_what_belongs_to_an_archived_day_apart_and_counts_it_as_stored(self):
        DeviceFactory(device_id="plug-1")
        day = NOW - timedelta(days=10)
        ArchivedDay.objects.create(day=day.date(), file="x", rows=1, bytes=1, digest="x", archived_at=NOW)

        first = take(sample(at=day), sample(at=day, temperature_c=20.0), sample())
        again = take(sample(at=day, power_w=7.0)) + take(sample(at=day, voltage_v=230.0))

        late = LateSample.objects.get()
        assert first == ["stored", "stored", "stored"]
        assert again == ["duplicate", "stored"]
        assert (late.time, late.power_w, late.temperature_c, late.voltage_v) == (day, 100.0, 20.0, 230.0)
        assert stored() == [("plug-1", NOW, 100.0)]

    def test_can_be_asked_again_when_a_day_went_away_meanwhile(self, monkeypatch):
        DeviceFactory(device_id="plug-1")
        with monkeypatch.context() as patch:
            patch.setattr(messages, "ensure_partitions", lambda *_, **__: [])
            with pytest.raises(MissingPartition):
                take(sample())

        assert take(sample()) == ["stored"]

    def test_asks_as_often_for_many_samples_as_for_one(self, django_assert_num_queries):
        for number in range(30):
            DeviceFactory(device_id=f"plug-{number}")
        take(sample("plug-0"))
        # Names, partitions, and a savepoint about the mark and the series' statement, which Django does not see.
        with django_assert_num_queries(4):
            take(sample("plug-1"))

        with django_assert_num_queries(4):
            take(*(sample(f"plug-{number}", at=NOW - timedelta(seconds=1)) for number in range(30)))
