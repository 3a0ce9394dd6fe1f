"""Stretches out of scores, with hysteresis: one alert from the first half-hour until the series is usual again."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from meters.insights.clockwork import Grid
from meters.insights.spotting.joining import Scored
from meters.insights.spotting.reasons import fitting_kind, reason_of
from meters.insights.spotting.usual import Usual
from meters.insights.spotting.weeks import cells_of, stretch_of

STAY_AT = 0.6
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


@dataclass(frozen=True)
class _Seen:
    """What is kept of a half-hour: kWh over the usual ones, and what the detectors said."""

    slot: int
    score: float
    excess: float
    usual: float
    detectors: dict[str, float]
    kind: str


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

    def take(self, seen: _Seen) -> None:
        """Let a half-hour belong to the stretch."""
        self.end = seen.slot + 1
        self.score = max(self.score, seen.score)
        self.excess += seen.excess
        self.usual += seen.usual
        self.detectors = {
            name: max(self.detectors.get(name, 0.0), said) for name, said in (self.detectors | seen.detectors).items()
        }
        if seen.kind:
            self.kinds[seen.kind] = self.kinds.get(seen.kind, 0.0) + seen.score

    def told(self, unit: str) -> Episode:
        """Return the stretch as it stands."""
        kind = fitting_kind(self.kinds, self.excess, self.usual)
        reason = reason_of(kind, self.end - self.start, self.excess, self.usual, unit)
        return Episode(self.start, self.end, kind, self.score, dict(self.detectors), self.excess, self.usual, reason)


def episodes(
    state: dict[str, Any], grid: Grid, usual: Usual, scored: Scored, *, unit: str = "kWh"
) -> tuple[dict[str, Any], list[Episode], list[Episode]]:
    """Return where the hysteresis stands now, the episodes that opened or grew, and those that ended.

    Half-hours that the state has seen are not taken again, so that the same data twice changes nothing.

    :param state: what this returned before; empty at first. JSON-able.
    :param unit: of the values, for the reasons' words.
    """
    open_at = float(usual.figures["open_at"])
    running = _Running(**state["open"]) if state.get("open") else None
    begin = max(int(state.get("until", scored.first)), scored.first)
    grown: dict[int, Episode] = {}
    ended: list[Episode] = []
    for seen in _seen(grid, usual, scored, begin):
        if running is not None and seen.slot - running.end >= _CALM_SLOTS:
            grown.pop(running.start, None)
            ended.append(running.told(unit))
            running = None
        if running is None and seen.score >= open_at:
            running = _Running(seen.slot, seen.slot)
        if running is not None and seen.score >= STAY_AT:
            running.take(seen)
            grown[running.start] = running.told(unit)
    kept = {"open": asdict(running) if running else None, "until": max(begin, scored.after)}
    return kept, list(grown.values()), ended


def _seen(grid: Grid, usual: Usual, scored: Scored, begin: int) -> Iterator[_Seen]:
    slots = np.arange(begin, scored.after, dtype=np.int64)
    means = usual.mean[cells_of(slots)]
    over = stretch_of(grid, begin, scored.after) - means
    for place, at in enumerate(range(begin - scored.first, len(scored.score))):
        score = float(scored.score[at])
        if not np.isfinite(score) or not np.isfinite(over[place]):
            yield _Seen(int(slots[place]), 0.0, 0.0, 0.0, {}, "")
            continue
        said = {name: float(each[at]) for name, each in scored.parts.items() if np.isfinite(each[at])}
        yield _Seen(int(slots[place]), score, float(over[place]), float(means[place]), said, scored.kinds[at])
