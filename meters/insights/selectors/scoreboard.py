"""How forecasts did over a period: by cohort, model, forecaster, day or subject, always made of sums."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum

from accounts.models import User
from accounts.roles import DESK_ROLES
from energy_portal.shared.errors import Invalid
from meters.insights.models import Forecast, ForecastScore, ScoreDay
from meters.insights.tallies import NAMES, Figures, Tally, figures_of

USUAL_DAYS = 28
LONGEST = timedelta(days=400)
_EARLIEST = date.min + timedelta(days=USUAL_DAYS)


class WrongPeriod(Invalid):
    """A scoreboard is of some days, and not of more than it may hold."""

    code = "wrong_period"


class By(StrEnum):
    """What a scoreboard has a row for, beside each forecaster and day ahead."""

    COHORT = "cohort"
    MODEL = "model"
    FORECASTER = "forecaster"
    DAY = "day"
    SUBJECT = "subject"


_DIMENSIONS: Mapping[By, tuple[str, ...]] = {
    By.COHORT: ("cohort", "quantity", "forecaster", "day_ahead"),
    By.MODEL: ("cohort", "quantity", "forecaster", "version", "model_id", "day_ahead"),
    By.FORECASTER: ("quantity", "forecaster", "day_ahead"),
    By.DAY: ("day", "cohort", "quantity", "forecaster", "day_ahead"),
    By.SUBJECT: ("subject_kind", "subject", "quantity", "forecaster", "day_ahead"),
}
# Where single scores, which know of their forecast, have what the sums by day have themselves.
_OF_FORECAST = {
    "subject_kind": "forecast__subject_kind",
    "subject": "forecast__subject",
    "region": "forecast__region__name",
    "version": "model__version",
}
_OF_DAY = {"region": "region__name", "version": "model__version"}


@dataclass(frozen=True)
class Asked:
    """Which scores are looked at: those of forecasts that began on days ``[first, after)``, and only some of them.

    :ivar only: by the names of what rows hold, as ``cohort`` or ``day_ahead``; ``region`` by its name.
    """

    first: date
    after: date
    only: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_of_subjects(self) -> bool:
        """Tell whether single subjects are asked for, of which sums know nothing."""
        return bool({"subject", "subject_kind"} & self.only.keys())


@dataclass(frozen=True)
class Row:
    """How a forecaster did; what the rows of a scoreboard are not told apart by is empty.

    :ivar version: of the model; 0 where none was beside it.
    """

    figures: Figures
    forecasts: int
    day: date | None = None
    cohort: str = ""
    quantity: str = ""
    forecaster: str = ""
    day_ahead: int | None = None
    version: int = 0
    model_id: UUID | None = None
    subject_kind: str = ""
    subject: str = ""


def period_of(*, now: datetime, zone: ZoneInfo, first: date | None, after: date | None) -> tuple[date, date]:
    """Return the days ``[first, after)`` that are meant: the last 28, today among them, unless told.

    :raises WrongPeriod: it is empty, or longer than 400 days.
    """
    after = after or now.astimezone(zone).date() + timedelta(days=1)
    first = first or max(after, _EARLIEST) - timedelta(days=USUAL_DAYS)
    if not timedelta(0) < after - first <= LONGEST:
        raise WrongPeriod(f"A scoreboard is of one day at least and {LONGEST.days} at most.")
    return first, after


def rows_by(user: User | None, asked: Asked, dimensions: Sequence[str]) -> list[Row]:
    """Return a row for each combination of dimensions, in their order. One query.

    :param user: who asks; None: a data source, which sees everything.
    """
    scores, names = _scores_for(user, asked)
    return [_row(found, names) for found in _summed(scores, names, dimensions)]


class Board:
    """The rows of a scoreboard in pages, each by a fixed number of queries."""

    ordering: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, user: User | None, asked: Asked, by: By) -> None:
        self._user, self._asked, self._by = user, asked, by
        self._dimensions = _DIMENSIONS[by]
        self.ordering = tuple(name for name in self._dimensions if name != "model_id")  # type: ignore[misc]

    def page(self, *, limit: int, backwards: bool = False, beyond: Sequence[Any] | None = None) -> list[Row]:
        """Return the next rows beyond one that is given by its values in the order, against it when backwards.

        :raises ValueError: no row has such values.
        """
        place = None if beyond is None else self._place(beyond)
        if self._by is By.SUBJECT:
            return self._subjects(limit, backwards, place)[:limit]
        rows = rows_by(self._user, self._asked, self._dimensions)
        return self._beyond(rows, backwards, place)[:limit]

    def _subjects(self, limit: int, backwards: bool, place: tuple[Any, ...] | None) -> list[Row]:
        """Return the rows of as many subjects as a page may hold: a query, and one for each kind of them."""
        scores, names = _scores_for(self._user, self._asked, one_by_one=True)
        # Read off the index on subjects, whose order is the database's, up to as many as are wanted.
        scored = Forecast.objects.filter(Exists(scores.filter(forecast=OuterRef("pk"))))
        named = scored.order_by().values_list("subject_kind", "subject").distinct()
        if place is not None:
            kind, subject = place[:2]
            side = "lt" if backwards else "gt"
            named = named.filter(
                Q(**{f"subject_kind__{side}": kind}) | Q(subject_kind=kind, **{f"subject__{side}e": subject})
            )
        order = ("-subject_kind", "-subject") if backwards else ("subject_kind", "subject")
        found: dict[tuple[str, str], list[Row]] = {key: [] for key in named.order_by(*order)[: limit + 1]}
        for kind in {kind for kind, _ in found}:
            subjects = [subject for its_kind, subject in found if its_kind == kind]
            of_kind = scores.filter(forecast__subject_kind=kind, forecast__subject__in=subjects)
            for each in _summed(of_kind, names, self._dimensions):
                row = _row(each, names)
                found[row.subject_kind, row.subject].append(row)
        return [
            row
            for key, rows in found.items()
            for row in self._beyond(rows, backwards, place if place is not None and place[:2] == key else None)
        ]

    def _beyond(self, rows: Sequence[Row], backwards: bool, place: tuple[Any, ...] | None) -> list[Row]:
        """Return rows in order, or against it, without those up to a place."""
        if place is not None:
            rows = [row for row in rows if (self._key(row) < place if backwards else self._key(row) > place)]
        return sorted(rows, key=self._key, reverse=backwards)

    def _key(self, row: Row) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in self.ordering)

    def _place(self, beyond: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            date.fromisoformat(value) if name == "day" else int(value) if name in {"day_ahead", "version"} else value
            for name, value in zip(self.ordering, beyond, strict=True)
        )


def _scores_for(
    user: User | None, asked: Asked, *, one_by_one: bool = False
) -> tuple[QuerySet[Any, Any], Mapping[str, str]]:
    """Return the scores that somebody may see, added up by day where that tells enough, and what they call things."""
    only_sums = not (one_by_one or asked.is_of_subjects) and (user is None or user.role in DESK_ROLES)
    model, names = (ScoreDay, _OF_DAY) if only_sums else (ForecastScore, _OF_FORECAST)
    rows: QuerySet[Any, Any] = model.objects.all() if user is None else model.objects.visible_to(user)
    only = {names.get(name, name): value for name, value in asked.only.items()}
    return rows.filter(day__gte=asked.first, day__lt=asked.after, **only).order_by(), names


def _summed(
    scores: QuerySet[Any, Any], names: Mapping[str, str], dimensions: Sequence[str]
) -> QuerySet[Any, dict[str, Any]]:
    columns = [names.get(name, name) for name in dimensions]
    count = Sum("forecasts") if scores.model is ScoreDay else Count("pk")
    sums = {f"sum_{name}": Sum(F(name)) for name in NAMES}
    summed: QuerySet[Any, dict[str, Any]] = scores.values(*columns).annotate(count=count, **sums)
    return summed.order_by(*columns)


def _row(found: Mapping[str, Any], names: Mapping[str, str]) -> Row:
    back = {column: name for name, column in names.items()}
    sums = Tally.of({name: found[f"sum_{name}"] for name in NAMES})
    said = {back.get(name, name): value for name, value in found.items() if not name.startswith("sum_")}
    return Row(figures_of(sums), said.pop("count"), **{**said, **_version(said)})


def _version(said: Mapping[str, Any]) -> dict[str, int]:
    return {"version": said["version"] or 0} if "version" in said else {}
