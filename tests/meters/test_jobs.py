from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from accounts.actors import PORTAL
from energy_portal.shared.errors import Invalid
from meters.models import Job
from meters.services import jobs
from meters.services.jobs import queue_job, resume_jobs, run_job

NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def elsewhere():
    """Try to take a job's lock in a session of its own, which keeps it."""
    other = connections.create_connection("default")

    def take(job):
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [f"job {job.pk}"])
            return cursor.fetchone()[0]

    yield take
    other.close()


def queued(**changes):
    job = queue_job(kind=Job.Kind.ARCHIVE, parameters={}, actor=PORTAL, now=NOW)
    Job.objects.filter(pk=job.pk).update(**changes)
    return job


def run(job, runner):
    return run_job(job_id=job.pk, runners={Job.Kind.ARCHIVE: runner}, now=NOW)


class TestRunJob:
    def test_keeps_the_report_and_does_a_job_once(self):
        job, calls = queued(), []

        for _ in range(2):
            run(job, lambda running: calls.append(running) or {"rows": 3})

        job.refresh_from_db()
        assert (job.status, job.report, len(calls)) == ("done", {"rows": 3}, 1)

    def test_tells_why_a_rule_refused(self):
        def refuse(_):
            raise Invalid("It cannot be.")

        job = run(queued(), refuse)

        assert (job.status, job.error) == ("failed", "It cannot be.")

    def test_leaves_a_job_of_a_worker_that_dies_to_the_next(self):
        def die(_):
            raise KeyboardInterrupt

        job = queued()
        with pytest.raises(KeyboardInterrupt):
            run(job, die)
        job.refresh_from_db()
        assert (job.status, job.finished_at) == ("running", None)

        assert run(job, lambda _: {}).status == "done"

    def test_leaves_a_job_alone_that_somebody_works_on(self, elsewhere):
        job, calls = queued(), []
        assert elsewhere(job)

        run(job, calls.append)

        assert calls == []

    def test_lets_go_of_a_job_that_ended(self, elsewhere):
        job, held = queued(), []

        run(job, lambda _: held.append(elsewhere(job)) or {})

        assert held == [False]
        assert elsewhere(job)


class TestResumeJobs:
    def test_asks_again_for_what_waits_and_for_nothing_else(self, monkeypatch):
        asked = []
        monkeypatch.setattr(jobs, "enqueue_on_commit", lambda _task, *, queue, job_id: asked.append(job_id))
        waiting = queued(created_at=NOW - timedelta(minutes=6))
        running = queued(created_at=NOW - timedelta(hours=1), status=Job.Status.RUNNING)
        queued(created_at=NOW - timedelta(minutes=1))
        queued(created_at=NOW - timedelta(hours=1), status=Job.Status.DONE)
        asked.clear()

        assert resume_jobs(now=NOW) == 2
        assert set(asked) == {waiting.pk, running.pk}
