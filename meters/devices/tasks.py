"""Background work of devices."""

from celery import shared_task
from django.utils import timezone

from meters.devices.services import hours, retention, state, watching

# A run ends before the next ones pile up behind it, however much there is to do.
_ROUNDS = 100


@shared_task
def roll_up_hours() -> int:
    """Roll up the hours that closed and those that late data touched; harmless when several workers do so at once."""
    hours.close_hours(now=timezone.now())
    done = 0
    for _ in range(_ROUNDS):
        worked_off = hours.roll_up_next(now=timezone.now())
        if not worked_off:
            break
        done += worked_off
    return done


@shared_task
def refresh_states() -> int:
    """Bring devices' states up to date by what was just received; every few seconds, several workers may at once."""
    return state.refresh_states(now=timezone.now()).samples


@shared_task
def watch_devices() -> int:
    """Catch up with what came late, call silent devices offline, raise and end alarms of them; twice a minute."""
    now = timezone.now()
    state.refresh_late(now=now)
    watching.watch_silence(now=now)
    watching.end_alarms_of_retired(now=now)
    return state.silence_devices(now=now)


@shared_task
def make_sample_days() -> list[str]:
    """Make the partitions of samples that the coming days need; daily, days before they are needed."""
    return retention.make_days_ahead(now=timezone.now())


@shared_task
def archive_samples() -> None:
    """Ask for the archive's run over samples that are older than the retention; daily."""
    retention.ask_for_archive(now=timezone.now())
