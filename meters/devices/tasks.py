"""Background work of devices."""

from celery import shared_task
from django.utils import timezone

from meters.devices.services import hours

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
