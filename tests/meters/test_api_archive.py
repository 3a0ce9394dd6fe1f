"""Asking for the archive over HTTP and on the terminal."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.urls import reverse

from accounts.roles import Scope
from meters.models import ArchivedMonth, Job, RegisterReading
from meters.series.partitions import ensure_partitions
from meters.store import REGISTER_READINGS
from tests.factories import AdminFactory, ManagerFactory, UserFactory, supplied_register
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

START = datetime(2025, 1, 1, tzinfo=UTC)
NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
URL = "/archive_and_prepare"


@pytest.fixture(autouse=True)
def now(settings, tmp_path):
    settings.ARCHIVE_DIR = tmp_path / "archive"
    with time_machine.travel(NOW, tick=False):
        yield NOW


@pytest.fixture
def readings():
    register = supplied_register()
    times = [START + timedelta(days=day) for day in range(59)]
    ensure_partitions(REGISTER_READINGS, times, floor=times[0], ceiling=times[-1])
    RegisterReading.objects.bulk_create(
        RegisterReading(register=register, time=time, value=Decimal(day), received_at=time)
        for day, time in enumerate(times)
    )


def run(command, *arguments):
    said = StringIO()
    call_command(command, *arguments, stdout=said)
    return said.getvalue()


class TestArchiveAndPrepare:
    def test_answers_with_a_job_that_shows_its_progress(self, readings, django_capture_on_commit_callbacks):
        client = client_of(AdminFactory())

        with django_capture_on_commit_callbacks(execute=True):
            answer = client.post(URL, {"until": "2025-02-01"}, format="json")

        assert answer.status_code == 202
        job = client.get(answer.json()["url"]).json()
        assert (job["status"], job["done"], job["total"]) == ("done", 31, 31)
        assert [month["month"] for month in job["report"]["archived"]] == ["2025-01"]

    def test_says_that_nothing_was_left_to_do(self, readings, django_capture_on_commit_callbacks):
        client = client_of(scopes=[Scope.ARCHIVE])

        for _ in range(2):
            with django_capture_on_commit_callbacks(execute=True):
                answer = client.post(URL, {}, format="json").json()

        assert answer["status"] == "queued"
        assert Job.objects.get(pk=answer["job"]).report["nothing_to_do"]
        assert not ArchivedMonth.objects.exists()

    @pytest.mark.parametrize(
        ("client", "status"),
        [
            (lambda: client_of(ManagerFactory()), 403),
            (lambda: client_of(UserFactory()), 403),
            (lambda: client_of(scopes=[Scope.READINGS]), 403),
            (client_of, 401),
        ],
    )
    def test_is_for_admins_and_keys_with_the_scope(self, client, status):
        assert client().post(URL, {}, format="json").status_code == status
        assert not Job.objects.exists()

    def test_refuses_what_is_no_day(self):
        answer = client_of(AdminFactory()).post(URL, {"until": "February"}, format="json")

        assert answer.status_code == 400
        assert not Job.objects.exists()


class TestCommands:
    def test_archive_and_restore_and_say_so(self, readings):
        assert "2025-01: 31 readings would be archived." in run("archive", "--until", "2025-02-01", "--dry-run")
        assert "2025-01: 31 readings, " in run("archive", "--until", "2025-02-01")
        assert "Nothing to do" in run("archive", "--until", "2025-02-01")
        assert "2025-01: 31 readings are back" in run("restore_archive", "2025-01")
        assert "Nothing to do" in run("restore_archive", "all")

    def test_answer_in_json(self, readings):
        archived = json.loads(run("archive", "--until", "2025-03-01", "--json"))
        restored = json.loads(run("restore_archive", "all", "--json"))

        assert [month["rows"] for month in archived["archived"]] == [31, 28]
        assert [month["rows"] for month in restored["restored"]] == [31, 28]

    def test_refuse_a_month_that_is_not_archived(self):
        with pytest.raises(CommandError, match="not in the archive"):
            run("restore_archive", "2025-01")


class TestAdmin:
    def test_lists_what_is_archived(self, readings, client):
        run("archive", "--until", "2025-02-01")
        client.force_login(AdminFactory())

        page = client.get(reverse("admin:meters_archivedmonth_changelist")).content.decode()

        assert "2025-01" in page
        assert "meters_registerreading/2025-01-r1.parquet" in page
        month = ArchivedMonth.objects.get()
        assert client.get(reverse("admin:meters_archivedmonth_change", args=[month.pk])).status_code == 200

    def test_has_an_admin_ask_for_a_month_back(self, readings, client, django_capture_on_commit_callbacks):
        run("archive", "--until", "2025-02-01")
        client.force_login(AdminFactory())
        url = reverse("admin:meters_archivedmonth_restore", args=[ArchivedMonth.objects.get().pk])

        assert "31 readings of 2025-01" in client.get(url).content.decode()
        with django_capture_on_commit_callbacks(execute=True):
            client.post(url)

        assert Job.objects.get(kind="restore_archive").report["restored"][0]["month"] == "2025-01"
        assert RegisterReading.objects.count() == 59

    def test_lets_no_manager_move_months(self, readings, client):
        run("archive", "--until", "2025-02-01")
        client.force_login(ManagerFactory())
        url = reverse("admin:meters_archivedmonth_restore", args=[ArchivedMonth.objects.get().pk])

        assert client.post(url).status_code == 403
        assert not Job.objects.exists()
