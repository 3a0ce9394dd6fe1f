"""Who sees to the archive of samples: jobs, commands, the admin and its front page."""

import base64
import json
import shutil
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.urls import reverse

from accounts.actors import PORTAL
from meters.devices.models import ArchivedDay, DeviceSample, LateSample
from meters.devices.selectors.archive import retention
from meters.devices.services.retention import archive_days, ask_for_archive, make_days_ahead
from meters.devices.store.samples import DEVICE_SAMPLES
from meters.devices.tasks import archive_samples, make_sample_days
from meters.models import Job
from meters.series.partitions import list_partitions
from tests.factories import AdminFactory, DeviceFactory, ManagerFactory
from tests.meters.devices.days import BEFORE_THIRD, FIRST, IN_FIRST, NOW, THIRD, TIMES, UNTIL, rolled_up, tell
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.ARCHIVE_DIR = tmp_path / "archive"
    cache.clear()
    return settings.ARCHIVE_DIR


@pytest.fixture
def device():
    """Make a device that told its power across three days, whose hours are rolled up."""
    device = DeviceFactory()
    tell(device)
    rolled_up()
    return device


def archive():
    return archive_days(actor=PORTAL, now=NOW, until=UNTIL, wait_seconds=0)


def late(device, time=FIRST):
    return LateSample.objects.create(device=device, time=time, received_at=NOW, power_w=1)


class TestMakeDaysAhead:
    def test_makes_today_and_the_coming_week(self, db):
        make_days_ahead(now=NOW)

        names = {partition.name for partition in list_partitions(DEVICE_SAMPLES)}
        assert {f"devices_devicesample_y2025m06d{day}" for day in range(15, 23)} <= names
        assert make_days_ahead(now=NOW) == []

    def test_is_done_by_a_worker(self, db):
        assert len(make_sample_days()) == 8


