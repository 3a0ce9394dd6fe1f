"""Background work of metering."""

from uuid import UUID

from asgiref.sync import async_to_sync
from celery import shared_task
from channels.layers import get_channel_layer
from django.utils import timezone

from meters.models import Job
from meters.services import alarms, deliveries, directory, estimating, flagging, gaps, jobs, uploads
from meters.services.archive_runs import run_archive, run_restore
from meters.services.bindings_import import run_bindings_import
from meters.services.exports import run_export
from meters.services.file_imports import run_import
from meters.services.jobs import Runner
from meters.services.partitions import make_partitions_ahead
from meters.services.rehearsals import run_rehearsal
from meters.services.rollups import roll_up_pending

# A run ends before the next ones pile up behind it, however much there is to do.
_ROUNDS = 100
# An archive's run over many large days is worked off by one job; it commits day by day.
_LONGEST_JOB_SECONDS = 24 * 3_600


@shared_task
def make_partitions() -> list[str]:
    """Make the partitions that the coming months need; daily, months before they are needed."""
    return make_partitions_ahead(now=timezone.now())


@shared_task
def settle() -> None:
    """Work off what writes of readings left to be done; harmless when several workers do so at once."""
    for step in (flagging.flag_pending, roll_up_pending):
        for _ in range(_ROUNDS):
            if not step(now=timezone.now()):
                break


@shared_task
def watch_gaps() -> None:
    """Say where readings are missing, and estimate what can be; harmless when several workers do so at once."""
    now = timezone.now()
    gaps.open_gaps(now=now)
    estimating.estimate_pending(now=now)


@shared_task
def deliver_events() -> int:
    """Hand events to the apps that wait for them; several workers may do so at once."""
    return deliveries.deliver_events(now=timezone.now())


_RUNNERS: dict[str, Runner] = {
    Job.Kind.IMPORT_READINGS: run_import,
    Job.Kind.ARCHIVE: run_archive,
    Job.Kind.RESTORE_ARCHIVE: run_restore,
    Job.Kind.IMPORT_BINDINGS: run_bindings_import,
    Job.Kind.REHEARSAL: run_rehearsal,
    Job.Kind.EXPORT_READINGS: run_export,
}


@shared_task(time_limit=_LONGEST_JOB_SECONDS)
def run_job(*, job_id: str) -> None:
    """Work off what somebody asked for; the report stands in the job."""
    jobs.run_job(job_id=UUID(job_id), runners=_RUNNERS, now=timezone.now())


@shared_task
def resume_jobs() -> int:
    """Have jobs taken up again whose worker died, or whose message was lost; every few minutes."""
    return jobs.resume_jobs(now=timezone.now())


@shared_task
def forget_files() -> int:
    """Remove the files of jobs that ended long ago; daily."""
    return uploads.forget_files(now=timezone.now())


@shared_task
def forget_registry_changes() -> int:
    """Shorten the log of changes of the registry; daily."""
    return directory.forget_changes(now=timezone.now())


@shared_task
def advance_alarms() -> int:
    """Do what the passing of time brings to alarms, and tell pages what a lost message did not."""
    changed = alarms.advance(now=timezone.now())
    tell_of_alarms()
    return changed


@shared_task(name=alarms.TELL_TASK)
def tell_of_alarms() -> int:
    """Tell open pages that alarms have changed; what the newest state is, each page's connection looks up itself."""
    told, groups = alarms.pages_to_tell()
    layer = get_channel_layer()
    for group in sorted(groups):
        async_to_sync(layer.group_send)(group, {"type": "changed"})
    alarms.mark_sent(told, timezone.now())
    return len(told)


@shared_task
def mail_about_alarms() -> int:
    """Mail what is news of alarms, one digest a person; several workers may be told to at once."""
    return alarms.send_digests(now=timezone.now())


@shared_task
def forget_alarm_notices() -> int:
    """Drop news of alarms that was told long ago; daily."""
    return alarms.forget_notices(now=timezone.now())
