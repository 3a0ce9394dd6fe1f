"""Background work about anomalies."""

from celery import shared_task
from django.utils import timezone

from meters.insights.services.baselines import refresh_baselines
from meters.insights.services.detectors import teach_detectors
from meters.insights.services.settling import end_silent
from meters.insights.services.verdicts import wake_snoozed
from meters.insights.services.watching import score_arrivals

# A run ends before the next ones pile up behind it, however much there is to do.
_ROUNDS = 100
# What is usual of a city of 33,000 meters is learnt anew within a day, some minutes of each hour.
_LEARNT_AT_ONCE = 1_500


@shared_task
def score() -> None:
    """Score the half-hours that arrived; harmless when several workers do so at once."""
    wake_snoozed(now=timezone.now())
    for _ in range(_ROUNDS):
        if not score_arrivals(now=timezone.now()):
            break


@shared_task
def learn() -> int:
    """Learn what is usual of service points where a week went by since, some of them; hourly."""
    end_silent(now=timezone.now())
    return refresh_baselines(now=timezone.now(), most=_LEARNT_AT_ONCE)


@shared_task
def teach() -> None:
    """Teach the learnt detectors anew; weekly."""
    teach_detectors(now=timezone.now())
