"""Forecasts: by night for everybody, on demand for one; what was said of an origin once stands."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.clock import local_day
from energy_portal.shared.errors import Invalid
from meters.insights.clockwork import SLOT_SECONDS, Floats, Grid, Ints, midnight_slot, unfold
from meters.insights.features import AHEAD, HISTORY_DAYS
from meters.insights.forecasters.registry import BLEND, WEEKDAY_MEANS
from meters.insights.forecasters.serving import Foretold, forecast
from meters.insights.models import Forecast, ForecastModel, Subject
from meters.insights.selectors.models import active_model
from meters.insights.selectors.series import AT_ONCE, half_hour_grids
from meters.insights.selectors.subjects import Series, find_series, series_page
from meters.insights.selectors.surroundings import SurroundingsBook
from meters.services.jobs import Running

_HALF_HOUR = timedelta(seconds=SLOT_SECONDS)
_MOST_PERCENT = 100.0
_WHY = {
    Forecast.Reason.NO_DATA: "Nothing is known of the weeks before.",
    Forecast.Reason.GAPS: "Too much is missing in the weeks before.",
    Forecast.Reason.COLD_START: "Too little is known yet: fourteen days are needed.",
    Forecast.Reason.FLAT: "Nothing was used in the weeks before.",
    Forecast.Reason.NO_MODEL: "No model was taught yet.",
}
_INSTEAD = "Instead, {} told."
_NAIVE = {WEEKDAY_MEANS: "the means of the same weekdays of the last four weeks"}
_WEEK_BEFORE = "the half-hours of the week before"


class NotYet(Invalid):
    """An origin lies in the future."""

    code = "origin_in_future"


def origin_at(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the last local midnight at or before an instant: from where forecasts look ahead."""
    return local_day(now.astimezone(zone).date(), zone).start


def make_forecasts(
    *,
    series: Sequence[Series],
    origin: datetime,
    now: datetime,
    book: SurroundingsBook | None = None,
    refused_again: bool = False,
) -> int:
    """Forecast series of one kind and clock from a midnight on, and keep what was said; return how many were made.

    Those of whom something stands are left as they are. Nothing that ends after the origin is looked at. Several may
    do so at once: the first word stands.

    :param origin: a local midnight of theirs, not after ``now``.
    :param book: what surrounds them, as known now.
    :param refused_again: try again with those that were refused, since more may be known by now.
    :raises NotYet: the origin lies ahead.
    """
    if origin > now:
        raise NotYet(f"{origin.isoformat()} lies ahead.")
    asked = _without_word(series, origin, refused_again=refused_again)
    if not asked:
        return 0
    kind, zone = asked[0].kind, asked[0].zone
    slot = midnight_slot(origin, zone)
    grids = half_hour_grids(asked, until=origin, days=HISTORY_DAYS)
    found = active_model(kind.value)
    model, speaker = found or (None, None)
    told = forecast(
        speaker,
        grids,
        np.full(len(asked), slot, dtype=np.int64),
        surroundings=(book or SurroundingsBook(known_at=now, days=HISTORY_DAYS)).of(asked),
        forecaster=model.algorithm if model else BLEND,
    )
    rows = [
        _row(each, grid, word, model, origin=origin, now=now)
        for each, grid, word in zip(asked, grids, told, strict=True)
    ]
    if not refused_again:
        # Of places that are read once a month there is no word to keep every night.
        rows = [row for row in rows if row.median or row.reason != Forecast.Reason.NO_DATA]
    return _kept(rows, refused_again=refused_again) if rows else 0


def forecast_now(*, kind: Subject, subject: str, actor: Actor, now: datetime) -> Forecast:
    """Return the forecast of a subject from the last local midnight on; it is made where none stands.

    One that was refused is tried again.

    :raises NoSuchSeries: nothing goes by that name.
    """
    series = find_series(kind=kind, subject=subject, at=now)
    origin = origin_at(now, series.zone)
    with transaction.atomic():
        made = make_forecasts(series=[series], origin=origin, now=now, refused_again=True)
        found: Forecast = _standing([series], origin).select_related("model").get()
        if made:
            audit.record(action="forecast.made", obj=found, actor=actor, now=now, origin=origin)
    return found


def make_all(
    *,
    kind: Subject,
    zone: str,
    origin: datetime,
    now: datetime,
    book: SurroundingsBook,
    note: Callable[[int], object] = lambda _: None,
) -> tuple[int, int]:
    """Forecast all series of a kind and clock from an origin on, page by page.

    :param note: is told how many are done.
    :returns: how many series there are, and how many forecasts were made.
    """
    after, seen, made = "", 0, 0
    while page := series_page(kind=kind, zone=zone, at=origin, after=after, limit=AT_ONCE):
        made += make_forecasts(series=page, origin=origin, now=now, book=book)
        seen, after = seen + len(page), page[-1].subject
        note(seen)
        if not after:
            break
    return seen, made


