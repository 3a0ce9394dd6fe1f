"""What a diagnosis half an hour by half an hour would have said of power that lies in files.

Nothing is judged by what came later: what is usual is learnt from the first healthy days, until then bounds of the kind
of appliance are used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from meters.insights.appliances import Fault, Finding, Learnt, Power, examine, joined, learn
from meters.insights.appliances.kinds import DAY, HOUR, Nature, bounds_of

FAULT, HEALTHY, NOT_ENOUGH_DATA = "fault", "healthy", "not_enough_data"
_STEP_SECONDS = HOUR / 2
_LOOKED_BACK = 2 * DAY
# After this many hours, then daily, what is usual is learnt anew, from at most so many healthy days.
_FIRST_LESSON = 12 * HOUR
_MOST_DAYS = {Nature.COOLING: 7, Nature.UNKNOWN: 7}
_MOST_DAYS_OF_USES = 28
# What is learnt of less than this may hold a fault itself: what is judged against it is not known to be healthy.
_LEAST_HOURS = 20.0
_AGAINST_USUAL = (Fault.SHORT_CYCLING, Fault.POWER_DRIFT, Fault.SEAL_LEAK, Fault.STANDBY_CREEP)
_TOO_SHORT = "Less than a day tells what is usual, so that it is only compared with itself."
# What comes back so soon was not over.
_SAME_EPISODE = DAY / 2


@dataclass(frozen=True)
class Episode:
    """A fault from when it began until it was over; UTC seconds, ``ended_at`` None when it lasts."""

    finding: Finding
    ended_at: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """What was wrong, by what it was judged, and what could not be."""

    appliance: str
    verdict: str
    episodes: tuple[Episode, ...]
    learnt: Learnt
    judged: tuple[str, ...]
    not_judged: dict[str, str]


class _Walk:
    """Goes through power in order of time and keeps what it has learnt and found."""

    def __init__(self, kind: str, stretches: Sequence[Power], learnt: Learnt | None) -> None:
        self._kind = kind
        self._stretches = stretches
        self._is_taught = learnt is not None
        self.learnt = learnt or learn(kind, [])
        self.open: dict[str, Episode] = {}
        self.over: list[Episode] = []
        self.judged: dict[str, None] = {}
        self.reasons: dict[str, str] = {}
        self._next_lesson = stretches[0].start + _FIRST_LESSON
        self._is_frozen = False

    def go(self) -> None:
        """Examine each half-hour."""
        for place, stretch in enumerate(self._stretches):
            before = self._stretches[place - 1] if place else None
            now = stretch.start
            while now < stretch.end:
                previous, now = now, min(now + _STEP_SECONDS, stretch.end)
                self._look(before, stretch, previous, now)
                is_last = now >= self._stretches[-1].end
                if not (self._is_taught or is_last) and now >= self._next_lesson:
                    self._learn(now)

    def _look(self, before: Power | None, stretch: Power, previous: float, now: float) -> None:
        recent = stretch.cut(now - _LOOKED_BACK, now)
        if before is not None and before.end > now - _LOOKED_BACK:
            recent = joined([before.cut(now - _LOOKED_BACK, now), recent])
        seen = examine(self._kind, self.learnt, recent, now=now)
        self.judged.update(dict.fromkeys(seen.judged))
        self.reasons.update(seen.not_judged)
        found = {finding.kind: finding for finding in seen.findings}
        for kind in [kind for kind in self.open if kind in seen.judged and kind not in found]:
            self.over.append(replace(self.open.pop(kind), ended_at=now))
        for kind, finding in found.items():
            self.open[kind] = Episode(self._continued(kind, finding, previous, now))

    def _continued(self, kind: str, finding: Finding, previous: float, now: float) -> Finding:
        """Return a finding with the beginning and the detection of the episode that it goes on with."""
        known = self.open.get(kind)
        if known is None and self.over:
            last = next((episode for episode in reversed(self.over) if episode.finding.kind == kind), None)
            if last is not None and last.ended_at is not None and now - last.ended_at < _SAME_EPISODE:
                self.over.remove(last)
                known = last
        if known is not None:
            begun, detected = known.finding.began_at, known.finding.detected_at
            return replace(finding, began_at=min(begun, finding.began_at), detected_at=detected)
        is_new = previous < finding.detected_at <= now
        return finding if is_new else replace(finding, detected_at=now)

    def _learn(self, now: float) -> None:
        begin = self._stretches[0].start
        self._next_lesson = begin + ((now - begin) // DAY + 1) * DAY
        if self._is_frozen:
            return
        most = _MOST_DAYS.get(bounds_of(self._kind).nature, _MOST_DAYS_OF_USES)
        days = self._healthy(now)
        lesson = learn(self._kind, _merged(days[:most]))
        if lesson.is_enough or not self.learnt.is_enough:
            self.learnt = lesson
        self._is_frozen = lesson.is_enough and len(days) >= most

    def _healthy(self, now: float) -> list[Power]:
        """Return the days before an instant in which nothing was wrong."""
        wrong = [(episode.finding.began_at, episode.ended_at or now) for episode in [*self.over, *self.open.values()]]
        days = []
        for stretch in self._stretches:
            begin = stretch.start
            while begin < min(now, stretch.end):
                day = stretch.cut(begin, min(begin + DAY, now))
                if not any(since < day.end and until > day.start for since, until in wrong):
                    days.append(day)
                begin += DAY
        return [day for day in days if np.isfinite(day.watts).any()]


def diagnose_files(kind: str, stretches: Sequence[Power], *, learning: Sequence[Power] = ()) -> Diagnosis:
    """Go through the power of one appliance as it came in and tell its faults.

    :param stretches: what is judged, in order of time.
    :param learning: healthy power that tells what is usual; when there is none, the first healthy days do.
    """
    if not stretches:
        nothing = learn(kind, learning)
        return Diagnosis(kind, NOT_ENOUGH_DATA, (), nothing, (), {"all": "No power is known."})
    walk = _Walk(kind, stretches, learn(kind, learning) if learning else None)
    walk.go()
    episodes = sorted([*walk.over, *walk.open.values()], key=lambda episode: episode.finding.detected_at)
    is_known = walk.learnt.is_enough and walk.learnt.hours >= _LEAST_HOURS
    found = {episode.finding.kind for episode in episodes}
    unsure = set() if is_known else {kind for kind in _AGAINST_USUAL if kind not in found}
    reasons = walk.reasons | {kind: _TOO_SHORT for kind in unsure if kind in walk.judged}
    judged = tuple(kind for kind in walk.judged if kind not in unsure)
    return Diagnosis(
        kind,
        FAULT if episodes else HEALTHY if is_known and judged else NOT_ENOUGH_DATA,
        tuple(episodes),
        walk.learnt,
        judged,
        {fault: why for fault, why in reasons.items() if fault not in judged},
    )


def _merged(days: Sequence[Power]) -> list[Power]:
    """Join days that follow each other, so that nothing is cut where they meet."""
    groups: list[list[Power]] = []
    for day in days:
        if groups and abs(groups[-1][-1].end - day.start) < day.step_seconds:
            groups[-1].append(day)
        else:
            groups.append([day])
    return [joined(group) for group in groups]


def figures_of(learnt: Learnt) -> dict[str, Any]:
    """Return what was learnt as a mapping of names to medians, spreads and ranges."""
    return {
        name: {"median": usual.median, "spread": usual.spread, "low": usual.low, "high": usual.high, "n": usual.count}
        for name, usual in learnt.usuals.items()
    }
