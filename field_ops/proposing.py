"""Propose who reads which meters, and on what way.

Each region is dealt with by itself. Meters go to the agent in whose part of the map they lie; the parts are moved, as
in k-means, and priced, as at an auction, until everybody has about as many minutes to work. What matters most is given
out first, so that it is what matters least that stays where there is not room for all. Ways begin as the nearest
neighbour comes next, and are untangled by 2-opt (Croes, 1958). Distances are straight lines through a ball of the
earth's mean radius: below 100 km they differ from those over ground by less than half a percent, and no line is cut by
a date line.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

EARTH_RADIUS_M = 6_371_008.8
FURTHEST_M = 50_000.0
METRES_A_MINUTE = 250.0

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

# Prices move in every round, parts of the map in the first ones only.
_ROUNDS = 60
_MOVING_ROUNDS = 40
_STEP = 0.5
_SAME_PLACE_M = 50.0
# How much an agent's own place pulls at the middle of their part of the map.
_PULL = 0.1
_NEVER = datetime.max.replace(tzinfo=UTC)
_PASSES = 12
_PASSES_OF_LONG_WAYS = 4
_LONG_WAY = 1_000
_LOOKED_AT = 2_000_000
_GAIN_M = 1e-6


class Reason(StrEnum):
    """Why a meter is proposed to nobody."""

    NO_AGENT = "no_agent"
    TOO_FAR = "too_far"
    NO_ROOM = "no_room"


@dataclass(frozen=True)
class Stop:
    """A meter to be read: where it hangs (degrees, WGS84, if known), how much it matters (0 most), minutes it takes."""

    key: UUID
    latitude: float | None
    longitude: float | None
    rank: int = 0
    minutes: float = 10.0
    due_at: datetime | None = None
    region: UUID | None = None


@dataclass(frozen=True)
class Walker:
    """An agent: where they are (degrees, WGS84, if known), what they have to do, and how much they can take.

    One without a region goes anywhere; others to meters of their region, and to those of none.
    """

    key: UUID
    latitude: float | None
    longitude: float | None
    load: int = 0
    max_load: int = 20
    minutes: float = 0.0
    region: UUID | None = None

    @property
    def room(self) -> int:
        """How many more they can take."""
        return max(0, self.max_load - self.load)


@dataclass(frozen=True)
class Walk:
    """What an agent is to read, in the order of their way; its length, and the minutes of reading and walking."""

    agent: UUID
    stops: tuple[UUID, ...]
    length_m: float
    minutes: float


@dataclass(frozen=True)
class Plan:
    """Who is to read what, and which meters are left, with their reasons."""

    walks: tuple[Walk, ...]
    left: tuple[tuple[UUID, Reason], ...]


def propose(stops: Sequence[Stop], walkers: Iterable[Walker], *, furthest_m: float = FURTHEST_M) -> Plan:
    """Propose which agent reads which meters, and on what way; the same question has the same answer.

    :param stops: each key once.
    :param furthest_m: from where an agent is to a meter, at most.
    """
    agents = sorted(walkers, key=lambda each: each.key)
    found: dict[UUID, list[Stop]] = {agent.key: [] for agent in agents}
    left: dict[UUID, Reason] = {}
    for group, team in _groups(stops, agents):
        dealt = _Deal(group, team, furthest_m).run()
        for stop, (agent, reason) in zip(group, dealt, strict=True):
            if agent is not None:
                found[agent.key].append(stop)
            else:
                left[stop.key] = reason
    walks = tuple(_walk(agent, found[agent.key], stops) for agent in agents if found[agent.key])
    return Plan(walks, tuple((stop.key, left[stop.key]) for stop in stops if stop.key in left))


def way_of(stops: Sequence[Stop], start: tuple[float, float] | None) -> tuple[list[int], float]:
    """Return a short way from a start, if any, over all stops, as their indices, and its length in metres.

    It is never longer than the order given. Stops of unknown place come last.
    """
    known = [index for index, stop in enumerate(stops) if stop.latitude is not None]
    lost = [index for index, stop in enumerate(stops) if stop.latitude is None]
    if not known:
        return lost, 0.0
    points = _points([stops[index] for index in known])
    origin = None if start is None else _on_the_ball(np.array([start]))[0]
    given = np.arange(len(known))
    best = _untangled(points, _nearest_first(points, origin), origin)
    if _length(points[best], origin) > _length(points[given], origin):
        best = _untangled(points, given, origin)
    return [known[index] for index in best.tolist()] + lost, _length(points[best], origin)


def _groups(stops: Sequence[Stop], agents: Sequence[Walker]) -> list[tuple[list[Stop], list[Walker]]]:
    """Part the question by regions, unless somebody goes anywhere or a meter lies nowhere."""
    ordered = sorted(stops, key=lambda stop: (stop.rank, stop.due_at or _NEVER, stop.key))
    if None in {stop.region for stop in stops} | {agent.region for agent in agents}:
        return [(ordered, list(agents))]
    by_region: dict[UUID | None, list[Stop]] = defaultdict(list)
    for stop in ordered:
        by_region[stop.region].append(stop)
    return [(group, [each for each in agents if each.region == region]) for region, group in by_region.items()]


class _Deal:
    """Stops of one question, what matters most first, and the agents that they may go to."""

    def __init__(self, stops: Sequence[Stop], agents: Sequence[Walker], furthest_m: float) -> None:
        self.agents = agents
        self.points, self.starts = _points(stops), _points(agents)
        self.minutes = np.array([stop.minutes for stop in stops])
        self.had = np.array([agent.minutes for agent in agents])
        self.room = np.array([agent.room for agent in agents], dtype=np.int64)
        named = {stop.region for stop in stops} | {agent.region for agent in agents}
        regions = {region: number for number, region in enumerate(named)}
        theirs = np.array([regions[agent.region] for agent in agents], dtype=np.int64)
        wanted = np.array([regions[stop.region] for stop in stops], dtype=np.int64)
        nowhere = regions.get(None, -1)
        self.in_region = (wanted[:, None] == theirs) | (wanted[:, None] == nowhere) | (theirs == nowhere)
        self.in_reach = self.in_region & ~(_distances(self.points, self.starts) > furthest_m)
        self.barred = np.where(self.in_reach, 0.0, np.inf)

    def run(self) -> list[tuple[Walker | None, Reason]]:
        """Return for each stop its agent, or why it has none."""
        if not self.agents:
            return [(None, Reason.NO_AGENT)] * len(self.points)
        costs, level = self._priced()
        dealt = self._dealt(costs, level)
        has_agent, has_near = self.in_region.any(axis=1), self.in_reach.any(axis=1)
        return [
            (
                self.agents[index] if index >= 0 else None,
                Reason.NO_AGENT if not some else Reason.TOO_FAR if not near else Reason.NO_ROOM,
            )
            for index, some, near in zip(dealt, has_agent.tolist(), has_near.tolist(), strict=True)
        ]

    def _priced(self) -> tuple[_Floats, _Floats]:
        """Return what each stop costs each agent, in minutes, and how many minutes each agent should have."""
        chosen = np.flatnonzero(self.in_reach.any(axis=1))[: int(self.room.sum())]
        points, minutes, barred = self.points[chosen], self.minutes[chosen], self.barred[chosen]
        level = np.maximum(self.had, _water_level(self.had, float(minutes.sum())))
        share = max(1.0, float((level - self.had).mean()))
        centres, prices = self._seeds(points), np.zeros(len(self.agents))
        for turn in range(_ROUNDS):
            ways = np.nan_to_num(_distances(points, centres)) / METRES_A_MINUTE
            owner = np.argmin(ways + prices + barred, axis=1)
            work = self.had + np.bincount(owner, weights=minutes, minlength=len(self.agents))
            step = _STEP * float(np.take_along_axis(ways, owner[:, None], axis=1).mean()) if len(owner) else 0.0
            prices = prices + step * np.clip((work - level) / share, -1.0, 1.0)
            if turn < _MOVING_ROUNDS:
                centres = self._middles(points, owner, centres)
        return np.nan_to_num(_distances(self.points, centres)) / METRES_A_MINUTE + prices + self.barred, level

    def _seeds(self, points: _Floats) -> _Floats:
        """Return where parts of the map begin: agents' own places, or, where they share one, far from each other."""
        seeds = self.starts.copy()
        places = points[~np.isnan(points[:, 0])]
        for index in range(len(seeds)):
            near = _distances(seeds[index : index + 1], seeds[:index])
            if not np.isnan(seeds[index, 0]) and not (near < _SAME_PLACE_M).any():
                continue
            if len(places):
                before = _distances(places, seeds[:index])
                seeds[index] = places[int(before.min(axis=1).argmax())] if index else places[0]
        return seeds

    def _middles(self, points: _Floats, owner: _Ints, before: _Floats) -> _Floats:
        known = ~np.isnan(points[:, 0])
        count = np.bincount(owner[known], minlength=len(before))
        sums = [np.bincount(owner[known], weights=axis, minlength=len(before)) for axis in points[known].T]
        with np.errstate(invalid="ignore", divide="ignore"):
            middles = np.stack(sums, axis=1) / count[:, None]
        pulled = np.where(np.isnan(self.starts), middles, (1 - _PULL) * middles + _PULL * self.starts)
        return np.where(count[:, None] > 0, pulled, before)

    def _dealt(self, costs: _Floats, level: _Floats) -> list[int]:
        """Give the stops out one by one, what matters most first; above their share agents become dearer."""
        work, room = self.had.copy(), self.room.copy()
        dearer = np.maximum(0.0, work - level)
        dearer[room == 0] = np.inf
        dealt = []
        for cost, minutes in zip(costs, self.minutes.tolist(), strict=True):
            asked = cost + dearer
            index = int(asked.argmin())
            if asked[index] == np.inf:
                dealt.append(-1)
                continue
            dealt.append(index)
            work[index] += minutes
            room[index] -= 1
            dearer[index] = max(0.0, work[index] + minutes - level[index]) if room[index] else np.inf
        return dealt


