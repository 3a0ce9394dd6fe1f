"""Stretches out of scores, with hysteresis: one alert from the first half-hour until the series is usual again."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from meters.insights.clockwork import Floats, Grid
from meters.insights.spotting.joining import Scored
from meters.insights.spotting.reasons import reason_of
from meters.insights.spotting.usual import Usual
from meters.insights.spotting.weeks import cells_of

STAY_AT = 0.6
# What begins must be high in two of three half-hours, unless one alone leaves this little of the doubt.
_ALONE = 0.1
_WITHIN = 3
_NEEDED = 2
_CALM_SLOTS = 12


@dataclass(frozen=True)
class Episode:
    """A stretch of half-hours, ``[start, end)`` in slots, that is not usual.

    :ivar score: the highest, 0 to 1.
    :ivar detectors: the most that each detector said, 0 to 1.
    :ivar excess: kWh over what is usual; less than it where negative.
    :ivar usual: kWh that are usual in the stretch.
    :ivar reason: plain words, with figures.
    """

    start: int
    end: int
    kind: str
    score: float
    detectors: dict[str, float]
    excess: float
    usual: float
    reason: str


@dataclass
class _Running:
    """What is kept of a stretch while it lasts."""

    start: int
    end: int
    score: float = 0.0
    excess: float = 0.0
    usual: float = 0.0
    detectors: dict[str, float] = field(default_factory=dict)
    kinds: dict[str, float] = field(default_factory=dict)

    def take(self, slot: int, score: float, excess: float, usual: float, said: dict[str, float], kind: str) -> None:
        self.end = slot + 1
        self.score = max(self.score, score)
        self.excess += excess
        self.usual += usual
        self.detectors = {name: max(self.detectors.get(name, 0.0), each) for name, each in said.items()}
        if kind:
            self.kinds[kind] = self.kinds.get(kind, 0.0) + score

    def told(self) -> Episode:
        kind = max(self.kinds, key=lambda kind: self.kinds[kind])
        reason = reason_of(kind, self.end - self.start, self.excess, self.usual)
        return Episode(self.start, self.end, kind, self.score, dict(self.detectors), self.excess, self.usual, reason)


def episodes(
    state: dict[str, Any], grid: Grid, usual: Usual, scored: Scored
) -> tuple[dict[str, Any], list[Episode], list[Episode]]:
    """Return where the hysteresis stands now, the episodes that opened or grew, and those that ended.

    Half-hours that the state has seen are not taken again, so that the same data twice changes nothing.

    :param state: what this returned before; empty at first. JSON-able.
    """
    running = _Running(**state["open"]) if state.get("open") else None
    recent: list[list[float]] = [list(each) for each in state.get("recent", [])]
    open_at = float(usual.figures["open_at"])
    seen = int(state.get("until", scored.first))
    grown: dict[int, Episode] = {}
    ended: list[Episode] = []
    for slot in range(max(seen, scored.first), scored.after):
        at = slot - scored.first
        score = float(scored.score[at])
        if not np.isfinite(score):
            score = 0.0
        recent = [*recent, [slot, score]][-_WITHIN:]
        if running is None and _opens(recent, open_at):
            start = int(next(slot for slot, each in recent if each >= open_at))
            running = _Running(start, start)
            for back in range(start, slot):
                _take(running, back, grid, usual, scored)
        if running is None:
            continue
        if score >= STAY_AT:
            _take(running, slot, grid, usual, scored)
            grown[running.start] = running.told()
        elif slot - running.end >= _CALM_SLOTS:
            grown.pop(running.start, None)
            ended.append(running.told())
            running, recent = None, []
    kept = {"open": asdict(running) if running else None, "recent": recent, "until": max(seen, scored.after)}
    return kept, list(grown.values()), ended


def _opens(recent: list[list[float]], open_at: float) -> bool:
    high = sum(score >= open_at for _, score in recent)
    return high >= _NEEDED or 1 - recent[-1][1] <= _ALONE * (1 - open_at)


def _take(running: _Running, slot: int, grid: Grid, usual: Usual, scored: Scored) -> None:
    at = slot - scored.first
    if at < 0:
        return
    value = float(_at(grid.values, slot - grid.first))
    mean = float(usual.mean[cells_of(np.array([slot]))[0]])
    known = np.isfinite(value) and np.isfinite(mean)
    said = {name: float(each[at]) for name, each in scored.parts.items() if np.isfinite(each[at])}
    running.take(
        slot, float(scored.score[at]), value - mean if known else 0.0, mean if known else 0.0, said, scored.kinds[at]
    )


def _at(values: Floats, place: int) -> float:
    return float(values[place]) if 0 <= place < len(values) else float("nan")