def run_forecasts(running: Running) -> dict[str, Any]:
    """Forecast all series of a kind and clock from an origin on; a job's runner."""
    asked = running.job.parameters
    kind, origin = Subject(asked["subject_kind"]), datetime.fromisoformat(asked["origin"])
    book = SurroundingsBook(known_at=running.now, days=HISTORY_DAYS)
    seen, made = make_all(kind=kind, zone=asked["zone"], origin=origin, now=running.now, book=book, note=running.note)
    running.note(seen, seen, at_once=True)
    return {"series": seen, "forecasts": made, "origin": origin.isoformat()}


def forget_forecasts(*, before: datetime) -> int:
    """Delete the forecasts of origins before an instant, with their scores; return how many."""
    deleted, by_model = Forecast.objects.filter(origin__lt=before).delete()
    return by_model.get(Forecast._meta.label, 0) if deleted else 0


def _standing(series: Sequence[Series], origin: datetime) -> Any:
    first = series[0]
    names = [each.subject for each in series]
    return Forecast.objects.filter(subject_kind=first.kind, subject__in=names, quantity=first.quantity, origin=origin)


def _without_word(series: Sequence[Series], origin: datetime, *, refused_again: bool) -> list[Series]:
    if not series:
        return []
    standing = _standing(series, origin)
    if refused_again:
        standing = standing.exclude(median=[])
    told = set(standing.values_list("subject", flat=True))
    return [each for each in series if each.subject not in told]


@transaction.atomic
def _kept(rows: Sequence[Forecast], *, refused_again: bool) -> int:
    """Keep what nobody has said yet, and what can be said now of those that were refused."""
    refused = {}
    if refused_again:
        names = {row.subject: row for row in rows}
        first = rows[0]
        standing = Forecast.objects.select_for_update().filter(
            subject_kind=first.subject_kind,
            subject__in=names,
            quantity=first.quantity,
            origin=first.origin,
            median=[],
        )
        refused = dict(standing.values_list("subject", "pk"))
    told_now = [row for row in rows if row.subject in refused and row.median]
    for row in told_now:
        row.pk = refused[row.subject]
        row.save(force_update=True)
    fresh = [row for row in rows if row.subject not in refused]
    Forecast.objects.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh) + len(told_now)


def _row(
    series: Series, grid: Grid, told: Foretold, model: ForecastModel | None, *, origin: datetime, now: datetime
) -> Forecast:
    reason = Forecast.Reason(told.reason)
    slot = midnight_slot(origin, series.zone)
    parts = {name: _on_the_clock(series, slot, getattr(told, name)) for name in ("median", "mean", "low", "high")}
    return Forecast(
        subject_kind=series.kind,
        subject=series.subject,
        label=series.label,
        account_id=series.account_id,
        region_id=series.region_id,
        quantity=series.quantity,
        cohort=series.cohort,
        zone=series.zone.key,
        origin=origin,
        issued_at=now,
        known_until=_known_until(grid, origin, series.zone),
        day_naive_mae=told.day_naive_mae,
        forecaster=told.forecaster,
        model=None if reason else model,
        reason=reason,
        reason_text=_reason_text(reason, told.forecaster),
        **parts,
    )


def _on_the_clock(series: Series, slot: int, values: Floats | None) -> list[float]:
    """Return a value a half-hour that there is, none where nothing was told."""
    if values is None:
        return []
    if series.kind is Subject.BATTERY:
        values = np.clip(values, 0.0, _MOST_PERCENT)
    found: list[float] = values[_slots_that_come(slot, series.zone)].astype(np.float32).tolist()
    return found


@lru_cache(maxsize=64)
def _slots_that_come(slot: int, zone: ZoneInfo) -> Ints:
    """Return, for each real half-hour of the days after a midnight, the place of its value: alike for a whole night."""
    return unfold(slot, np.arange(AHEAD, dtype=np.float64), zone)[1].astype(np.int64)


def _known_until(grid: Grid, origin: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the end of the newest half-hour that is known."""
    known = np.flatnonzero(np.isfinite(grid.values))
    if not len(known):
        return None
    slot = grid.first + int(known[-1])
    wall = datetime.fromtimestamp(slot * SLOT_SECONDS, UTC).replace(tzinfo=zone, fold=1)
    return min(wall.astimezone(UTC) + _HALF_HOUR, origin)


def _reason_text(reason: Forecast.Reason, forecaster: str) -> str:
    if not reason:
        return ""
    why = _WHY[reason]
    return f"{why} {_INSTEAD.format(_NAIVE.get(forecaster, _WEEK_BEFORE))}" if forecaster else why