def _water_level(had: _Floats, poured: float) -> float:
    """Return how high vessels that are filled to ``had`` stand when something more is poured over all of them."""
    heights = np.sort(had)
    for count in range(1, len(heights) + 1):
        level = (poured + float(heights[:count].sum())) / count
        if count == len(heights) or level <= heights[count]:
            return level
    return poured


def _walk(agent: Walker, mine: Sequence[Stop], given: Sequence[Stop]) -> Walk:
    chosen = {stop.key for stop in mine}
    ordered = [stop for stop in given if stop.key in chosen]
    start = None
    if agent.latitude is not None and agent.longitude is not None:
        start = agent.latitude, agent.longitude
    way, length_m = way_of(ordered, start)
    minutes = sum(stop.minutes for stop in ordered) + length_m / METRES_A_MINUTE
    return Walk(agent.key, tuple(ordered[index].key for index in way), length_m, minutes)


def _points(places: Iterable[Stop | Walker]) -> _Floats:
    """Return places as (n, 3) points in space, metres from the middle of the earth; NaN where unknown."""
    degrees = [
        (np.nan, np.nan) if each.latitude is None or each.longitude is None else (each.latitude, each.longitude)
        for each in places
    ]
    return _on_the_ball(np.array(degrees, dtype=np.float64).reshape(-1, 2))


