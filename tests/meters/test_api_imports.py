import gzip
import json
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.roles import Scope
from meters import tasks
from meters.models import Job, RegisterReading
from meters.services.jobs import Running
from meters.services.uploads import path_of
from tests.factories import ManagerFactory, UserFactory, supplied_register
from tests.meters.helpers import client_of

NOW = datetime(2025, 3, 15, 4, 10, tzinfo=UTC)
PATH = "/api/v1/readings/import"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("uploads")]


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def send(client, text, *, name="reads.csv", **options):
    body = text if isinstance(text, bytes) else text.encode()
    return client.post(PATH, {"file": SimpleUploadedFile(name, body), **options}, format="multipart")


def work_off(answer):
    tasks.run_job(job_id=answer.json()["job"])
    return Job.objects.get(pk=answer.json()["job"])


def table(register, *rows):
    return "serial,time,value\n" + "".join(f"{register.meter.serial},{row}\n" for row in rows)


class TestImport:
    def test_is_a_job_that_tells_what_became_of_the_file(self):
        register, client = supplied_register(), client_of(scopes=[Scope.READINGS])

        text = table(register, "2025-03-01T00:00,1", "2025-03-01T00:10,2", "2025-03-01T00:30,2")
        answer = send(client, text)

        assert answer.status_code == 202
        assert answer.json()["status"] == "queued"
        work_off(answer)
        shown = client.get(answer.json()["url"]).json()
        assert (shown["status"], shown["upload_name"], shown["error"]) == ("done", "reads.csv", "")
        assert (shown["done"], shown["total"]) == (len(text), len(text))
        assert (shown["report"]["stored"], shown["report"]["rejected"]) == (2, 1)
        assert [(each["line"], each["code"]) for each in shown["report"]["problems"]] == [(3, "off_mark")]
        assert RegisterReading.objects.count() == 2

    def test_heeds_what_is_told_of_the_file(self):
        answer = send(
            client_of(ManagerFactory()),
            gzip.compress(b"day,hour,mw\n2025-03-01,00:00,2\n"),
            name="demand.csv.gz",
            columns=json.dumps({"time": "day+hour", "value": "mw"}),
            meter_id="M1",
            zone="UTC",
            labels="period-start",
            unit="kWh",
            scale="500",
            interval_minutes="30",
            create_meters="true",
        )

        job = work_off(answer)

        reading = RegisterReading.objects.get()
        assert job.report["problems"] == []
        assert (reading.time, reading.value) == (datetime(2025, 3, 1, 0, 30, tzinfo=UTC), 1000)

    def test_keeps_the_file_under_a_name_of_its_own(self, uploads):
        answer = send(client_of(ManagerFactory()), "x", name="../../evil.csv")

        job = Job.objects.get(pk=answer.json()["job"])
        assert path_of(job.upload).resolve().is_relative_to(uploads.resolve())
        assert "evil" not in job.upload
        assert job.upload_name == "evil.csv"

    def test_adds_what_is_missing_after_a_worker_died(self, monkeypatch):
        monkeypatch.setattr("meters.formats.csv_rows._FIRST_BLOCK", 40)
        register = supplied_register()
        answer = send(client_of(ManagerFactory()), table(register, "2025-03-01T00:00,1", "2025-03-01T00:30,2"))
        monkeypatch.setattr(Running, "note", lambda *_, **__: _die() if RegisterReading.objects.exists() else None)
        with pytest.raises(KeyboardInterrupt):
            work_off(answer)
        monkeypatch.undo()
        Job.objects.update(status=Job.Status.RUNNING)

        job = work_off(answer)

        assert (job.status, job.report["stored"], job.report["duplicates"]) == ("done", 1, 1)

    def test_tells_why_a_file_cannot_be_read(self):
        job = work_off(send(client_of(ManagerFactory()), b"no gzip", name="a.csv.gz"))

        assert job.status == "failed"
        assert "cannot be read" in job.error

    def test_lists_no_more_bad_lines_than_an_answer_holds(self, monkeypatch):
        monkeypatch.setattr("meters.services.file_imports._MOST_PROBLEMS_TOLD", 2)

        job = work_off(send(client_of(ManagerFactory()), "serial,time,value\n" + "M1,never,1\n" * 5))

        assert [each["line"] for each in job.report["problems"]] == [2, 3]
        assert (job.report["problems_not_listed"], job.report["problems_by_code"]) == (3, {"malformed": 5})

    def test_is_asked_for_once_a_key(self):
        client = client_of(ManagerFactory())
        client.credentials(HTTP_IDEMPOTENCY_KEY="once")

        first, again = (send(client, "serial,time,value\n") for _ in range(2))

        assert first.json() == again.json()
        assert Job.objects.count() == 1

    def test_takes_no_larger_file_than_it_may(self, settings, uploads):
        settings.MAX_FILE_SIZE = 10

        answer = send(client_of(ManagerFactory()), "serial,time,value\n")

        assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")
        assert not Job.objects.exists()
        assert not list(uploads.rglob("*"))

    @pytest.mark.parametrize(
        ("options", "status"),
        [
            ({"zone": "Mars/Olympus"}, 422),
            ({"columns": "[1]"}, 400),
            ({"columns": "{"}, 400),
            ({"columns": '{"colour": "red"}'}, 422),
            ({"scale": "-1"}, 422),
            ({"interval_minutes": "60"}, 400),
            ({"labels": "middle"}, 400),
        ],
    )
    def test_refuses_what_makes_no_sense(self, options, status):
        assert send(client_of(ManagerFactory()), "serial,time,value\n", **options).status_code == status

    def test_needs_a_file(self):
        answer = client_of(ManagerFactory()).post(PATH, {"zone": "UTC"}, format="multipart")

        assert answer.status_code == 400

    def test_is_for_managers_and_senders_of_readings(self):
        assert send(client_of(), "x").status_code == 401
        assert send(client_of(UserFactory()), "x").status_code == 403
        assert send(client_of(scopes=[Scope.QUERIES]), "x").status_code == 403


def _die():
    raise KeyboardInterrupt
