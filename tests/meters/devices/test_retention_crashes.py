"""The archive of days beside others and killed at any step: at every moment each sample is there exactly once."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from accounts.actors import PORTAL
from meters.devices.decoding import Sample
from meters.devices.models import ArchivedDay, DeviceSample, LateSample, TouchedHour
from meters.devices.services.messages import take_samples
from meters.devices.services.retention import archive_days, restore_days
from meters.devices.store.archive import DAILY_SAMPLES
from meters.series.errors import MissingPartition
from meters.services.archiving import CHANGE_LOCK, ArchiveBusy, held
from tests.factories import DeviceFactory
from tests.meters.archiver import DAYS_UNTIL
from tests.meters.devices.days import (
    BEFORE_THIRD,
    FIRST,
    NOW,
    TIMES,
    TOLD,
    answered,
    drop_days,
    rolled_up,
    tell,
)
from tests.meters.helpers import in_thread

pytestmark = pytest.mark.django_db(transaction=True)

ONE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.ARCHIVE_DIR = tmp_path / "archive"
    return settings.ARCHIVE_DIR


@pytest.fixture
def device():
    # Days that another test restored tell of a file that is gone with its folder.
    drop_days()
    device = DeviceFactory()
    tell(device)
    rolled_up()
    return device


def powers(device):
    """Return what a question is answered with, whose instants are all different and in order."""
    rows = answered(device)
    assert [row.time for row in rows] == sorted({row.time for row in rows})
    return [row.power_w for row in rows]


def archive(**options):
    return archive_days(actor=PORTAL, now=NOW, until=DAYS_UNTIL, **{"wait_seconds": 5, **options})


def restore():
    return restore_days(day="all", actor=PORTAL, now=NOW)


def days():
    return [row.day.day for row in ArchivedDay.objects.all()]


class TestKilled:
    @pytest.mark.parametrize("step", ["exporting", "written", "named", "proved", "recorded", "dropped", "committed"])
    def test_while_it_archives_loses_nothing_and_is_finished_by_the_next_run(self, step, device, killed, folder):
        killed("archive days", step)

        assert powers(device) == TOLD
        assert days() == ([1] if step == "committed" else [])
        archive()
        assert powers(device) == TOLD
        assert days() == [1, 2]
        assert DeviceSample.objects.count() == len(TIMES) - BEFORE_THIRD
        assert sorted(path.name for path in folder.rglob("*.*")) == [f"2025-03-0{day}-r1.parquet" for day in (1, 2)]

    @pytest.mark.parametrize("step", ["filled", "verified", "attached", "recorded", "committed"])
    def test_while_it_restores_loses_nothing_and_is_finished_by_the_next_run(self, step, device, killed):
        archive()

        killed("restore days", step)

        assert powers(device) == TOLD
        assert days() == ([2] if step == "committed" else [1, 2])
        restore()
        assert powers(device) == TOLD
        assert DeviceSample.objects.count() == len(TIMES)

    @pytest.mark.parametrize("step", ["attached", "committed"])
    def test_while_it_takes_late_samples_in_loses_none(self, step, device, killed, folder):
        archive()
        late = LateSample.objects.create(device=device, time=FIRST + ONE, power_w=-1, received_at=NOW)
        whole = [TOLD[0], -1, *TOLD[1:]]

        killed("archive days", step)

        assert LateSample.objects.filter(pk=late.pk).exists()
        assert powers(device) == whole
        archive()
        assert not LateSample.objects.exists()
        TouchedHour.objects.all().delete()
        archive()
        assert powers(device) == whole
        assert days() == [1, 2]
        assert "2025-03-01-r2.parquet" in {path.name for path in folder.rglob("*.*")}


class TestReaders:
    def test_never_see_a_sample_twice_or_not_at_all(self, device):
        ended = threading.Event()

        def read():
            seen = 0
            while not ended.is_set():
                assert powers(device) == TOLD
                seen += 1
            return seen

        readers = [in_thread(read) for _ in range(2)]
        try:
            for _ in range(3):
                archive()
                restore()
        finally:
            ended.set()
        assert all(wait() > 6 for wait in readers)


class TestWriters:
    def test_of_late_samples_find_them_again_wherever_their_day_was(self, device):
        """Write late samples as fast as they go, while their days are archived, restored, and archived again."""
        ended = threading.Event()
        written = []
        then = FIRST + timedelta(days=10)

        def write_late():
            number = 0
            while not ended.is_set() and number < 150:
                time = FIRST + number * timedelta(minutes=10) + ONE
                try:
                    (outcome,) = take_samples(samples=[Sample(device.device_id, _micros(time), -1.0)], now=then)
                except MissingPartition:
                    # The archive took the day away between the door's look and its write: it writes again.
                    continue
                assert outcome == "stored"
                number += 1
                written.append(time)

        writer = in_thread(write_late)
        try:
            for _ in range(2):
                archive()
                restore()
        finally:
            ended.set()
        writer()
        for _ in range(2):
            TouchedHour.objects.all().delete()
            archive()
        assert not LateSample.objects.exists()
        assert days() == [1, 2]
        assert sorted(powers(device)) == sorted([*TOLD, *[-1] * len(written)])


def _micros(time):
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


class TestTwoRuns:
    def test_do_not_work_at_once(self, device):
        with held(DAILY_SAMPLES.run_lock, wait_seconds=0):
            second = in_thread(lambda: archive(wait_seconds=0))
            with pytest.raises(ArchiveBusy):
                second()

        assert days() == []

    def test_wait_for_a_backup(self, device):
        with held(CHANGE_LOCK, wait_seconds=0):
            moving = in_thread(lambda: archive(wait_seconds=0))
            with pytest.raises(ArchiveBusy):
                moving()

        assert powers(device) == TOLD
