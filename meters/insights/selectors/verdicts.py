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
from meters.insights.spotting.weeks import CELLS, cells_of

REMEMBERED = timedelta(weeks=6)
# Half-hours of the week on both sides that are as good as those that were meant.
_LEEWAY = 2
_LEAST_SHARE = 0.8
# What was still going on when somebody called it normal may go on for a while.
_LASTING = 24


# These are another thing than much or little use, and are meant by nothing else.
_BY_THEMSELVES = frozenset({Anomaly.Kind.ZERO_RUN.value, Anomaly.Kind.STUCK.value})


@dataclass(frozen=True)
class Allowance:
    """That more than usual is normal at some half-hours of the week, Monday 00:00 being 0, or less than usual.

    What is called a spike at first may be a change of level later on: to those who live there it is the same.
    """

    kind: str
    is_more: bool
    cells: frozenset[int]

    def covers(self, kind: str, *, is_more: bool, cells: Collection[int]) -> bool:
        """Tell whether an anomaly is of what is allowed, nearly all of it."""
        alike = kind == self.kind if _BY_THEMSELVES & {kind, self.kind} else is_more == self.is_more
        return alike and len(self.cells.intersection(cells)) >= _LEAST_SHARE * len(cells)


def allowances(kind: Subject, subjects: Collection[str], *, now: datetime) -> dict[str, list[Allowance]]:
    """Return what is allowed of subjects: what was called normal in the last six weeks. Two queries."""
    judged = Anomaly.objects.filter(
        subject_kind=kind, subject__in=subjects, verdict=Anomaly.Verdict.NORMAL, verdict_at__gt=now - REMEMBERED
    )
    columns = ("subject", "kind", "energy_kwh", "start", "end", "closed_at", "verdict_at")
    rows = list(judged.order_by("id").values_list(*columns))
    zones = Baseline.objects.filter(subject_kind=kind, subject__in={row[0] for row in rows})
    clocks = {subject: zone_named(name) for subject, name in zones.values_list("subject", "zone")}
    found: dict[str, list[Allowance]] = defaultdict(list)
    for subject, called, energy, start, end, closed_at, verdict_at in rows:
        if subject in clocks:
            until = end + (_LASTING * HALF_HOUR if closed_at == verdict_at else _LEEWAY * HALF_HOUR)
            cells = cells_between(start - _LEEWAY * HALF_HOUR, until, clocks[subject])
            found[subject].append(Allowance(called, energy > 0, cells))
    return found


def cells_between(start: datetime, end: datetime, zone: ZoneInfo) -> frozenset[int]:
    """Return the half-hours of the week that a stretch lies in, on a clock."""
    first, count = int(start.timestamp()), max((end - start) // HALF_HOUR, 1)
    starts = first + SLOT_SECONDS * np.arange(min(count, CELLS), dtype=np.int64)
    return frozenset(cells_of(slots_of(starts, zone)).tolist())
