"""Long work on behalf of somebody: asked for in a transaction, done by a worker, its progress for anyone to see."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import DomainError
from energy_portal.shared.jobs import enqueue_on_commit
from meters.models import Job
from meters.store.archive import try_session_lock, unlock_session

logger = logging.getLogger(__name__)

RUN_JOB = "meters.tasks.run_job"
_SECONDS_BETWEEN_NOTES = 0.5
_LONGEST_WAIT = timedelta(minutes=5)

Runner = Callable[["Running"], dict[str, Any]]


@dataclass
class Running:
    """A job while it is worked on: what it was asked, on whose behalf, and where its progress goes."""

    job: Job
    actor: Actor
    now: datetime
    _noted: float = 0.0

    def note(self, done: int, total: int | None = None, *, at_once: bool = False) -> None:
        """Show how far it is; written at most twice a second."""
        if not at_once and monotonic() - self._noted < _SECONDS_BETWEEN_NOTES:
            return
        self._noted = monotonic()
        self.job.done = done
        self.job.total = self.job.total if total is None else total
        Job.objects.filter(pk=self.job.pk).update(done=self.job.done, total=self.job.total)


_runners: dict[str, Runner] = {}
_queues: dict[str, str] = {}


def register_runner(kind: Job.Kind, runner: Runner, *, queue: str | None = None) -> None:
    """Have jobs of a kind done by an app above from now on; called when it is ready.

    :param queue: whose workers do them, where they would keep others waiting.
    """
    _runners[kind] = runner
    if queue is not None:
        _queues[kind] = queue


@transaction.atomic
def queue_job(
    *,
    kind: Job.Kind,
    parameters: dict[str, Any],
    actor: Actor,
    now: datetime,
    upload: str = "",
    upload_name: str = "",
) -> Job:
    """Ask for a job; a worker takes it once this is committed.

    :param upload: the name of its file below the upload folder.
    """
    job = Job.objects.create(
        kind=kind,
        parameters=parameters,
        upload=upload,
        upload_name=upload_name,
        created_at=now,
        asked_by=actor.user,
        source=actor.source,
    )
    audit.record(action=f"job.{kind.value}", obj=job, actor=actor, now=now, **parameters)
    enqueue_on_commit(RUN_JOB, queue=_queues.get(kind), job_id=job.pk)
    return job


def run_job(*, job_id: UUID, runners: dict[str, Runner], now: datetime) -> Job:
    """Work a job off, unless somebody does or did; a runner must be such that it can be run again after a crash.

    What a runner returns is the job's report; a domain error ends it as failed, with its words. A worker that dies
    lets go of the job, and :func:`resume_jobs` has another take it.

    :param runners: of the kinds that no app above registered one for.
    :raises Job.DoesNotExist: there is no such job.
    """
    name = f"job {job_id}"
    if not try_session_lock(name):
        taken: Job = Job.objects.get(pk=job_id)
        return taken
    try:
        return _run(job_id, runners, now)
    finally:
        unlock_session(name)


def _run(job_id: UUID, runners: dict[str, Runner], now: datetime) -> Job:
    with transaction.atomic():
        job: Job = Job.objects.select_for_update(of=("self",)).select_related("asked_by", "source").get(pk=job_id)
        if job.status in {Job.Status.DONE, Job.Status.FAILED}:
            return job
        job.status, job.started_at = Job.Status.RUNNING, now
        job.save(update_fields=("status", "started_at"))
    running = Running(job, Actor(user=job.asked_by, source=job.source), now)
    try:
        job.report = {**runners, **_runners}[job.kind](running)
        job.status = Job.Status.DONE
    except DomainError as error:
        job.status, job.error = Job.Status.FAILED, error.detail
    except Exception:
        logger.exception("The job %s failed", job.pk)
        job.status, job.error = Job.Status.FAILED, "It failed for a reason that the log holds."
        raise
    finally:
        if job.status != Job.Status.RUNNING:
            job.finished_at = timezone.now()
        job.save(update_fields=("status", "report", "error", "finished_at", "done", "total", "result"))
    return job


def resume_jobs(*, now: datetime) -> int:
    """Ask again for the jobs that have waited for some minutes, or whose worker may have died; return how many.

    One that somebody still works on is left to them.
    """
    waiting = Job.objects.filter(
        status__in=(Job.Status.QUEUED, Job.Status.RUNNING), created_at__lt=now - _LONGEST_WAIT
    ).values_list("pk", "kind")
    for job_id, kind in waiting:
        enqueue_on_commit(RUN_JOB, queue=_queues.get(kind), job_id=job_id)
    return len(waiting)
