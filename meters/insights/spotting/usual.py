"""What is usual of a series at each half-hour of the week, learnt from the weeks before a slot."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Grid, Ints
from meters.insights.spotting.course import Course, filtered, learn_course, unlikeliness
from meters.insights.spotting.evidence import evidence_of, highest, score_of
from meters.insights.spotting.measures import Laid, measures_of
from meters.insights.spotting.tails import Tails, tails_of
from meters.insights.spotting.weeks import (
    CELLS,
    FEWEST_KNOWN,
    WEEKS,
    cells_of,
    center_of,
    is_pooled,
    means_of,
    median,
    near,
    past_of,
    smooth,
)

_MAD = 1.4826
_LEAST_SPREAD = 0.02
_FARTHEST = 6.0
# What the past reached no more than this often, at least so many half-hours apart, is worth an alert.
_PEAKS = 4
_APART = SLOTS_A_DAY
_OPEN = (2.0, 5.0)


@dataclass(frozen=True, eq=False)
class Usual:
    """What is usual at each half-hour of the week from Monday 00:00 on, made of nothing at or after ``until``.

    :ivar median: (336,), kWh; NaN where nothing is known.
    :ivar spread: (336,), kWh: median absolute deviation, times 1.4826, never less than a little.
    :ivar figures: JSON-able: means of cells, spreads of changes, and what is rare of each measure.
    """

    until: int
    median: Floats
    spread: Floats
    figures: dict[str, Any]

    @property
    def mean(self) -> Floats:
        """(336,), kWh: for energy, where the median is for shape."""
        return np.array(self.figures["mean"], dtype=np.float64)

    def laid(self, slots: Ints) -> Laid:
        """Return what is usual at slots."""
        cells = cells_of(slots)
        change = np.array(self.figures["change"], dtype=np.float64)
        return Laid(self.median[cells], self.spread[cells], self.mean[cells], change[cells])

    def course(self) -> Course:
        """Return how the series goes on."""
        return Course.from_json(self.figures["course"])

    def tails(self) -> dict[str, Tails]:
        """Return what is rare of each measure."""
        return {name: Tails.from_json(told) for name, told in self.figures["tails"].items()}


def usual_of(grid: Grid, *, until: int) -> Usual | None:
    """Return what is usual before a slot, or nothing where fewer than three weeks are known.

    Each past week is measured against the other weeks, so that what is rare is told as of a week that is yet to come.

    :param until: a slot; nothing at or after it is looked at.
    """
    slots = np.arange(until - WEEKS * CELLS, until, dtype=np.int64)
    past = past_of(grid, until)
    if np.isfinite(past).sum() < FEWEST_KNOWN:
        return None
    weeks, cells = past.reshape(WEEKS, CELLS), cells_of(slots[:CELLS])
    scale = float(np.nanmean(np.abs(past)))
    pooled = is_pooled(weeks, cells)
    without = [center_of(np.delete(weeks, week, axis=0), cells, pooled=pooled) for week in range(WEEKS)]
    floor = max(_LEAST_SPREAD * scale, 1e-6)
    laid, whole = _laid(weeks, np.stack(without), cells, pooled=pooled, floor=floor)
    course = learn_course(past, slots)
    measured = measures_of(past, laid, quantum=floor)
    tails = {name: tails_of(values) for name, values in measured.items()}
    rare = {name: tails[name].rarity(values) for name, values in measured.items()}
    evidence = evidence_of(unlikeliness(filtered([course], [past], [slots])[0]), rare)
    peaks = highest(np.where(np.isfinite(past), evidence, 0.0), _PEAKS, apart=_APART)
    order = np.argsort(cells)
    return Usual(
        until,
        center_of(weeks, cells, pooled=pooled)[order],
        whole.spread[order],
        {
            "mean": [float(value) for value in whole.mean[order]],
            "change": [float(value) for value in whole.change[order]],
            "scale": scale,
            "quantum": floor,
            "open_at": float(score_of(np.clip(peaks[-1], *_OPEN))),
            "course": course.to_json(),
            "known": int(np.isfinite(past).sum()),
            "tails": {name: told.to_json() for name, told in tails.items()},
        },
    )


def _laid(weeks: Floats, centers: Floats, cells: Ints, *, pooled: bool, floor: float) -> tuple[Laid, Laid]:
    """Return what is usual at each slot of the past by the other weeks, flat, and by all weeks, (336,)."""
    spread = np.maximum(_MAD * smooth(median(near(np.abs(weeks - centers)))), floor)
    clipped = np.clip(weeks, centers - _FARTHEST * spread, centers + _FARTHEST * spread)
    known = np.isfinite(clipped)
    sums, counts = np.where(known, clipped, 0), known.astype(np.float64)
    mean = means_of(sums.sum(axis=0), counts.sum(axis=0), cells, pooled=pooled)
    others = np.stack(
        [
            means_of(sums.sum(axis=0) - sums[w], counts.sum(axis=0) - counts[w], cells, pooled=pooled)
            for w in range(len(weeks))
        ]
    )
    steps = np.diff(weeks.ravel() - centers.ravel(), prepend=np.nan).reshape(weeks.shape)
    change = np.maximum(_MAD * smooth(median(near(np.abs(steps)))), floor)
    wide = [np.broadcast_to(each, weeks.shape).ravel() for each in (spread, change)]
    return (
        Laid(centers.ravel(), wide[0], others.ravel(), wide[1]),
        Laid(np.empty(0), spread, mean, change),
    )
