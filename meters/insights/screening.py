"""A whole series scored as it would have been while it came: nothing after a half-hour is used."""

from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import Floats, Grid
from meters.insights.spotting import Episode, Scored, Taught, Usual, episodes, score_recent, teach, usual_of
from meters.insights.spotting.weeks import CELLS

NOTHING_TAUGHT = Taught(None, None)
_FIRST_WEEKS = 3
_TAUGHT_WEEKS = 26
_FIRST_TAUGHT_WEEKS = 8


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


def screen(grid: Grid, *, seed: int, learnt: bool = True) -> Screened:
    """Score each half-hour of a series by what came before it.

    What is usual is learnt anew each week, the forest and the encoder twice a year.

    :param learnt: whether the forest and the encoder are asked too.
    """
    starts = list(range(grid.first + _FIRST_WEEKS * CELLS, grid.after, CELLS))
    usuals = [usual_of(grid, until=start) for start in starts]
    weeks: list[Scored] = []
    for at in range(0, len(starts), _TAUGHT_WEEKS):
        some = slice(at, at + _TAUGHT_WEEKS)
        taught = NOTHING_TAUGHT
        until = max(starts[at], starts[0] + (_FIRST_TAUGHT_WEEKS - _FIRST_WEEKS) * CELLS)
        if learnt and at:
            taught = teach([grid], until=until, seed=seed)
        weeks += score_recent(
            [grid.until(start + CELLS) for start in starts[some]],
            usuals[some],
            since=starts[some],
            forest=taught.forest,
            encoder=taught.encoder,
        )
    return _whole(grid, weeks, usuals)


def _whole(grid: Grid, weeks: list[Scored], usuals: list[Usual | None]) -> Screened:
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
            state, grown, ended = episodes(state, grid.until(scored.after), usual, scored)
            found |= {each.start: each for each in [*grown, *ended]}
    known = np.flatnonzero(np.isfinite(score))
    return Screened(
        grid.first, score, parts, kinds, list(found.values()), grid.first + int(known[0]) if len(known) else None
    )
