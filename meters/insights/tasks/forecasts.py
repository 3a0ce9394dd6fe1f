from celery import shared_task
from django.utils import timezone

from accounts.actors import PORTAL
from meters.insights.services import nights


@shared_task
def ask_for_forecasts() -> int:
    """Ask for the forecasts of zones whose night has come; hourly, each night once."""
    return len(nights.queue_due_nights(now=timezone.now()))


@shared_task
def ask_for_training() -> int:
    """Ask for new models of all cohorts; weekly."""
    return len(nights.queue_training(actor=PORTAL, now=timezone.now()))


@shared_task
def forget_forecasts() -> int:
    """Drop what is older than the retention; daily."""
    return nights.forget_old(now=timezone.now())
