"""The learnt detectors: taught by many series together, kept by version, the newest in force."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict
from meters.insights.models import Baseline, DetectorModel, Subject
from meters.insights.selectors.series import half_hour_grids
from meters.insights.selectors.subjects import series_named
from meters.insights.services.baselines import DAYS
from meters.insights.spotting import Taught, teach

SERIES = 300
KEPT = 8
FEWEST_SERIES = 5
_FIRST_SEED = 20_240_000
State = DetectorModel.State


class UnreadableDetectors(Conflict):
    """Other versions of libraries wrote them."""

    code = "unreadable_detectors"


def detectors_in_force() -> Taught | None:
    """Return the learnt detectors; None where none were taught, or other versions of libraries wrote them."""
    found = DetectorModel.objects.filter(state=State.ACTIVE).values_list("pk", "made_with").first()
    return _unpacked(found[0]) if found is not None and found[1] == made_with() else None


@transaction.atomic
def teach_detectors(*, now: datetime, most: int = SERIES) -> DetectorModel | None:
    """Teach the detectors by a sample of service points, and put them in force; None where too few are known.

    The same rows and version teach the same: the seed is the version's, the sample every so many of all in order. The
    newest eight versions are kept.
    """
    chosen = _sample(most)
    if len(chosen) < FEWEST_SERIES:
        return None
    until = max(row.until for row in chosen)
    series = series_named(kind=Subject.SERVICE_POINT, subjects=[row.subject for row in chosen], at=now)
    grids = half_hour_grids(series, until=until, days=DAYS)
    DetectorModel.objects.select_for_update().filter(state=State.ACTIVE).first()
    version = (DetectorModel.objects.aggregate(newest=Max("version"))["newest"] or 0) + 1
    taught = teach(grids, until=max(grid.after for grid in grids), seed=_FIRST_SEED + version)
    content = taught.pack()
    DetectorModel.objects.filter(state=State.ACTIVE).update(state=State.RETIRED, changed_at=now)
    DetectorModel.objects.filter(version__lte=version - KEPT).delete()
    return DetectorModel.objects.create(
        version=version,
        seed=_FIRST_SEED + version,
        state=State.ACTIVE,
        taught_at=now,
        taught_until=until,
        series=len(series),
        made_with=made_with(),
        content=content,
        digest=hashlib.sha256(content).hexdigest(),
        changed_at=now,
    )


@transaction.atomic
def put_in_force(*, model_id: UUID, actor: Actor, now: datetime) -> DetectorModel:
    """Have half-hours scored by other detectors from now on; those in force already stay so.

    :raises DetectorModel.DoesNotExist: there are no such detectors.
    :raises UnreadableDetectors: other versions of libraries wrote them.
    """
    rows = {row.pk: row for row in DetectorModel.objects.select_for_update().defer("content").order_by("version")}
    if model_id not in rows:
        raise DetectorModel.DoesNotExist
    chosen = rows[model_id]
    if chosen.made_with != made_with():
        raise UnreadableDetectors(f"They were written with {chosen.made_with}; here is {made_with()}.")
    if chosen.state == State.ACTIVE:
        return chosen
    DetectorModel.objects.filter(state=State.ACTIVE).update(state=State.RETIRED, changed_at=now)
    chosen.state, chosen.changed_at = State.ACTIVE, now
    chosen.save(update_fields=("state", "changed_at"))
    audit.record(action="detectors.put_in_force", obj=chosen, actor=actor, now=now, version=chosen.version)
    return chosen


def made_with() -> str:
    """Return the versions of the libraries that can read what is written now."""
    from importlib.metadata import version

    return f"scikit-learn {version('scikit-learn')}, numpy {version('numpy')}"


def _sample(most: int) -> Sequence[Baseline]:
    rows = Baseline.objects.filter(subject_kind=Subject.SERVICE_POINT).only("subject", "until").order_by("subject")
    known = list(rows)
    return known[:: max(len(known) // most, 1)][:most]


@lru_cache(maxsize=2)
def _unpacked(model_id: UUID) -> Taught:
    return Taught.unpack(bytes(DetectorModel.objects.values_list("content", flat=True).get(pk=model_id)))