def _on_the_ball(degrees: _Floats) -> _Floats:
    latitude, longitude = np.radians(degrees).T
    flat = np.cos(latitude)
    return EARTH_RADIUS_M * np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=1)


def _distances(one: _Floats, other: _Floats) -> _Floats:
    """Return the (n, m) distances of n and m points, metres, good to a decimetre; NaN where one is unknown."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2.0 * (one @ other.T)
    apart: _Floats = np.sqrt(np.maximum(squares, 0.0))
    return apart


def _to(point: _Floats, points: _Floats) -> _Floats:
    apart = points - point
    metres: _Floats = np.sqrt(np.einsum("ij,ij->i", apart, apart))
    return metres


def _length(path: _Floats, origin: _Floats | None) -> float:
    edges = np.sqrt(((path[1:] - path[:-1]) ** 2).sum(axis=1))
    first = 0.0 if origin is None else float(_to(origin, path[:1])[0])
    return first + float(edges.sum())


def _nearest_first(points: _Floats, origin: _Floats | None) -> _Ints:
    """Return the way on which the nearest neighbour always comes next; without an origin from the first point."""
    left = np.arange(len(points))
    rest = points.copy()
    here = points[0] if origin is None else origin
    order = np.empty(len(points), dtype=np.int64)
    for place in range(len(points)):
        found = int(_to(here, rest[: len(left)]).argmin())
        order[place], here = left[found], rest[found].copy()
        last = len(left) - 1
        left[found], rest[found] = left[last], rest[last]
        left = left[:last]
    return order


def _untangled(points: _Floats, order: _Ints, origin: _Floats | None) -> _Ints:
    """Turn pieces of a way around while that makes it shorter, in bounded time; its origin stays, its end is free.

    Long ways are looked at in a window.
    """
    count = len(order)
    window = max(20, min(count, _LOOKED_AT // max(1, count)))
    order = order.copy()
    path = points[order]
    for _ in range(_PASSES if count <= _LONG_WAY else _PASSES_OF_LONG_WAYS):
        shorter = False
        for low in range(count - 1):
            high = _best_turn(path, low, min(count, low + window), origin)
            if high:
                order[low:high] = order[low:high][::-1]
                path[low:high] = path[low:high][::-1].copy()
                shorter = True
        if not shorter:
            break
    return order


def _best_turn(path: _Floats, low: int, limit: int, origin: _Floats | None) -> int:
    """Return where the piece that begins at ``low`` should end to gain most by being turned around; 0 for nowhere."""
    ends = path[low + 1 : limit]
    after = path[low + 2 : limit + 1]
    before = path[low - 1] if low else origin
    gain = np.zeros(len(ends))
    if before is not None:
        gain += _to(before, path[low : low + 1])[0] - _to(before, ends)
    apart = ends[: len(after)] - after
    gain[: len(after)] += np.sqrt(np.einsum("ij,ij->i", apart, apart)) - _to(path[low], after)
    best = int(gain.argmax())
    return low + 2 + best if gain[best] > _GAIN_M else 0
