"""What is usual of a series at each half-hour of the week, learnt from the weeks before a slot."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Grid, Ints, weekdays_of
from meters.insights.spotting.measures import Laid, measures_of
from meters.insights.spotting.tails import Tails, join, tails_of

CELLS = 7 * SLOTS_A_DAY
WEEKS = 8
FEWEST_KNOWN = 3 * CELLS
_MAD = 1.4826
_WEEKEND = 5
_NEIGHBOURS = 1
_SPREAD_NEIGHBOURS = 2
_LEAST_SPREAD = 0.02
_FARTHEST = 6.0


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

    def tails(self) -> dict[str, Tails]:
        """Return what is rare of each measure, and of all joined."""
        return {name: Tails.from_json(told) for name, told in self.figures["tails"].items()}


def cells_of(slots: Ints) -> Ints:
    """Return the half-hours of the week, Monday 00:00 being 0."""
    return weekdays_of(slots) * SLOTS_A_DAY + slots % SLOTS_A_DAY


def usual_of(grid: Grid, *, until: int) -> Usual | None:
    """Return what is usual before a slot, or nothing where fewer than three weeks are known.

    Each past week is measured against the other weeks, so that what is rare is told as of a week that is yet to come.

    :param until: a slot; nothing at or after it is looked at.
    """
    slots = np.arange(until - WEEKS * CELLS, until, dtype=np.int64)
    past = _past(grid, until)
    if np.isfinite(past).sum() < FEWEST_KNOWN:
        return None
    weeks, cells = past.reshape(WEEKS, CELLS), cells_of(slots[:CELLS])
    scale = float(np.nanmean(np.abs(past)))
    pooled = _calmer(weeks, cells)
    without = [_center(np.delete(weeks, week, axis=0), cells, pooled=pooled) for week in range(WEEKS)]
    floor = max(_LEAST_SPREAD * scale, 1e-6)
    laid, whole = _laid(weeks, np.stack(without), cells, pooled=pooled, floor=floor)
    measured = measures_of(past, laid, quantum=floor)
    tails = {name: tails_of(values) for name, values in measured.items()}
    rare = {name: tails[name].rarity(values) for name, values in measured.items()}
    tails["joined"] = tails_of(join(rare))
    order = np.argsort(cells)
    return Usual(
        until,
        _center(weeks, cells, pooled=pooled)[order],
        whole.spread[order],
        {
            "mean": [float(value) for value in whole.mean[order]],
            "change": [float(value) for value in whole.change[order]],
            "scale": scale,
            "quantum": floor,
            "known": int(np.isfinite(past).sum()),
            "tails": {name: told.to_json() for name, told in tails.items()},
        },
    )


def _past(grid: Grid, until: int) -> Floats:
    """Return the eight weeks before a slot, NaN where nothing is known."""
    found = np.full(WEEKS * CELLS, np.nan)
    known = grid.until(until).values[-WEEKS * CELLS :]
    short = until - min(grid.after, until)
    if short < len(found):
        known = known[max(len(known) - (len(found) - short), 0) :]
        end = len(found) - short
        found[end - len(known) : end] = known
    return found


def _calmer(weeks: Floats, cells: Ints) -> bool:
    """Return whether the last weeks lie nearer to what like days and neighbours pooled make usual than to own cells."""
    errors = []
    for pooled in (False, True):
        center = _center(weeks[:-2], cells, pooled=pooled)
        errors.append(float(np.nanmean(np.abs(np.where(np.isfinite(weeks[-2:]), weeks[-2:], np.nan) - center))))
    return bool(errors[1] < errors[0])


def _center(weeks: Floats, cells: Ints, *, pooled: bool) -> Floats:
    """Return medians of cells, (336,) as the weeks are laid."""
    if not pooled:
        return _median(weeks)
    found = np.empty(CELLS)
    near = np.stack([np.roll(weeks, step, axis=1) for step in range(-_NEIGHBOURS, _NEIGHBOURS + 1)])
    weekend, half_hours = cells // SLOTS_A_DAY >= _WEEKEND, cells % SLOTS_A_DAY
    for chosen in (weekend, ~weekend):
        order = np.flatnonzero(chosen)[np.argsort(half_hours[chosen], kind="stable")]
        days = near[..., order].reshape(-1, SLOTS_A_DAY, len(order) // SLOTS_A_DAY)
        found[order] = np.repeat(_median(days.transpose(0, 2, 1).reshape(-1, SLOTS_A_DAY)), len(order) // SLOTS_A_DAY)
    return found


def _laid(weeks: Floats, centers: Floats, cells: Ints, *, pooled: bool, floor: float) -> tuple[Laid, Laid]:
    """Return what is usual at each slot of the past by the other weeks, flat, and by all weeks, (336,)."""
    spread = np.maximum(_MAD * _smooth(_median(_near(np.abs(weeks - centers)))), floor)
    clipped = np.clip(weeks, centers - _FARTHEST * spread, centers + _FARTHEST * spread)
    known = np.isfinite(clipped)
    sums, counts = np.where(known, clipped, 0), known.astype(np.float64)
    mean = _means(sums.sum(axis=0), counts.sum(axis=0), cells, pooled=pooled)
    others = np.stack(
        [
            _means(sums.sum(axis=0) - sums[w], counts.sum(axis=0) - counts[w], cells, pooled=pooled)
            for w in range(len(weeks))
        ]
    )
    steps = np.diff(weeks.ravel() - centers.ravel(), prepend=np.nan).reshape(weeks.shape)
    change = np.maximum(_MAD * _smooth(_median(_near(np.abs(steps)))), floor)
    wide = [np.broadcast_to(each, weeks.shape).ravel() for each in (spread, change)]
    return (
        Laid(centers.ravel(), wide[0], others.ravel(), wide[1]),
        Laid(np.empty(0), spread, mean, change),
    )


def _means(sums: Floats, counts: Floats, cells: Ints, *, pooled: bool) -> Floats:
    """Return means of cells, and of like days where they are pooled."""
    if pooled:
        kind = (cells // SLOTS_A_DAY >= _WEEKEND) * SLOTS_A_DAY + cells % SLOTS_A_DAY
        sums = np.bincount(kind, sums)[kind]
        counts = np.bincount(kind, counts)[kind]
        sums, counts = _ring(sums), _ring(counts)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _ring(values: Floats) -> Floats:
    """Return sums of each cell and its neighbours, the week being a ring."""
    found: Floats = np.roll(values, 1) + values + np.roll(values, -1)
    return found


def _near(weeks: Floats) -> Floats:
    """Return weeks beside themselves, moved by some half-hours, so that neighbours are pooled."""
    moved = range(-_SPREAD_NEIGHBOURS, _SPREAD_NEIGHBOURS + 1)
    return np.concatenate([np.roll(weeks, step, axis=1) for step in moved])


def _smooth(values: Floats) -> Floats:
    """Return means of a cell and its neighbours, the week being a ring, gaps left out."""
    known = np.isfinite(values)
    sums, counts = _ring(np.where(known, values, 0)), _ring(known.astype(np.float64))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _median(rows: Floats) -> Floats:
    """Return medians of columns, gaps left out; NaN where there are only gaps."""
    ordered = np.sort(rows, axis=0)
    counts = np.isfinite(ordered).sum(axis=0)
    low, high = np.maximum((counts - 1) // 2, 0), np.maximum(counts // 2, 0)
    high = np.minimum(high, len(rows) - 1)
    found: Floats = (
        np.take_along_axis(ordered, low[None], axis=0)[0] + np.take_along_axis(ordered, high[None], axis=0)[0]
    ) / 2
    return found
