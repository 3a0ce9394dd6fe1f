"""How far a model beats, or does not beat, what anybody could say, on the days on which it spoke."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from django.conf import settings
from django.db.models import Count, F, Max, Min, Q, Sum

from accounts.models import User
from meters.insights.forecasters.registry import WEEK_NAIVE, WEEKDAY_MEANS
from meters.insights.models import ForecastModel, ForecastScore, ScoreDay
from meters.insights.selectors.scoreboard import Asked, Row, rows_by
from meters.insights.tallies import Figures, Tally, figures_of

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


@dataclass(frozen=True)
class Worst:
    """A subject whose forecast did badly on its newest day that is scored."""

    subject_kind: str
    subject: str
    label: str
    day: date
    figures: Figures


def models_now(user: User | None, asked: Asked) -> list[tuple[ForecastModel, Row]]:
    """Return the models that spoke on the days that are asked for, each with how it did, newest first. Two queries."""
    told = replace(asked, only={**asked.only, "is_told": True})
    rows = [row for row in rows_by(user, told, ("model_id",)) if row.model_id is not None]
    models = ForecastModel.objects.defer("content").in_bulk([row.model_id for row in rows])
    found = [(models[row.model_id], row) for row in rows if row.model_id in models]
    return sorted(found, key=lambda each: (each[0].cohort, -each[0].version))


def worst_of(user: User, *, cohort: str, day_ahead: int, most: int = 10) -> list[Worst]:
    """Return the subjects of a cohort that were told worst on the newest day that is scored. Two queries.

    :param user: who asks; only what they may see is among them.
    """
    scores = ForecastScore.objects.visible_to(user).filter(
        cohort=cohort, day_ahead=day_ahead, is_told=True, measured__gt=0
    )
    newest = scores.order_by("-day").values_list("day", flat=True).first()
    if newest is None:
        return []
    error = (F("scaled_error") / F("measured")).desc()
    by_error = scores.filter(day=newest).select_related("forecast").order_by(error, "pk")
    return [
        Worst(row.forecast.subject_kind, row.forecast.subject, row.forecast.label, row.day, figures_of(Tally.of(row)))
        for row in by_error[:most]
    ]
