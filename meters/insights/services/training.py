"""Teaching models: a candidate shows on held-back days what it is worth, and the better one speaks from then on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Max

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.clock import zone as zone_named
from energy_portal.shared.errors import Conflict, Invalid
from meters.insights.clockwork import Floats, midnight_slot
from meters.insights.features import Samples
from meters.insights.forecasters.blending import Ahead
from meters.insights.forecasters.registry import BLEND, WEEKDAY_MEANS, Forecaster, named
from meters.insights.forecasters.serving import made_with, pack
from meters.insights.forecasters.training import FEWEST_ORIGINS, Lessons, lessons_of, newest
from meters.insights.models import ForecastModel, Subject
from meters.insights.scoring import score
from meters.insights.selectors.models import active_model
from meters.insights.selectors.series import half_hour_grids
from meters.insights.selectors.subjects import Series, series_sample
from meters.insights.selectors.surroundings import SurroundingsBook
from meters.insights.services.forecasting import origin_at
from meters.insights.services.models import put_into_force
from meters.insights.threads import one_thread
from meters.services.jobs import Running
from meters.store.archive import try_session_lock, unlock_session

SEED_BASE = 20_240_000
_JUDGED_DAYS = 28


class TooLittleKnown(Invalid):
    """There is not enough of a past to teach a model."""

    code = "too_little_known"


class TrainingRuns(Conflict):
    """Somebody teaches a model of this cohort already."""

    code = "training_runs"


@dataclass(frozen=True)
class _Taught:
    """What was taught, by how many series and days, and how it and others did on days that it had not seen."""

    model: Forecaster
    series: int
    origins: int
    measured: dict[str, Any]


def train_cohort(
    *, cohort: Subject, actor: Actor, now: datetime, algorithm: str = BLEND, most_origins: int | None = None
) -> ForecastModel:
    """Teach a model of a cohort by a sample of its series; the better of it and the active one speaks from then on.

    The same rows and version teach the same bytes. Nothing after the last local midnight of the site is looked at.

    :param most_origins: by how many days of all series together; as the settings say unless told.
    :raises TooLittleKnown: fewer than forty-two days, over all series, with a past and something after them.
    :raises TrainingRuns: somebody else is at it.
    """
    turn = f"training of {cohort.value}"
    if not try_session_lock(turn):
        raise TrainingRuns(f"A model of {cohort.label.lower()} series is being taught already.")
    try:
        return _trained(cohort, algorithm, actor, now, most_origins or settings.FORECAST_TRAINING_ORIGINS)
    finally:
        unlock_session(turn)


def run_training(running: Running) -> dict[str, Any]:
    """Teach the model of a cohort; a job's runner."""
    row = train_cohort(cohort=Subject(running.job.parameters["cohort"]), actor=running.actor, now=running.now)
    return {"model": str(row), "state": row.state, "reason": row.reason, "measured": row.measured}


def _trained(cohort: Subject, algorithm: str, actor: Actor, now: datetime, most_origins: int) -> ForecastModel:
    until = origin_at(now, zone_named(settings.SITE_ZONE))
    version = (ForecastModel.objects.filter(cohort=cohort).aggregate(n=Max("version"))["n"] or 0) + 1
    seed = SEED_BASE + version
    series = series_sample(kind=cohort, at=until, most=settings.FORECAST_TRAINING_SERIES, salt=str(seed))
    standing = active_model(cohort.value)
    lessons, count = _lessons(series, until, seed, most_origins)
    taught = _taught(lessons, count, algorithm, seed, standing[1] if standing else None)
    content = pack(taught.model)
    row = ForecastModel(
        cohort=cohort,
        version=version,
        algorithm=algorithm,
        seed=seed,
        trained_at=now,
        trained_until=until,
        series=taught.series,
        origins=taught.origins,
        measured=taught.measured,
        made_with=made_with(),
        content=content,
        digest=hashlib.sha256(content).hexdigest(),
        changed_at=now,
    )
    is_better, row.reason = _verdict(taught.measured, standing[0] if standing else None)
    row.state = ForecastModel.State.CANDIDATE if is_better else ForecastModel.State.REJECTED
    with transaction.atomic():
        row.save(force_insert=True)
        audit.record(action="forecast_model.trained", obj=row, actor=actor, now=now, reason=row.reason)
        if is_better:
            put_into_force(row, reason=row.reason, actor=actor, now=now)
    return row


