import asyncio
import os
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor
from accounts.models import DataSource
from accounts.roles import Scope
from energy_portal.shared.downloads import StreamedFile, file_name
from meters.models import Job
from meters.services.jobs import queue_job
from meters.services.uploads import FileTooLarge, forget_files, keep_upload, path_of, writing_result
from tests.factories import AdminFactory, ManagerFactory, UserFactory
from tests.meters.helpers import client_of

NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("uploads")]


def job_of(user=None, source=None, **fields):
    return queue_job(kind=Job.Kind.ARCHIVE, parameters={}, actor=Actor(user=user, source=source), now=NOW, **fields)


def done(job, content=b"rows", *, finished_at=NOW):
    with writing_result(job, suffix="csv") as file:
        file.write(content)
    job.status, job.finished_at = Job.Status.DONE, finished_at
    job.save()
    return job


def listed(client):
    return {row["id"] for row in client.get("/api/v1/jobs").json()["results"]}


class TestJobs:
    def test_shows_everybody_their_own_and_managers_all(self):
        customer, manager = UserFactory(), ManagerFactory()
        machine = client_of(scopes=[Scope.ARCHIVE])
        jobs = [job_of(customer), job_of(manager), job_of(source=DataSource.objects.get())]

        assert listed(client_of(customer)) == {str(jobs[0].pk)}
        assert listed(machine) == {str(jobs[2].pk)}
        assert listed(client_of(manager)) == listed(client_of(AdminFactory())) == {str(job.pk) for job in jobs}
        assert client_of().get("/api/v1/jobs").status_code == 401

    def test_shows_how_far_one_is(self):
        user = UserFactory()
        job = job_of(user)
        Job.objects.update(status=Job.Status.RUNNING, done=5, total=9)

        answer = client_of(user).get(f"/api/v1/jobs/{job.pk}").json()

        assert (answer["status"], answer["done"], answer["total"], answer["asked_by"]) == ("running", 5, 9, user.email)
        assert answer["result_url"] is None

    def test_is_not_there_for_others(self):
        job = done(job_of(UserFactory()))

        for path in (f"/api/v1/jobs/{job.pk}", f"/api/v1/jobs/{job.pk}/result"):
            assert client_of(UserFactory()).get(path).json()["code"] == "no_such_job"

    def test_filters_by_kind_and_status(self):
        manager = ManagerFactory()
        job_of(manager)

        rows = client_of(manager).get("/api/v1/jobs", {"status": "done"}).json()["results"]

        assert rows == []

    def test_asks_the_database_as_often_however_many_there_are(self):
        manager = ManagerFactory()

        def queries(count):
            for _ in range(count):
                job_of(UserFactory())
            with CaptureQueriesContext(connection) as found:
                client_of(manager).get("/api/v1/jobs")
            return len(found)

        assert queries(1) == queries(5)


class TestResult:
    def test_is_the_file_that_the_job_made(self):
        user = UserFactory()
        job = done(job_of(user), b"time,value\r\n")
        client = client_of(user)

        answer = client.get(client.get(f"/api/v1/jobs/{job.pk}").json()["result_url"])

        assert b"".join(answer.streaming_content) == b"time,value\r\n"
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"] == f'attachment; filename="archive-{job.pk}.csv"'

    def test_is_not_there_before_and_after(self):
        user = UserFactory()
        early, late = job_of(user), done(job_of(user))
        path_of(late.result).unlink()

        for job in (early, late):
            answer = client_of(user).get(f"/api/v1/jobs/{job.pk}/result")
            assert (answer.status_code, answer.json()["code"]) == (404, "no_result")

    def test_is_streamed_where_the_server_is_asynchronous(self):
        async def sent():
            return [chunk async for chunk in StreamedFile(iter([b"a", b"b", b"c"]), name="x", content_type="text/csv")]

        assert asyncio.run(sent()) == [b"a", b"b", b"c"]

    def test_keeps_only_what_any_system_takes_in_its_name(self):
        assert file_name('a"/../b\r\nü.csv') == "a..b.csv"
        assert file_name("///") == "file"


class TestFiles:
    def test_takes_no_more_than_a_file_may_hold(self, settings, uploads):
        settings.MAX_FILE_SIZE = 5

        with pytest.raises(FileTooLarge):
            keep_upload(chunks=[b"abc", b"def"])

        assert path_of(keep_upload(chunks=[b"abc", b"de"])).read_bytes() == b"abcde"
        assert len(list((uploads / "imports").iterdir())) == 1

    def test_leaves_no_result_where_writing_failed(self):
        job = job_of(UserFactory())

        def fail():
            with writing_result(job, suffix="csv") as file:
                file.write(b"half")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()

        assert job.result == ""

    def test_forgets_what_is_old_and_what_is_nobodys(self, settings):
        settings.JOB_FILE_DAYS = 7
        old = done(job_of(upload=keep_upload(chunks=[b"1"])), finished_at=NOW - timedelta(days=8))
        young = done(job_of(upload=keep_upload(chunks=[b"2"])), finished_at=NOW - timedelta(days=6))
        orphan, receiving = keep_upload(chunks=[b"3"]), keep_upload(chunks=[b"4"])
        for name in (young.upload, young.result, orphan):
            os.utime(path_of(name), (0, 0))

        assert forget_files(now=NOW) == 3

        old.refresh_from_db()
        assert (old.upload, old.result) == ("", "")
        assert [path_of(name).exists() for name in (young.upload, young.result, orphan, receiving)] == [
            True,
            True,
            False,
            True,
        ]
