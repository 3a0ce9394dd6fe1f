"""What can be measured of each half-hour from itself and what came before it; the more, the less usual."""

from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import Floats

_SAME = 1e-9
_LEAST_KNOWN = 0.6
# Half-hours that sums, courses and repeats look back over.
LEVELS = {"level_3h": 6, "level_6h": 12, "level_12h": 24, "level_24h": 48, "level_48h": 96, "level_7d": 336}
SHAPES = {"shape_6h": 12, "shape_12h": 24, "shape_24h": 48}


@dataclass(frozen=True, eq=False)
class Laid:
    """What is usual at slots, (…, n) each, kWh: the middle, its spread, the mean, the spread of changes."""

    median: Floats
    spread: Floats
    mean: Floats
    change: Floats


def measures_of(values: Floats, usual: Laid, *, quantum: float | Floats, last: int | None = None) -> dict[str, Floats]:
    """Return the measures of consecutive half-hours, (…, n) each, NaN where they cannot be told.

    :param values: (…, n), kWh, NaN where missing.
    :param quantum: kWh below which nothing is told apart from noise; of several series (…, 1).
    :param last: of how many of the last half-hours measures are wanted; of all unless told.
    """
    wanted = values.shape[-1] if last is None else last
    off = values - usual.median
    over = values - usual.mean
    steps = np.diff(off, prepend=np.nan)
    found = {
        "value": np.abs(off) / usual.spread,
        "change": np.abs(steps) / usual.change,
        "rough_6h": trailing_mean(np.abs(off) / usual.spread, 12),
    }
    for name, width in LEVELS.items():
        found[name] = np.abs(trailing_mean(over, width)) / np.sqrt(trailing_mean(usual.spread**2, width))
    for name, width in SHAPES.items():
        near = slice(-min(wanted + width, values.shape[-1]), None)
        found[name] = _shape(values[..., near], usual.mean[..., near], width, quantum)
    found["repeats"] = _repeats(values)
    found["calm_3h"] = _calm(values, usual.change, 6)
    found["calm_8h"] = _calm(values, usual.change, 16)
    return {name: each[..., each.shape[-1] - wanted :] for name, each in found.items()}


def trailing_mean(values: Floats, width: int) -> Floats:
    """Return means of each half-hour and those before it; NaN where too few are known."""
    known = np.isfinite(values)
    sums = _trailing_sum(np.where(known, values, 0.0), width)
    counts = _trailing_sum(known.astype(np.float64), width)
    return np.where(counts >= _LEAST_KNOWN * width, sums / np.maximum(counts, 1), np.nan)


def _trailing_sum(values: Floats, width: int) -> Floats:
    found: Floats = np.cumsum(values, axis=-1)
    if found.shape[-1] > width:
        found[..., width:] -= found[..., :-width].copy()
    return found


def _shape(values: Floats, usual: Floats, width: int, quantum: float | Floats) -> Floats:
    """Return how far the course lies from the usual one when both have the same level: a share of the level."""
    known = np.isfinite(values) & np.isfinite(usual)
    own, like = np.where(known, values, np.nan), np.where(known, usual, np.nan)
    ratio = (trailing_mean(own, width) + quantum) / (trailing_mean(like, width) + quantum)
    views = [_views(own, width), _views(like, width)]
    apart = np.abs(views[0] - views[1] * ratio[..., None])
    sums = np.where(np.isfinite(apart), apart, 0).sum(axis=-1)
    found: Floats = sums / width / (trailing_mean(own, width) + quantum)
    return found


def _views(values: Floats, width: int) -> Floats:
    before = np.full((*values.shape[:-1], width - 1), np.nan)
    return np.lib.stride_tricks.sliding_window_view(np.concatenate([before, values], axis=-1), width, axis=-1)


def _repeats(values: Floats) -> Floats:
    """Return how many half-hours before each had the very same value in a row."""
    same = np.abs(np.diff(values, prepend=np.nan)) <= _SAME
    place = np.arange(values.shape[-1])
    last_change = np.maximum.accumulate(np.where(same, -1, place), axis=-1)
    return np.where(np.isfinite(values), (place - last_change).astype(np.float64), np.nan)


def _calm(values: Floats, change: Floats, width: int) -> Floats:
    """Return how much less the last hours moved than they usually do."""
    moved = trailing_mean(np.abs(np.diff(values, prepend=np.nan)), width)
    usual = trailing_mean(change, width)
    return -np.log((moved + 0.01 * usual) / usual)
