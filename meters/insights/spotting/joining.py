"""All detectors joined: one score a half-hour, and which kind of anomaly it looks like."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Grid
from meters.insights.spotting.kinds import kinds_of
from meters.insights.spotting.learnt import Encoder, Forest
from meters.insights.spotting.measures import measures_of
from meters.insights.spotting.tails import join
from meters.insights.spotting.usual import Usual

# What the windows of measures look back on.
LEAD = 3 * SLOTS_A_DAY
_FAMILIES = {
    "residual": ("value", "rough_6h"),
    "change": ("change",),
    "level": ("level_3h", "level_6h", "level_12h", "level_24h", "level_48h"),
    "shape": ("shape_6h", "shape_12h", "shape_24h"),
    "stuck": ("repeats", "calm_3h", "calm_8h"),
}


@dataclass(frozen=True, eq=False)
class Scored:
    """How unusual the half-hours from ``first`` on are, (n,) each: 0 to 1, NaN where it cannot be told.

    :ivar parts: what each detector says.
    :ivar kinds: which kind of anomaly each looks like; empty where it is usual.
    """

    first: int
    score: Floats
    parts: dict[str, Floats]
    kinds: list[str]

    @property
    def after(self) -> int:
        """The slot after the last."""
        return self.first + len(self.score)


def score_recent(
    grids: Sequence[Grid],
    usuals: Sequence[Usual | None],
    *,
    since: Sequence[int],
    forest: Forest | None = None,
    encoder: Encoder | None = None,
) -> list[Scored]:
    """Score the newest half-hours of several series; the score of one uses nothing after it.

    :param grids: the last days up to the newest half-hour, one a series.
    :param since: the first slot to score, one a series.
    """
    return [
        _scored(grid, usual, first, forest, encoder) for grid, usual, first in zip(grids, usuals, since, strict=True)
    ]


def _scored(grid: Grid, usual: Usual | None, since: int, forest: Forest | None, encoder: Encoder | None) -> Scored:
    first = max(since, grid.first)
    size = max(grid.after - first, 0)
    if usual is None or not size:
        return Scored(first, np.full(size, np.nan), {}, [""] * size)
    begin = max(first - LEAD, grid.first)
    values, slots = grid.values[begin - grid.first :], np.arange(begin, grid.after, dtype=np.int64)
    laid, tails = usual.laid(slots), usual.tails()
    measured = measures_of(values, laid, quantum=usual.figures["quantum"])
    rare = {name: tails[name].rarity(each) for name, each in measured.items()}
    known = np.isfinite(values)
    joined = np.where(known, tails["joined"].rarity(join(rare)), np.nan)
    parts = {family: _strongest([rare[name] for name in names]) for family, names in _FAMILIES.items()}
    if forest is not None:
        parts["forest"] = forest.rarity(rare)
    if encoder is not None:
        parts["encoder"] = encoder.rarity(values, laid.mean, usual.figures["scale"])
    learnt = [parts[name] for name in ("forest", "encoder") if name in parts]
    if learnt:
        joined = 0.7 * joined + 0.3 * np.nan_to_num(np.mean(learnt, axis=0))
    at = first - begin
    score = score_of(joined)[at:]
    said = {name: score_of(np.where(known, each, np.nan))[at:] for name, each in parts.items()}
    return Scored(first, score, said, kinds_of(score, values, laid, slots, said))


def score_of(rarity: Floats) -> Floats:
    """Return scores 0 to 1: what comes once in ten half-hours has 0.44, once in a thousand 0.82."""
    found: Floats = 1 - 10 ** (-rarity / 4)
    return found


def _strongest(rare: list[Floats]) -> Floats:
    stacked = np.stack(rare)
    found: Floats = np.where(np.isfinite(stacked), stacked, 0).max(axis=0)
    return found
