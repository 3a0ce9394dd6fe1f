"""A whole series scored as it would have been while it came: nothing after a half-hour is used."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from meters.insights.clockwork import SLOT_SECONDS, Floats, Grid, Ints, slots_of
from meters.insights.spotting import Episode, Scored, Taught, Usual, episodes, score_recent, teach, usual_of
from meters.insights.spotting.weeks import CELLS

NOTHING_TAUGHT = Taught(None, None)
_FIRST_WEEKS = 3
_TAUGHT_WEEKS = 26


@dataclass(frozen=True, eq=False)
class Screened:
    """The scores of a series' half-hours, (n,) each by slot from ``first`` on; NaN where nothing can be told.

    :ivar scored_from: the slot from which on enough was known; None where it never was.
    """

    first: int
    score: Floats
    parts: dict[str, Floats]
    kinds: list[str]
    episodes: list[Episode]
    scored_from: int | None


@dataclass(frozen=True, eq=False)
class ScreenedSeries:
    """The scores of half-hours as they were given, (n,) each; NaN where nothing can be told, and why.

    :ivar begins: when each episode begins, UTC seconds since 1970; ``ends`` when it ends.
    """

    score: Floats
    parts: dict[str, Floats]
    kinds: list[str]
    episodes: list[Episode]
    begins: list[int]
    ends: list[int]
    reason: str


def screen_series(starts: Ints, values: Floats, zone: ZoneInfo, *, seed: int, unit: str = "") -> ScreenedSeries:
    """Score half-hours by what came before each.

    Where the clock was put back, the second of two half-hours on the wall is scored by itself, and what comes later
    looks at the first.

    :param starts: (n,) UTC seconds since 1970, rising.
    :param values: (n,), NaN where missing.
    """
    slots = slots_of(starts, zone)
    first_of, place = np.unique(slots, return_index=True)
    first = int(first_of[0])
    laid = np.full(int(first_of[-1]) - first + 1, np.nan)
    laid[first_of - first] = values[place]
    grid = Grid(first, laid)
    found = screen(grid, seed=seed, unit=unit)
    at = slots - first
    score, kinds = found.score[at], [found.kinds[each] for each in at.tolist()]
    for again in np.setdiff1d(np.arange(len(slots)), place).tolist():
        laid[at[again]] = values[again]
        alone = score_alone(Grid(first, laid[: at[again] + 1]), int(slots[again]))
        score[again], kinds[again] = alone.score[0], alone.kinds[0]
    begins = {int(slot): int(start) for slot, start in zip(first_of, starts[place], strict=True)}
    return ScreenedSeries(
        score,
        {name: each[at] for name, each in found.parts.items()},
        kinds,
        found.episodes,
        [begins[each.start] for each in found.episodes],
        [begins[each.end - 1] + SLOT_SECONDS for each in found.episodes],
        _reason(found),
    )


def score_alone(grid: Grid, slot: int) -> Scored:
    """Score one half-hour, the last of a series."""
    weeks = (slot - grid.first) // CELLS
    usual = usual_of(grid, until=grid.first + weeks * CELLS)
    return score_recent([grid], [usual], since=[slot])[0]


def _reason(found: Screened) -> str:
    if found.scored_from is None:
        return (
            f"Nothing can be told: of the {len(found.score)} half-hours, fewer than three weeks are known before the "
            f"last of them."
        )
    return "What is usual is learnt from the first three weeks and more, which have no score."


def screen(grid: Grid, *, seed: int, learnt: bool = True, unit: str = "") -> Screened:
    """Score each half-hour of a series by what came before it.

    What is usual is learnt anew each week, the forest and the encoder twice a year, first after half of one.

    :param learnt: whether the forest and the encoder are asked too.
    """
    starts = list(range(grid.first + _FIRST_WEEKS * CELLS, grid.after, CELLS))
    usuals = [usual_of(grid, until=start) for start in starts]
    weeks: list[Scored] = []
    for at in range(0, len(starts), _TAUGHT_WEEKS):
        some = slice(at, at + _TAUGHT_WEEKS)
        taught = teach([grid], until=starts[at], seed=seed) if learnt and at else NOTHING_TAUGHT
        weeks += score_recent(
            [grid.until(start + CELLS) for start in starts[some]],
            usuals[some],
            since=starts[some],
            forest=taught.forest,
            encoder=taught.encoder,
        )
    return _whole(grid, weeks, usuals, unit)


def _whole(grid: Grid, weeks: list[Scored], usuals: list[Usual | None], unit: str) -> Screened:
    size = len(grid.values)
    score, kinds = np.full(size, np.nan), [""] * size
    parts: dict[str, Floats] = {}
    state: dict[str, object] = {}
    found: dict[int, Episode] = {}
    for scored, usual in zip(weeks, usuals, strict=True):
        own = slice(scored.first - grid.first, scored.after - grid.first)
        score[own], kinds[own] = scored.score, scored.kinds
        for name, each in scored.parts.items():
            parts.setdefault(name, np.full(size, np.nan))[own] = each
        if usual is not None:
            state, grown, ended = episodes(state, grid.until(scored.after), usual, scored, unit=unit)
            found |= {each.start: each for each in [*grown, *ended]}
    known = np.flatnonzero(np.isfinite(score))
    return Screened(
        grid.first, score, parts, kinds, list(found.values()), grid.first + int(known[0]) if len(known) else None
    )
