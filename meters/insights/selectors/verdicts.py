"""What people called normal lately, so that the same at the same hours of the week alerts nobody."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from energy_portal.shared.clock import HALF_HOUR
from energy_portal.shared.clock import zone as zone_named
from meters.insights.clockwork import SLOT_SECONDS, slots_of
from meters.insights.models import Anomaly, Baseline, Subject
from meters.insights.spotting.usual import CELLS, cells_of

REMEMBERED = timedelta(weeks=6)
# Half-hours of the week on both sides that are as good as those that were meant.
_LEEWAY = 2
_LEAST_SHARE = 0.8
# What was still going on when somebody called it normal may go on for a while.
_LASTING = 24


@dataclass(frozen=True)
class Allowance:
    """A kind of anomaly that is normal at some half-hours of the week, Monday 00:00 being 0."""

    kind: str
    cells: frozenset[int]

    def covers(self, kind: str, cells: Collection[int]) -> bool:
        """Tell whether an anomaly of a kind at some half-hours of the week is of what is allowed, nearly all of it."""
        return kind == self.kind and len(self.cells.intersection(cells)) >= _LEAST_SHARE * len(cells)


def allowances(kind: Subject, subjects: Collection[str], *, now: datetime) -> dict[str, list[Allowance]]:
    """Return what is allowed of subjects: what was called normal in the last six weeks. Two queries."""
    judged = Anomaly.objects.filter(
        subject_kind=kind, subject__in=subjects, verdict=Anomaly.Verdict.NORMAL, verdict_at__gt=now - REMEMBERED
    )
    columns = ("subject", "kind", "start", "end", "closed_at", "verdict_at")
    rows = list(judged.order_by("id").values_list(*columns))
    zones = Baseline.objects.filter(subject_kind=kind, subject__in={row[0] for row in rows})
    clocks = {subject: zone_named(name) for subject, name in zones.values_list("subject", "zone")}
    found: dict[str, list[Allowance]] = defaultdict(list)
    for subject, called, start, end, closed_at, verdict_at in rows:
        if subject in clocks:
            until = end + (_LASTING * HALF_HOUR if closed_at == verdict_at else _LEEWAY * HALF_HOUR)
            cells = cells_between(start - _LEEWAY * HALF_HOUR, until, clocks[subject])
            found[subject].append(Allowance(called, cells))
    return found


def cells_between(start: datetime, end: datetime, zone: ZoneInfo) -> frozenset[int]:
    """Return the half-hours of the week that a stretch lies in, on a clock."""
    first, count = int(start.timestamp()), max((end - start) // HALF_HOUR, 1)
    starts = first + SLOT_SECONDS * np.arange(min(count, CELLS), dtype=np.int64)
    return frozenset(cells_of(slots_of(starts, zone)).tolist())