class TestJobs:
    @pytest.fixture
    def now(self, settings):
        """Have all of the device's days be older than the retention, whenever this runs."""
        settings.DEVICE_RETENTION_DAYS = 90
        rolled_up(datetime.now(UTC))

    def test_archive_what_is_older_than_the_retention(self, device, now, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            archive_samples()

        job = Job.objects.get(kind=Job.Kind.ARCHIVE_SAMPLES)
        assert (job.status, job.done) == (Job.Status.DONE, len(TIMES))
        assert [day["day"] for day in job.report["archived"]] == ["2025-03-01", "2025-03-02", "2025-03-03"]

    def test_are_not_asked_for_while_one_is_at_work(self, db):
        assert ask_for_archive(now=NOW) is not None
        assert ask_for_archive(now=NOW) is None


class TestRetention:
    def test_tells_what_is_kept_where(self, device):
        archive()
        late(device)

        told = retention()

        assert (told.days, told.since) == (1, THIRD)
        assert told.bytes > 8_000
        assert (told.archived_days, told.late, told.last_run) == (2, 1, NOW)
        assert told.archived_bytes == sum(day.bytes for day in ArchivedDay.objects.all())

    def test_tells_of_nothing(self, db):
        told = retention()

        assert (told.days, told.since, told.archived_days, told.last_run) == (0, None, 0, None)


def run(command, *arguments):
    said = StringIO()
    call_command(command, "--devices", *arguments, stdout=said)
    return said.getvalue()


class TestApi:
    @pytest.mark.parametrize("size", [7, 50])
    def test_pages_from_the_database_into_the_archive_and_back(self, device, size, monkeypatch):
        monkeypatch.setattr("meters.devices.store.archive._DAYS_AT_ONCE", 1)
        archive()
        late(device, TIMES[4] + timedelta(minutes=1))
        client = client_of(AdminFactory())
        url = f"/api/v1/energy?device={device.device_id}&from={UNTIL:%Y}-01-01&to={UNTIL:%Y}-12-01&page_size={size}"
        forwards, backwards = [], []

        while url:
            page = client.get(url).json()
            forwards += [each["time"] for each in page["results"]]
            last, url = page, page["next"]
        while url := last["previous"]:
            last = client.get(url).json()
            backwards = [each["time"] for each in last["results"]] + backwards

        told = sorted([*TIMES, TIMES[4] + timedelta(minutes=1)], reverse=True)
        assert [datetime.fromisoformat(time) for time in forwards] == told
        assert backwards == forwards[: len(backwards)]
        assert len(backwards) >= len(told) - size

    def test_reads_no_file_for_a_page_that_the_database_fills(self, device, folder):
        archive()
        shutil.rmtree(folder)

        asked = {"device": device.device_id, "from": "2025-01-01", "to": "2025-12-01", "page_size": 10}
        answer = client_of(AdminFactory()).get("/api/v1/energy", asked)

        assert len(answer.json()["results"]) == 10

    def test_refuses_a_cursor_without_a_time(self, device):
        cursor = base64.urlsafe_b64encode(b'[["-time"],["noon"],false]').decode()

        answer = client_of(AdminFactory()).get("/api/v1/energy", {"device": device.device_id, "cursor": cursor})

        assert answer.json()["code"] == "invalid_cursor"


class TestCommands:
    def test_archive_and_restore_and_say_so(self, device):
        until = ("--until", "2025-03-02")

        assert f"2025-03-01: {IN_FIRST} samples would be archived." in run("archive", *until, "--dry-run")
        assert f"2025-03-01: {IN_FIRST} samples, " in run("archive", *until)
        assert "Nothing to do: no day that ends by 2025-03-02" in run("archive", *until)
        assert f"2025-03-01: {IN_FIRST} samples are back" in run("restore_archive", "2025-03-01")
        assert "Nothing to do: no day is archived." in run("restore_archive", "all")

    def test_say_which_days_wait_for_their_hours(self, device):
        rolled_up(FIRST)

        assert "still to be rolled up: 2025-03-01." in run("archive", "--until", "2025-03-02")

    def test_tell_of_late_samples(self, device):
        archive()
        late(device)

        assert "Late samples that wait: 1." in run("archive", "--until", "2025-03-03", "--dry-run")
        assert "Late samples taken in: 1." in run("archive", "--until", "2025-03-03")

    def test_answer_in_json(self, device):
        archived = json.loads(run("archive", "--until", "2025-03-03", "--json"))
        restored = json.loads(run("restore_archive", "all", "--json"))

        assert [day["rows"] for day in archived["archived"]] == [IN_FIRST, BEFORE_THIRD - IN_FIRST]
        assert [day["day"] for day in restored["restored"]] == ["2025-03-01", "2025-03-02"]

    def test_refuse_a_day_that_is_not_archived(self, db):
        with pytest.raises(CommandError, match="not in the archive"):
            run("restore_archive", "2025-03-01")


class TestAdmin:
    def test_lists_what_is_archived(self, device, client):
        archive()
        client.force_login(ManagerFactory())

        page = client.get(reverse("admin:devices_archivedday_changelist")).text

        assert "2025-03-01" in page
        assert "devices_devicesample/2025-03-01-r1.parquet" in page
        day = ArchivedDay.objects.earliest("day")
        assert client.get(reverse("admin:devices_archivedday_change", args=[day.pk])).status_code == 200

    def test_lists_what_waits(self, device, client):
        waiting = late(device)
        client.force_login(ManagerFactory())

        page = client.get(reverse("admin:devices_latesample_changelist"), {"q": device.device_id}).text

        assert device.device_id in page
        assert client.post(reverse("admin:devices_latesample_delete", args=[waiting.pk])).status_code == 403

    def test_has_an_admin_ask_for_a_day_back(self, device, client, django_capture_on_commit_callbacks):
        archive()
        client.force_login(AdminFactory())
        url = reverse("admin:devices_archivedday_restore", args=[ArchivedDay.objects.earliest("day").pk])

        assert f"{IN_FIRST} samples of 2025-03-01" in client.get(url).text
        with django_capture_on_commit_callbacks(execute=True):
            client.post(url)

        assert Job.objects.get(kind="restore_samples").report["restored"][0]["day"] == "2025-03-01"
        assert DeviceSample.objects.filter(time__lt=THIRD).count() == IN_FIRST

    def test_lets_no_manager_move_days(self, device, client):
        archive()
        client.force_login(ManagerFactory())
        url = reverse("admin:devices_archivedday_restore", args=[ArchivedDay.objects.earliest("day").pk])

        assert client.post(url).status_code == 403
        assert not Job.objects.exists()


class TestFrontPage:
    def test_shows_what_is_kept_and_when_the_archive_ran(self, device, client):
        archive()
        late(device)
        client.force_login(ManagerFactory())

        page = client.get(reverse("admin:index")).text

        for said in (
            "day in the database, ",
            "2 days in the archive, ",
            "1 late sample waits",
            "Kept for 90 days",
            "The archive last ran on 15 Jun 20:00",
        ):
            assert said in page

    @pytest.mark.parametrize("role", ["manager", "operator"])
    def test_says_that_nothing_was_archived_yet(self, role, client, db):
        client.force_login(ManagerFactory(role=role))

        assert "The archive has not run yet." in client.get(reverse("admin:index")).text
