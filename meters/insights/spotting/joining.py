"""All detectors joined: one score a half-hour, and which kind of anomaly it looks like."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Grid, Ints
from meters.insights.spotting.course import filtered, unlikeliness
from meters.insights.spotting.evidence import evidence_of, score_of
from meters.insights.spotting.kinds import kinds_of
from meters.insights.spotting.learnt import Encoder, Forest
from meters.insights.spotting.measures import measures_of
from meters.insights.spotting.usual import Usual
from meters.insights.spotting.weeks import stretch_of

# What is looked at before the first half-hour that is scored.
LEAD = 7 * SLOTS_A_DAY
_AT_ONCE = 64
_FAMILIES = {
    "residual": ("value", "rough_6h"),
    "change": ("change",),
    "level": ("level_3h", "level_6h", "level_12h", "level_24h", "level_48h"),
    "drift": ("level_7d",),
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


@dataclass(frozen=True, eq=False)
class _Asked:
    """A series with what is usual of it, from the lead on."""

    place: int
    usual: Usual
    values: Floats
    slots: Ints
    first: int


def score_recent(
    grids: Sequence[Grid],
    usuals: Sequence[Usual | None],
    *,
    since: Sequence[int],
    forest: Forest | None = None,
    encoder: Encoder | None = None,
) -> list[Scored]:
    """Score the newest half-hours of several series; the score of one uses nothing after it.

    :param grids: at least the last seven days before ``since`` and up to the newest half-hour, one a series.
    :param usuals: what is usual of each; without it nothing is scored.
    :param since: the first slot to score, one a series.
    """
    found, asked = [], []
    for place, (grid, usual, wanted) in enumerate(zip(grids, usuals, since, strict=True)):
        first = max(wanted, grid.first)
        size = max(grid.after - first, 0)
        found.append(Scored(first, np.full(size, np.nan), {}, [""] * size))
        if usual is not None and size:
            slots = np.arange(first - LEAD, grid.after, dtype=np.int64)
            asked.append(_Asked(place, usual, stretch_of(grid, first - LEAD, grid.after), slots, first))
    for some in _chunks(asked):
        courses = [each.usual.course() for each in some]
        chances = filtered(courses, [each.values for each in some], [each.slots for each in some])
        for each, own in zip(some, chances, strict=True):
            found[each.place] = _scored(each, own, forest, encoder)
    return found


def _scored(asked: _Asked, chances: Floats, forest: Forest | None, encoder: Encoder | None) -> Scored:
    values, usual = asked.values, asked.usual
    laid, tails = usual.laid(asked.slots), usual.tails()
    measured = measures_of(values, laid, quantum=usual.figures["quantum"])
    rare = {name: tails[name].rarity(each) for name, each in measured.items()}
    parts = {family: _strongest([rare[name] for name in names]) for family, names in _FAMILIES.items()}
    if forest is not None:
        rare["forest"] = parts["forest"] = forest.rarity({name: rare[name] for name in measured})
    if encoder is not None:
        rare["encoder"] = parts["encoder"] = encoder.rarity(values, laid.mean, usual.figures["scale"])
    parts["course"] = unlikeliness(chances)
    known = np.isfinite(values)
    score = score_of(np.where(known, evidence_of(parts["course"], rare), np.nan))
    said = {name: score_of(np.where(known, each, np.nan)) for name, each in parts.items()}
    kinds = kinds_of(score, values, laid, asked.slots, chances, said)
    own = slice(LEAD, None)
    return Scored(asked.first, score[own], {name: each[own] for name, each in said.items()}, kinds[own])


def _strongest(rare: list[Floats]) -> Floats:
    stacked = np.stack(rare)
    found: Floats = np.where(np.isfinite(stacked), stacked, 0).max(axis=0)
    return found


def _chunks(asked: Sequence[_Asked]) -> Iterator[Sequence[_Asked]]:
    for start in range(0, len(asked), _AT_ONCE):
        yield asked[start : start + _AT_ONCE]
