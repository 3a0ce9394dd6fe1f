"""Weeks laid over each other: the half-hours of the week, and robust figures of each."""

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Grid, Ints, weekdays_of

CELLS = 7 * SLOTS_A_DAY
WEEKS = 8
FEWEST_KNOWN = 3 * CELLS
_WEEKEND = 5
_NEIGHBOURS = 1
_SPREAD_NEIGHBOURS = 2


def cells_of(slots: Ints) -> Ints:
    """Return the half-hours of the week, Monday 00:00 being 0."""
    return weekdays_of(slots) * SLOTS_A_DAY + slots % SLOTS_A_DAY


def past_of(grid: Grid, until: int) -> Floats:
    """Return the eight weeks before a slot, (2688,), NaN where nothing is known."""
    return stretch_of(grid.until(until), until - WEEKS * CELLS, until)


def stretch_of(grid: Grid, first: int, after: int) -> Floats:
    """Return the values of ``[first, after)``, NaN where nothing is known."""
    found = np.full(after - first, np.nan)
    begin, end = max(first, grid.first), min(after, grid.after)
    if begin < end:
        found[begin - first : end - first] = grid.values[begin - grid.first : end - grid.first]
    return found


def is_pooled(weeks: Floats, cells: Ints) -> bool:
    """Return whether the last weeks lie nearer to like days and neighbours pooled than to their own cells."""
    errors = []
    for pooled in (False, True):
        off = np.abs(weeks[-2:] - center_of(weeks[:-2], cells, pooled=pooled))
        errors.append(float(off[np.isfinite(off)].mean()) if np.isfinite(off).any() else 0.0)
    return errors[1] < errors[0]


def center_of(weeks: Floats, cells: Ints, *, pooled: bool) -> Floats:
    """Return medians of cells, (336,) as the weeks are laid."""
    if not pooled:
        return median(weeks)
    found = np.empty(CELLS)
    beside = np.stack([np.roll(weeks, step, axis=1) for step in range(-_NEIGHBOURS, _NEIGHBOURS + 1)])
    weekend, half_hours = cells // SLOTS_A_DAY >= _WEEKEND, cells % SLOTS_A_DAY
    for chosen in (weekend, ~weekend):
        order = np.flatnonzero(chosen)[np.argsort(half_hours[chosen], kind="stable")]
        days = len(order) // SLOTS_A_DAY
        rows = beside[..., order].reshape(-1, SLOTS_A_DAY, days).transpose(0, 2, 1).reshape(-1, SLOTS_A_DAY)
        found[order] = np.repeat(median(rows), days)
    return found


def means_of(sums: Floats, counts: Floats, cells: Ints, *, pooled: bool) -> Floats:
    """Return means of cells, and of like days and neighbours where they are pooled."""
    if pooled:
        kind = (cells // SLOTS_A_DAY >= _WEEKEND) * SLOTS_A_DAY + cells % SLOTS_A_DAY
        sums, counts = _ring(np.bincount(kind, sums)[kind]), _ring(np.bincount(kind, counts)[kind])
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def near(weeks: Floats) -> Floats:
    """Return weeks beside themselves, moved by some half-hours, so that neighbours are pooled."""
    moved = range(-_SPREAD_NEIGHBOURS, _SPREAD_NEIGHBOURS + 1)
    return np.concatenate([np.roll(weeks, step, axis=1) for step in moved])


def smooth(values: Floats) -> Floats:
    """Return means of a cell and its neighbours, the week being a ring, gaps left out."""
    known = np.isfinite(values)
    sums, counts = _ring(np.where(known, values, 0)), _ring(known.astype(np.float64))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def median(rows: Floats) -> Floats:
    """Return medians of columns, gaps left out; NaN where there are only gaps."""
    ordered = np.sort(rows, axis=0)
    counts = np.isfinite(ordered).sum(axis=0)
    low, high = np.maximum((counts - 1) // 2, 0), np.minimum(counts // 2, len(rows) - 1)
    places = np.stack([low, high])
    found: Floats = np.take_along_axis(ordered, places, axis=0).mean(axis=0)
    return found


def _ring(values: Floats) -> Floats:
    found: Floats = np.roll(values, 1) + values + np.roll(values, -1)
    return found
