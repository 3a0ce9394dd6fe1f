"""Days of samples out to the archive and back: every sample is there exactly once."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from meters.devices.models import ArchivedDay, Device, DeviceSample, LateSample, RollupMark, TouchedHour
from meters.devices.selectors.archive import retention_limit, samples_of
from meters.devices.services.retention import archive_days, plan_days, restore_days
from meters.devices.store.archive import BadDay
from meters.devices.store.samples import DEVICE_SAMPLES
from meters.series.errors import ArchiveDamaged
from meters.series.partitions import ensure_partitions, list_partitions
from meters.services.archiving import NotArchived
from tests.factories import DeviceFactory
from tests.meters.devices.days import (
    BEFORE_THIRD,
    FIRST,
    IN_FIRST,
    NOW,
    SECOND,
    THIRD,
    TIMES,
    TOLD,
    UNTIL,
    answered,
    rolled_up,
    tell,
)
from tests.meters.devices.helpers import hours_of, roll_up

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.ARCHIVE_DIR = tmp_path / "archive"
    return settings.ARCHIVE_DIR


@pytest.fixture
def device():
    """Make a device that told its power across three days, whose hours are rolled up."""
    device = DeviceFactory()
    tell(device)
    rolled_up()
    return device


def run(until=UNTIL, **options):
    return archive_days(actor=PORTAL, now=NOW, until=until, wait_seconds=0, **options)


def days_there():
    """Return the days of the device that the database holds."""
    return [each.start for each in list_partitions(DEVICE_SAMPLES) if each.start <= THIRD]


def late(device, time, **told):
    return LateSample.objects.create(device=device, time=time, received_at=NOW, **told)


class TestArchiveDays:
    def test_moves_closed_days_into_files(self, device, folder):
        report = run()

        assert [(day.part, day.rows, day.revision) for day in report.archived] == [
            ("2025-03-01", IN_FIRST, 1),
            ("2025-03-02", BEFORE_THIRD - IN_FIRST, 1),
        ]
        assert days_there() == [THIRD]
        assert DeviceSample.objects.count() == len(TIMES) - BEFORE_THIRD
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        assert files == [f"devices_devicesample/2025-03-0{day}-r1.parquet" for day in (1, 2)]

    def test_records_what_it_verified(self, device, folder):
        (moved, _) = run().archived

        day = ArchivedDay.objects.get(day=FIRST.date())
        assert (day.rows, day.revision, day.archived_at) == (IN_FIRST, 1, NOW)
        assert day.bytes == moved.bytes == (folder / day.file).stat().st_size
        assert day.manifest["columns"]["power_w"]["min"] == "0.0"
        assert day.manifest["columns"]["temperature_c"]["nulls"] == IN_FIRST
        assert AuditEntry.objects.filter(action="archive.day_archived").count() == 2

    def test_does_nothing_a_second_time(self, device):
        run()

        assert run().idle

    def test_keeps_a_day_whose_hours_are_not_rolled_up(self, device):
        rolled_up(SECOND)

        report = run()

        assert [day.part for day in report.archived] == ["2025-03-01"]
        assert report.waiting == ("2025-03-02",)
        assert report.as_json()["waiting_for_rollup"] == ["2025-03-02"]

    def test_keeps_all_days_before_anything_was_rolled_up(self, device):
        RollupMark.objects.update(until=None)

        assert run().archived == ()
        assert len(days_there()) == 3

    def test_keeps_a_day_that_late_hours_of_the_day_before_may_reach_into(self, device):
        TouchedHour.objects.create(low=FIRST, high=FIRST, device_ids=[device.pk], logged_at=NOW)

        assert run().waiting == ("2025-03-01", "2025-03-02")

    def test_leaves_young_days_whatever_it_is_told(self, device):
        report = archive_days(actor=PORTAL, now=THIRD + timedelta(days=2), until=date(2025, 12, 1))

        assert [day.part for day in report.archived] == ["2025-03-01"]

    def test_plans_without_touching_anything(self, device, folder):
        late(device, FIRST)

        report = plan_days(now=NOW, until=UNTIL)

        assert [day.as_json() for day in report.planned] == [
            {"day": "2025-03-01", "rows": IN_FIRST},
            {"day": "2025-03-02", "rows": BEFORE_THIRD - IN_FIRST},
        ]
        assert report.late_values == 1
        assert not folder.exists()

    def test_redoes_the_file_when_a_sample_came_meanwhile(self, device):
        def write_late(step):
            if step.name == "named" and step.part == "2025-03-01":
                DeviceSample.objects.get_or_create(
                    device_id=device.pk, time=FIRST + timedelta(minutes=1), defaults={"received_at": NOW}
                )

        assert [day.rows for day in run(tell=write_late).archived] == [IN_FIRST + 1, BEFORE_THIRD - IN_FIRST]

    def test_notices_a_property_that_joined_meanwhile(self, device):
        def join(step):
            if step.name == "named":
                DeviceSample.objects.filter(time=TIMES[1]).update(temperature_c=21.5)

        run(tell=join)

        assert answered(device)[1].temperature_c == 21.5

    def test_joins_samples_in_that_were_written_beside_their_archived_day(self, device):
        run()
        ensure_partitions(DEVICE_SAMPLES, [FIRST], floor=FIRST, ceiling=NOW)
        DeviceSample.objects.create(device_id=device.pk, time=TIMES[1], power_w=9, current_a=2, received_at=NOW)
        before = answered(device)

        report = run()

        assert [(day.part, day.rows, day.revision) for day in report.archived] == [("2025-03-01", IN_FIRST, 2)]
        assert answered(device) == before
        assert (before[1].power_w, before[1].current_a) == (TOLD[1], 2)


class TestRetentionLimit:
    def test_is_the_retention_before_today(self, settings):
        settings.DEVICE_RETENTION_DAYS = 90

        assert retention_limit(now=NOW) == datetime(2025, 3, 17, tzinfo=UTC)

    def test_leaves_what_devices_may_still_send(self, settings):
        settings.DEVICE_RETENTION_DAYS, settings.DEVICE_ACCEPTANCE_DAYS = 7, 35

        assert retention_limit(now=NOW) == datetime(2025, 5, 10, tzinfo=UTC)


class TestSamplesOf:
    @pytest.mark.parametrize("until", [date(2025, 3, 2), date(2025, 3, 3), date(2025, 3, 4)])
    def test_answers_the_same_from_wherever_they_lie(self, device, until):
        before = answered(device)
        run(until)

        assert answered(device) == before
        assert [(each.time, each.power_w) for each in before] == list(zip(TIMES, TOLD, strict=True))

    def test_keeps_what_is_missing_missing(self, device):
        run()

        assert [each.switch for each in answered(device)[:4]] == [True, None, None, False]
        assert {each.temperature_c for each in answered(device)} == {None}

    def test_is_of_one_device_alone(self, device):
        other = DeviceFactory()
        tell(other, TIMES[:3], [7, 8, 9])
        run()

        assert [each.power_w for each in answered(other)] == [7, 8, 9]

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_gives_pages_across_the_archives_edge(self, device, newest_first):
        whole = answered(device, newest_first=newest_first)
        run()

        def page(number):
            bound = whole[number].time
            span = {"end": bound + timedelta(microseconds=1)} if newest_first else {"start": bound}
            return answered(device, **span, newest_first=newest_first, limit=10)

        for number in (0, BEFORE_THIRD - 5, len(TIMES) - BEFORE_THIRD - 5):
            assert page(number) == whole[number : number + 10]

    def test_ends_before_its_end(self, device):
        run()

        assert [each.time for each in answered(device, TIMES[2], TIMES[4])] == [TIMES[2], TIMES[3]]
        assert answered(device, TIMES[2], TIMES[2]) == []

    def test_holds_what_waits_for_the_archive(self, device):
        run()
        late(device, TIMES[1], power_w=99, voltage_v=231.5)
        late(device, TIMES[1] + timedelta(minutes=1), power_w=5)

        found = answered(device)

        assert len(found) == len(TIMES) + 1
        assert (found[1].power_w, found[1].voltage_v) == (TOLD[1], 231.5)
        assert (found[2].power_w, found[2].switch) == (5, None)

    def test_asks_the_database_once(self, device):
        run()

        with CaptureQueriesContext(connection) as queries:
            answered(device)

        assert len(queries) == 1

    def test_says_when_a_file_is_missing(self, device, folder):
        run()
        (folder / "devices_devicesample" / "2025-03-01-r1.parquet").unlink()

        with pytest.raises(ArchiveDamaged):
            samples_of(device_id=device.pk, start=FIRST, end=NOW)


class TestLateSamples:
    def test_enter_the_next_revision_of_their_day(self, device):
        run()
        late(device, TIMES[1], voltage_v=231.5)
        late(device, TIMES[1] + timedelta(minutes=1), power_w=5)
        before = answered(device)

        report = run()

        assert (report.late_values, report.waiting) == (2, ())
        assert [(day.part, day.rows, day.revision) for day in report.archived] == [
            ("2025-03-01", IN_FIRST + 1, 2),
            ("2025-03-02", BEFORE_THIRD - IN_FIRST, 2),
        ]
        assert not LateSample.objects.exists()
        assert answered(device) == before

    def test_keep_their_day_in_the_database_until_its_hours_are_rolled_up(self, device):
        run()
        late(device, FIRST + timedelta(minutes=1), power_w=5)
        RollupMark.objects.update(until=None)

        assert run().waiting == ("2025-03-01", "2025-03-02")
        rolled_up()
        roll_up(NOW)

        assert [day.part for day in run().archived] == ["2025-03-01", "2025-03-02"]

    def test_change_their_hour_and_no_other(self, device):
        """Let a late word of the last minutes of a day reach into the day after, which is archived as well."""
        Device.objects.update(hold_seconds=3_600)
        RollupMark.objects.update(until=None)
        roll_up(NOW)
        before = hours_of(device)
        run()
        late(device, SECOND - timedelta(minutes=1), power_w=6_000)

        run()

        changed = {time: hour for time, hour in hours_of(device).items() if before[time] != hour}
        assert set(changed) == {SECOND - timedelta(hours=1), SECOND}
        assert not TouchedHour.objects.exists()

    def test_change_an_hour_that_began_on_the_day_before(self, device):
        Device.objects.update(zone="Asia/Kolkata", hold_seconds=3_600)
        RollupMark.objects.update(until=None)
        roll_up(NOW)
        half_past = SECOND - timedelta(minutes=30)
        before = hours_of(device)
        run()
        late(device, SECOND + timedelta(minutes=1), power_w=6_000)

        report = run()

        assert [day.part for day in report.archived] == ["2025-03-01", "2025-03-02"]
        assert hours_of(device)[half_past] != before[half_past]

    def test_enter_day_by_day_in_parts(self, device, settings):
        settings.DEVICE_COMMIT_ROWS = 2
        run()
        for minute in range(1, 6):
            late(device, FIRST + timedelta(minutes=minute), power_w=minute)
        late(device, SECOND + timedelta(minutes=1), power_w=6)

        assert run().late_values == 6
        assert len(answered(device)) == len(TIMES) + 6

    def test_enter_when_their_day_is_restored(self, device):
        run()
        late(device, FIRST + timedelta(minutes=1), power_w=1)

        restore_days(day="2025-03-01", actor=PORTAL, now=NOW)

        assert not LateSample.objects.exists()
        assert DeviceSample.objects.filter(time__lt=SECOND).count() == IN_FIRST + 1


class TestRestoreDays:
    def test_puts_every_sample_back_as_it_was(self, device):
        before = list(DeviceSample.objects.order_by("time").values())
        run()

        restored = restore_days(day="all", actor=PORTAL, now=NOW)

        assert [day.as_json()["day"] for day in restored] == ["2025-03-01", "2025-03-02"]
        assert list(DeviceSample.objects.order_by("time").values()) == before
        assert days_there() == [FIRST, SECOND, THIRD]
        assert not ArchivedDay.objects.exists()

    @pytest.mark.parametrize("keep", [True, False])
    def test_leaves_the_file_only_when_told(self, keep, device, folder):
        run()

        restore_days(day="2025-03-01", actor=PORTAL, now=NOW, keep=keep)

        assert (folder / "devices_devicesample" / "2025-03-01-r1.parquet").exists() is keep

    def test_changes_nothing_when_the_file_was_tampered_with(self, device, folder):
        run()
        path = folder / "devices_devicesample" / "2025-03-01-r1.parquet"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

        with pytest.raises(ArchiveDamaged, match="checksum"):
            restore_days(day="2025-03-01", actor=PORTAL, now=NOW)

        assert ArchivedDay.objects.count() == 2
        assert days_there() == [THIRD]

    def test_refuses_a_day_that_is_not_archived(self, device):
        with pytest.raises(NotArchived):
            restore_days(day="2025-03-01", actor=PORTAL, now=NOW)

    def test_refuses_what_is_no_day(self, device):
        with pytest.raises(BadDay, match="not a day"):
            restore_days(day="2025-03", actor=PORTAL, now=NOW)
