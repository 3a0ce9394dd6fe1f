"""What is done by the calendar: every night's forecasts, every week's models, and what is forgotten."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts.actors import PORTAL, Actor
from energy_portal.shared.clock import zone as zone_named
from meters.insights.features import HISTORY_DAYS
from meters.insights.models import Subject
from meters.insights.selectors.subjects import series_page, zones
from meters.insights.services.forecasting import forget_forecasts, origin_at
from meters.insights.services.models import forget_models
from meters.insights.services.weather import forget_weather
from meters.models import Job
from meters.services.jobs import queue_job


def queue_due_nights(*, now: datetime) -> list[Job]:
    """Ask for the forecasts of the zones whose night has come, unless somebody did; return the jobs.

    A night that was missed is made up for on its day.
    """
    due = [name for name in zones() if now.astimezone(zone_named(name)).hour >= settings.FORECAST_HOUR]
    return [job for name in due for job in queue_night(zone=name, actor=PORTAL, now=now)]


@transaction.atomic
def queue_night(*, zone: str, actor: Actor, now: datetime, kinds: tuple[Subject, ...] = tuple(Subject)) -> list[Job]:
    """Ask for the forecasts of a zone's series from its last midnight on, a job a kind; those asked for stand."""
    origin = origin_at(now, zone_named(zone))
    asked = []
    for kind in kinds:
        parameters = {"subject_kind": kind.value, "zone": zone, "origin": origin.isoformat()}
        standing = Job.objects.filter(kind=Job.Kind.FORECAST, parameters=parameters, created_at__gte=origin)
        if standing.exclude(status=Job.Status.FAILED).exists():
            continue
        if series_page(kind=kind, zone=zone, at=origin, after="", limit=1):
            asked.append(queue_job(kind=Job.Kind.FORECAST, parameters=parameters, actor=actor, now=now))
    return asked


@transaction.atomic
def queue_training(*, actor: Actor, now: datetime, cohorts: tuple[Subject, ...] = tuple(Subject)) -> list[Job]:
    """Ask for a new model of each cohort that has a series, a job a cohort; those that are under way stand."""
    asked = []
    for cohort in cohorts:
        under_way = Job.objects.filter(
            kind=Job.Kind.TRAIN_FORECASTS,
            parameters__cohort=cohort.value,
            status__in=(Job.Status.QUEUED, Job.Status.RUNNING),
        )
        has_any = any(series_page(kind=cohort, zone=name, at=now, after="", limit=1) for name in zones())
        if has_any and not under_way.exists():
            parameters = {"cohort": cohort.value}
            asked.append(queue_job(kind=Job.Kind.TRAIN_FORECASTS, parameters=parameters, actor=actor, now=now))
    return asked


def forget_old(*, now: datetime) -> int:
    """Drop forecasts, temperatures, and models that speak no more, when they are old enough; return how many."""
    forecasts = forget_forecasts(before=now - timedelta(days=settings.FORECAST_DAYS_KEPT))
    # What is left has to reach as far back as lessons and the weeks before them.
    kept = timedelta(days=settings.FORECAST_TRAINING_DAYS + 2 * HISTORY_DAYS)
    forecasts += forget_weather(before=now - kept)
    return forecasts + forget_models(now=now, keep=timedelta(days=settings.FORECAST_MODEL_DAYS_KEPT))