def _taught(lessons: Lessons, count: int, algorithm: str, seed: int, standing: Forecaster | None) -> _Taught:
    if len(lessons) < FEWEST_ORIGINS:
        raise TooLittleKnown(f"{len(lessons)} days are known to learn from: at least {FEWEST_ORIGINS} are needed.")
    recipe = named(algorithm)
    is_new = newest(lessons.samples.slots[:, 0], _JUDGED_DAYS)
    early = Lessons(lessons.samples.only(~is_new), lessons.truths[~is_new])
    judged, truths = lessons.samples.only(is_new), lessons.truths[is_new]
    with one_thread():
        trial = recipe(early.samples, early.truths, early.held_back, seed=seed)
        measured = {"half_hours": int(np.isfinite(truths).sum()), "candidate": _measured(trial, judged, truths)}
        measured[WEEKDAY_MEANS] = _measured(_Usual(), judged, truths)
        if standing is not None:
            measured["active"] = _measured(standing, judged, truths)
        model = recipe(lessons.samples, lessons.truths, lessons.held_back, seed=seed)
    return _Taught(model, count, len(lessons), measured)


def _lessons(series: Sequence[Series], until: datetime, seed: int, most_origins: int) -> tuple[Lessons, int]:
    """Return what a sample of the days of series teaches, and by how many series."""
    days = settings.FORECAST_TRAINING_DAYS
    grids = half_hour_grids(series, until=until, days=days)
    around = SurroundingsBook(known_at=until, days=days, is_lesson=True).of(series)
    slot = midnight_slot(until, zone_named(settings.SITE_ZONE))
    random = np.random.default_rng(seed)
    most = max(most_origins // max(len(series), 1), 1)
    parts = []
    for grid, surroundings in zip(grids, around, strict=True):
        own = lessons_of([grid], until=slot, surroundings=[surroundings])
        if len(own) > most:
            chosen = np.sort(random.choice(len(own), most, replace=False))
            own = Lessons(own.samples.only(chosen), own.truths[chosen])
        if len(own):
            parts.append(own)
    if not parts:
        return lessons_of([], until=slot), 0
    joined = Lessons(Samples.joined([part.samples for part in parts]), np.concatenate([part.truths for part in parts]))
    return joined, len(parts)


class _Usual:
    """Says what is usual at the hour of the week: the means of the same weekdays."""

    def predict(self, samples: Samples) -> Ahead:
        said: Floats = samples.base * samples.scale[:, None]
        return Ahead(said, said, np.full_like(said, np.nan), np.full_like(said, np.nan))


def _measured(speaker: Forecaster, samples: Samples, truths: Floats) -> dict[str, float | None]:
    """Return how somebody did; each series counts by its own size."""
    ahead = speaker.predict(samples)
    size = samples.scale[:, None]
    found = score(
        truth=truths / size,
        median=ahead.median / size,
        mean=ahead.mean / size,
        low=ahead.low / size,
        high=ahead.high / size,
        day_naive_mae=None,
    )
    told = {"nmae": found.nmae, "bias": found.bias, "coverage": found.coverage}
    return {name: None if value is None else round(value, 5) for name, value in told.items()}


def _verdict(measured: dict[str, Any], standing: ForecastModel | None) -> tuple[bool, str]:
    """Tell whether the candidate shall speak, and why, in words."""
    own = measured["candidate"]["nmae"]
    rivals = {WEEKDAY_MEANS: "the means of the same weekdays", "active": f"version {standing and standing.version}"}
    if own is None:
        return False, "Nothing of the held-back days is known to judge it by."
    told = f"On the held-back days its error was {own:.2%} of the use"
    for name, words in rivals.items():
        other = measured.get(name, {}).get("nmae")
        if other is not None and own > other:
            return False, f"{told}; that of {words} was {other:.2%}."
    active = measured.get("active", {}).get("nmae")
    than = f", that of version {standing.version} {active:.2%}" if standing and active is not None else ""
    return True, f"{told}{than}."
