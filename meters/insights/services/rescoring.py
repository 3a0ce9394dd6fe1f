"""What scores do when something happens to the readings behind them: forecasts of the stretch are looked at again."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q

from meters.insights.models import Forecast, Subject
from meters.insights.querysets import InsightQuerySet
from meters.models import Binding, DomainEvent, Meter, ServicePoint

CONSUMER = "insights_scores"
KINDS = frozenset(
    {DomainEvent.Kind.READING_SUPERSEDED, DomainEvent.Kind.GAP_CLOSED, DomainEvent.Kind.CHAIN_CHANGED},
)
# Older scores stay as they are: nobody chooses a model by them.
FARTHEST = timedelta(days=400)
# A sum over thousands of places moves little by one of them, and is added up anew a few times a day at most.
SUMS_WAIT = timedelta(hours=6)
_LONGEST_FORECAST = timedelta(hours=50)


def hear(event: DomainEvent, now: datetime) -> None:
    """Have the forecasts looked at again, of the place and of what it is a part of, that an event's stretch touches.

    Those that were not looked at yet will be anyway.
    """
    if event.service_point_id is None or event.start is None:
        return
    start, end = max(event.start, now - FARTHEST), event.end or now
    touched = Forecast.objects.filter(
        quantity=Forecast.Quantity.ENERGY,
        origin__gt=start - _LONGEST_FORECAST,
        origin__lt=end,
        scored_until__gt=start,
    )
    code = ServicePoint.objects.values_list("code", flat=True).get(pk=event.service_point_id)
    _mark(touched.filter(subject_kind=Subject.SERVICE_POINT, subject=code), now)
    for kind, names in _sums_with(event.service_point_id, DateTimeTZRange(event.start, event.end)).items():
        _mark(touched.filter(subject_kind=kind, subject__in=names), now + SUMS_WAIT)


def _sums_with(service_point_id: UUID, stretch: DateTimeTZRange) -> dict[Subject, list[str]]:
    """Return what a place is, or was in a stretch, a part of."""
    bindings = Binding.objects.filter(service_point=service_point_id, valid__overlap=stretch)
    meters = Meter.objects.filter(
        installations__service_point=service_point_id, installations__valid__overlap=stretch, region__isnull=False
    )
    return {
        Subject.ACCOUNT: list(bindings.values_list("account__number", flat=True)),
        Subject.REGION: list(meters.order_by().values_list("region__name", flat=True).distinct()),
        Subject.PORTAL: [""],
    }


def _mark(forecasts: InsightQuerySet, at: datetime) -> None:
    """Have forecasts looked at again at an instant, unless they are sooner; locked in the order of their keys."""
    later = forecasts.filter(Q(look_again_at=None) | Q(look_again_at__gt=at))
    keys = list(later.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
    if keys:
        Forecast.objects.filter(pk__in=keys).update(look_again_at=at)
