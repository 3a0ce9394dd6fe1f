"""All detectors joined: one score a half-hour, and which kind of anomaly it looks like."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Grid, Ints
from meters.insights.spotting.course import filtered, unlikeliness
from meters.insights.spotting.evidence import evidence_of, score_of
from meters.insights.spotting.kinds import kinds_of
from meters.insights.spotting.learnt import Encoder, Forest, encoder_rows
from meters.insights.spotting.measures import Laid, measures_of
from meters.insights.spotting.usual import Usual
from meters.insights.spotting.weeks import stretch_of

# What is looked at before the first half-hour that is scored.
LEAD = 7 * SLOTS_A_DAY
# Half-hours before those that are scored whose kinds are looked at with them.
_NEAR = SLOTS_A_DAY
# Series x half-hours that are held in memory at once: some kB each.
_MOST_CELLS = 80_000
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
        for each, told in zip(some, _scored(some, forest, encoder), strict=True):
            found[each.place] = told
    return found


def _scored(some: Sequence[_Asked], forest: Forest | None, encoder: Encoder | None) -> Iterator[Scored]:
    """Yield the scores of series of the same length; what is costly a call is asked once for all of them."""
    own = len(some[0].values) - LEAD
    near = own + _NEAR
    laid = [each.usual.laid(each.slots) for each in some]
    chances = filtered([each.usual.course() for each in some], [e.values for e in some], [e.slots for e in some])
    rare = list(_rare(some, laid, near))
    learnt = _learnt(some, laid, rare, own, forest, encoder)
    for place, (asked, usual, each, every) in enumerate(zip(some, laid, rare, chances, strict=True)):
        values, slots, chance = asked.values[-near:], asked.slots[-near:], every[-near:]
        parts = {family: _strongest([each[name] for name in names]) for family, names in _FAMILIES.items()}
        said_by = {name: np.append(np.full(_NEAR, np.nan), told[place]) for name, told in learnt.items()}
        parts |= said_by
        parts["course"] = unlikeliness(chance)
        known = np.isfinite(values)
        score = score_of(np.where(known, evidence_of(parts["course"], each | said_by), np.nan))
        said = {name: score_of(np.where(known, told, np.nan)) for name, told in parts.items()}
        kinds = kinds_of(score, values, _last(usual, near), slots, chance, said)
        last = slice(_NEAR, None)
        yield Scored(asked.first, score[last], {name: told[last] for name, told in said.items()}, kinds[last])


def _rare(some: Sequence[_Asked], laid: Sequence[Laid], near: int) -> Iterator[dict[str, Floats]]:
    """Yield how rare the measures of the last half-hours of each series are, (near,) each."""
    stacked = Laid(*(np.stack([getattr(each, field.name) for each in laid]) for field in fields(Laid)))
    quantum = np.array([[each.usual.figures["quantum"]] for each in some])
    measured = measures_of(np.stack([each.values for each in some]), stacked, quantum=quantum, last=near)
    for place, each in enumerate(some):
        tails = each.usual.tails()
        yield {name: tails[name].rarity(rows[place]) for name, rows in measured.items()}


def _learnt(
    some: Sequence[_Asked],
    laid: Sequence[Laid],
    rare: Sequence[dict[str, Floats]],
    own: int,
    forest: Forest | None,
    encoder: Encoder | None,
) -> dict[str, Floats]:
    """Return what each learnt detector says, (m, own)."""
    found = {}
    if forest is not None:
        together = {name: np.concatenate([each[name][-own:] for each in rare]) for name in rare[0]}
        found["forest"] = forest.rarity(together).reshape(len(some), own)
    if encoder is not None:
        day = own + SLOTS_A_DAY
        courses = [
            encoder_rows(each.values[-day:], usual.mean[-day:], each.usual.figures["scale"])
            for each, usual in zip(some, laid, strict=True)
        ]
        rows, known = (np.concatenate([course[part][-own:] for course in courses]) for part in (0, 1))
        found["encoder"] = encoder.rarity(rows, known).reshape(len(some), own)
    return found


def _last(laid: Laid, count: int) -> Laid:
    return Laid(*(getattr(laid, field.name)[-count:] for field in fields(laid)))


def _strongest(rare: list[Floats]) -> Floats:
    stacked = np.stack(rare)
    found: Floats = np.where(np.isfinite(stacked), stacked, 0).max(axis=0)
    return found


def _chunks(asked: Sequence[_Asked]) -> Iterator[Sequence[_Asked]]:
    """Part series into lots of the same length that fit into memory."""
    by_length: dict[int, list[_Asked]] = defaultdict(list)
    for each in asked:
        by_length[len(each.values)].append(each)
    for length, some in by_length.items():
        at_once = max(_MOST_CELLS // length, 1)
        for start in range(0, len(some), at_once):
            yield some[start : start + at_once]
