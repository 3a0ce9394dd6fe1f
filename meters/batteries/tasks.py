"""Background work of batteries."""

from celery import shared_task
from django.utils import timezone

from meters.batteries.services import partitions, quarters, watching

# A run ends before the next ones pile up behind it, however much there is to do.
_ROUNDS = 20


@shared_task
def roll_up_quarters() -> int:
    """Roll up the quarters that closed and those that late data touched; every minute, several workers may at once."""
    quarters.close_quarters(now=timezone.now())
    done = 0
    for _ in range(_ROUNDS):
        worked_off = quarters.roll_up_next()
        if not worked_off:
            break
        done += worked_off
    return done


@shared_task
def watch_batteries() -> int:
    """Raise and end alarms of what batteries tell; every few seconds, several workers may at once."""
    return watching.watch_batteries(now=timezone.now())


@shared_task
def watch_silent_batteries() -> int:
    """Raise and end alarms of batteries that are silent, and end those of retired ones; twice a minute."""
    now = timezone.now()
    return watching.watch_silence(now=now) + watching.end_alarms_of_retired(now=now)


@shared_task
def make_reading_months() -> list[str]:
    """Make the partitions that readings and quarters of the coming weeks need; daily, weeks before."""
    return partitions.make_months_ahead(now=timezone.now())
