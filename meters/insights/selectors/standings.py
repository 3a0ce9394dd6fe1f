"""How far a model beats, or does not beat, what anybody could say, on the days on which it spoke."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db.models import Count, F, Max, Min, Q, Sum

from meters.insights.forecasters.registry import WEEK_NAIVE, WEEKDAY_MEANS
from meters.insights.models import ForecastModel, ScoreDay

LEAST_DAYS = 7


@dataclass(frozen=True)
class Standing:
    """A model beside the means of the weekday, over the same half-hours.

    :ivar ratio: its error by theirs, each meter's errors by its own usual error; below 1 it is the better one.
    """

    ratio: float
    days: int
    first: date
    last: date

    @property
    def words(self) -> str:
        """Over which days that is."""
        return f"on {self.days} days from {self.first} to {self.last}"


def standing_of(model: ForecastModel, *, since: date | None = None) -> Standing | None:
    """Return how a model did of late; None while too few days are scored. Two queries.

    :param since: the first day that counts; its own last fortnight unless told.
    """
    rows = ScoreDay.objects.filter(model=model, measured__gt=0)
    own = Q(is_told=True) & ~Q(forecaster__in=(WEEK_NAIVE, WEEKDAY_MEANS))
    means = Q(is_told=False, forecaster=WEEKDAY_MEANS)
    if since is None:
        last = rows.filter(own).aggregate(last=Max("day"))["last"]
        if last is None:
            return None
        since = last - timedelta(days=settings.FORECAST_WORSE_DAYS - 1)
    found = rows.filter(day__gte=since).aggregate(
        days=Count("day", filter=own, distinct=True),
        first=Min("day", filter=own),
        last=Max("day", filter=own),
        error=Sum(F("scaled_error"), filter=own),
        half_hours=Sum("measured", filter=own),
        means_error=Sum(F("scaled_error"), filter=means),
        means_half_hours=Sum("measured", filter=means),
    )
    if found["days"] < LEAST_DAYS or not found["means_error"]:
        return None
    ratio = found["error"] / found["half_hours"] / (found["means_error"] / found["means_half_hours"])
    return Standing(ratio, found["days"], found["first"], found["last"])
