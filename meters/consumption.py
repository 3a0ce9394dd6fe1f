"""Quantities from what registers show: curves along the chain of meters that hang at a place. Exact, in Decimal.

A register's *curve* is what it has counted, roll-overs unwrapped and its multiplier applied, as a function of time.
Energy over ``[a, b)`` is the curve's growth from a to b while one meter hangs, and the sum of such growths where the
meter was exchanged in between, so that no subtraction ever crosses an exchange. Water, gas and heat are counted
alike: amounts are in the register's unit.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple, Protocol, TypeAlias

HALF_HOUR = timedelta(minutes=30)
LONGEST_LINEAR_GAP = timedelta(hours=2)
QUALITY_LINEAR = 9
ESTIMATES = frozenset({8, QUALITY_LINEAR, 12})
Role = Literal["boundary", "installed", "removed", "summed"]
# A half-hour that was told by itself: its start, its amount, its quality, and whether it is an estimate.
Step: TypeAlias = tuple[datetime, Decimal, int, bool]
_MICRO = Decimal("0.000001")
_ZERO = Decimal(0)
# Green Button's qualities from the most to the least trusted: revenue, verified, validated, valid, raw, derived,
# edited, reference day, linear, projected, questionable.
_BY_TRUST = {quality: rank for rank, quality in enumerate((19, 18, 17, 0, 14, 11, 7, 8, QUALITY_LINEAR, 12, 10))}
_LEAST_TRUSTED = len(_BY_TRUST)


class Read(NamedTuple):
    """What a register showed at an instant, in its own unit, before its multiplier.

    A ``summed`` one is what intervals add up to from where the summing began.
    """

    time: datetime
    value: Decimal
    quality: int
    role: Role = "boundary"


@dataclass(frozen=True, slots=True)
class Point:
    """A curve at an instant: its height, and the indexes of the reads that it rests on (two when estimated)."""

    time: datetime
    height: Decimal
    quality: int
    reads: tuple[int, ...]

    @property
    def estimated(self) -> bool:
        return self.quality in ESTIMATES


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy, or another quantity, of a stretch: None where nothing is known; ``complete`` when all of it is.

    ``reads`` are what it was computed from, each with its register's label.
    """

    amount: Decimal | None
    complete: bool
    estimated_amount: Decimal = _ZERO
    quality: int | None = None
    reads: tuple[tuple[tuple[str, str], Read], ...] = ()

    @property
    def estimated_share(self) -> Decimal:
        """The estimated part of it, 0 to 1."""
        return share(self.estimated_amount, self.amount)


UNKNOWN = Energy(amount=None, complete=False)


def share(part: Decimal, whole: Decimal | None) -> Decimal:
    """Return ``part / whole`` to six decimals; an estimated nothing of nothing is 0."""
    return (part / whole).quantize(_MICRO) if whole else _ZERO


def least_trusted(qualities: Iterable[int]) -> int | None:
    """Return the quality that says least; None of none."""
    return max(qualities, key=_mistrust, default=None)


def _mistrust(quality: int) -> int:
    return _BY_TRUST.get(quality, _LEAST_TRUSTED)


def growth(earlier: Decimal, later: Decimal, modulus: Decimal) -> Decimal:
    """Return how far a dial turned between two values, at most once past its modulus."""
    return later - earlier if later >= earlier else later + modulus - earlier


class Counted(Protocol):
    """Whatever tells the energy of a stretch of time."""

    def between(self, start: datetime, end: datetime, *, estimate: bool = True) -> Energy:
        """Return the energy of ``[start, end)``: unknown unless all of it is known."""

    def known_within(self, start: datetime, end: datetime) -> Energy:
        """Return the energy of what is known of ``[start, end)``."""

    def half_hours_known(self, start: datetime, end: datetime) -> int:
        """Count the half-hours of ``[start, end)`` that were told by themselves."""

    def half_hours(self, start: datetime, end: datetime) -> list[Step]:
        """Return the half-hours of ``[start, end)`` that were told by themselves, in the order of time."""


def _judged(first: int, last: int) -> tuple[int, bool, bool]:
    """Return the quality of a step between two reads, whether that is an estimate, and whether either read is."""
    quality = max(first, last, key=_mistrust)
    return quality, quality in ESTIMATES, first in ESTIMATES or last in ESTIMATES


class Curve:
    """What one register has counted while it hung at one place.

    :param reads: in the order of their times, one an instant.
    :param multipliers: (from when on, factor), in order; the first factor also holds before its instant.
    :param label: the meter's serial and the register's code, for whoever wants to know what an energy rests on.
    """

    def __init__(
        self,
        reads: Sequence[Read],
        *,
        modulus: Decimal,
        multipliers: Sequence[tuple[datetime, Decimal]],
        label: tuple[str, str] = ("", ""),
    ) -> None:
        self.reads = tuple(reads)
        self.label = label
        self._times = [read.time for read in self.reads]
        self._qualities = [read.quality for read in self.reads]
        self._steps = self._grown(modulus, multipliers)
        self._heights = list(accumulate(self._steps, initial=_ZERO))
        self._estimated_heights = self._summed_estimates()

    def _grown(self, modulus: Decimal, multipliers: Sequence[tuple[datetime, Decimal]]) -> list[Decimal]:
        values = [read.value for read in self.reads]
        steps = [
            later - earlier if later >= earlier else growth(earlier, later, modulus)
            for earlier, later in pairwise(values)
        ]
        changes = [start for start, _ in multipliers]
        if len(changes) == 1:
            factor = multipliers[0][1]
            return steps if factor == 1 else [step * factor for step in steps]
        return [
            step * multipliers[max(bisect_right(changes, time) - 1, 0)][1]
            for step, time in zip(steps, self._times, strict=False)
        ]

    def _summed_estimates(self) -> list[Decimal]:
        if ESTIMATES.isdisjoint(self._qualities):
            return [_ZERO] * len(self.reads)
        estimates = [quality in ESTIMATES for quality in self._qualities]
        doubtful = (earlier or later for earlier, later in pairwise(estimates))
        estimated = (step if doubt else _ZERO for step, doubt in zip(self._steps, doubtful, strict=True))
        return list(accumulate(estimated, initial=_ZERO))

    def at(self, instant: datetime, *, estimate: bool = True) -> Point | None:
        """Return the curve at an instant: read, or on the line between two reads at most two hours apart."""
        index = bisect_left(self._times, instant)
        if index < len(self._times) and self._times[index] == instant:
            return self._point(index)
        if not estimate or index in {0, len(self._times)}:
            return None
        before, after = self._times[index - 1], self._times[index]
        if after - before > LONGEST_LINEAR_GAP:
            return None
        low, high = self._heights[index - 1], self._heights[index]
        part = Decimal((instant - before) // timedelta(microseconds=1)) / (
            (after - before) // timedelta(microseconds=1)
        )
        # Only the way up is rounded: the height must not depend on where the curve begins.
        height = low + ((high - low) * part).quantize(_MICRO)
        return Point(instant, height, QUALITY_LINEAR, (index - 1, index))

    def between(self, start: datetime, end: datetime, *, estimate: bool = True) -> Energy:
        """Return the energy of ``[start, end)`` where both ends are known."""
        place = bisect_left(self._times, start)
        if self._times[place : place + 2] == [start, end]:
            return self._step(place)
        return self._energy(self.at(start, estimate=estimate), self.at(end, estimate=estimate), complete=True)

    def known_within(self, start: datetime, end: datetime) -> Energy:
        """Return the energy from the first to the last known instant of ``[start, end]``."""
        first, last = self.at(start), self.at(end)
        complete = first is not None and last is not None
        if first is None:
            index = bisect_left(self._times, start)
            first = self._point(index) if index < len(self._times) else None
        if last is None:
            index = bisect_right(self._times, end) - 1
            last = self._point(index) if index >= 0 else None
        if first is None or last is None or first.time >= last.time:
            return UNKNOWN
        return self._energy(first, last, complete=complete)

    def half_hours_known(self, start: datetime, end: datetime) -> int:
        """Count the half-hours of ``[start, end)`` with a read at both ends."""
        times = self._times[bisect_left(self._times, start) : bisect_right(self._times, end)]
        return sum(later - earlier == HALF_HOUR for earlier, later in pairwise(times))

    def half_hours(self, start: datetime, end: datetime) -> list[Step]:
        """Return the half-hours of ``[start, end)`` with a read at both ends and none between."""
        low, high = bisect_left(self._times, start), bisect_right(self._times, end)
        times, ends = self._times[low:high], list(pairwise(self._qualities[low:high]))
        judged = {pair: _judged(*pair) for pair in set(ends)}
        found: list[Step] = []
        for since, until, amount, pair in zip(times, times[1:], self._steps[low:], ends, strict=False):
            if until - since == HALF_HOUR:
                quality, estimate, doubtful = judged[pair]
                found.append((since, amount, quality, estimate or (doubtful and amount > 0)))
        return found

    def _step(self, place: int) -> Energy:
        """Return the energy between a read and the next: what most half-hours are."""
        first, last = self.reads[place], self.reads[place + 1]
        amount = self._heights[place + 1] - self._heights[place]
        quality = first.quality
        if last.quality != quality:
            quality = max(first.quality, last.quality, key=_mistrust)
        return Energy(
            amount=amount,
            complete=True,
            estimated_amount=amount if first.quality in ESTIMATES or last.quality in ESTIMATES else _ZERO,
            quality=quality,
            reads=((self.label, first), (self.label, last)),
        )

    def _point(self, index: int) -> Point:
        return Point(self._times[index], self._heights[index], self.reads[index].quality, (index,))

    def _energy(self, first: Point | None, last: Point | None, *, complete: bool) -> Energy:
        if first is None or last is None:
            return UNKNOWN
        indexes = sorted({*first.reads, *last.reads})
        return Energy(
            amount=last.height - first.height,
            complete=complete,
            estimated_amount=self._estimated(first, last),
            quality=least_trusted((first.quality, last.quality)),
            reads=tuple((self.label, self.reads[index]) for index in indexes),
        )

    def _estimated(self, first: Point, last: Point) -> Decimal:
        """Sum what lies between neighbours of which one is an estimate, or on a line."""
        after, before = first.reads[-1], last.reads[0]
        if after > before:
            return last.height - first.height
        # Both ends may lie on a line: up to the next read, or from the last one on.
        on_lines = self._heights[after] - first.height + last.height - self._heights[before]
        return self._estimated_heights[before] - self._estimated_heights[after] + on_lines


@dataclass(frozen=True)
class Hanging:
    """The stretch ``[start, end)`` in which one meter hung at a place, with what its registers counted."""

    start: datetime
    end: datetime
    curves: tuple[Counted, ...]


class Chain:
    """The meters that hung at one place, one after the other.

    :param hangings: in the order of time, without overlaps.
    """

    def __init__(self, hangings: Sequence[Hanging]) -> None:
        self.hangings = tuple(hangings)
        self._ends = [hanging.end for hanging in self.hangings]

    def between(self, start: datetime, end: datetime, *, estimate: bool = True) -> Energy:
        """Return the energy of ``[start, end)``: unknown unless all of it is known."""
        energy = self._sum(start, end, partial(_between, estimate=estimate))
        return energy if energy.complete else UNKNOWN

    def known_within(self, start: datetime, end: datetime) -> Energy:
        """Return the energy of what is known of ``[start, end)``."""
        return self._sum(start, end, _known_within)

    def half_hours(self, start: datetime, end: datetime) -> list[Step]:
        """Return half-hours of ``[start, end)`` that one register tells alone and by themselves; there may be others.

        In the order of time.
        """
        return [
            step
            for hanging in self.hangings
            if len(hanging.curves) == 1
            for step in hanging.curves[0].half_hours(max(start, hanging.start), min(end, hanging.end))
        ]

    def half_hours_known(self, start: datetime, end: datetime) -> int:
        """Count the half-hours of ``[start, end)`` that were told by themselves, once a register."""
        return sum(
            curve.half_hours_known(max(start, hanging.start), min(end, hanging.end))
            for hanging in self.hangings
            for curve in hanging.curves
        )

    def _sum(self, start: datetime, end: datetime, measure: Callable[[Counted, datetime, datetime], Energy]) -> Energy:
        parts: list[Energy] = []
        covered = timedelta(0)
        first = bisect_right(self._ends, start)
        if first < len(self.hangings):
            hanging = self.hangings[first]
            if hanging.start <= start and end <= hanging.end and len(hanging.curves) == 1:
                return measure(hanging.curves[0], start, end)
        for hanging in self.hangings[first:]:
            low, high = max(start, hanging.start), min(end, hanging.end)
            if low >= high:
                break
            covered += high - low
            parts += (measure(curve, low, high) for curve in hanging.curves)
            if not hanging.curves:
                parts.append(UNKNOWN)
        return total(parts, complete=covered == end - start)


def _between(counted: Counted, start: datetime, end: datetime, *, estimate: bool) -> Energy:
    return counted.between(start, end, estimate=estimate)


def _known_within(counted: Counted, start: datetime, end: datetime) -> Energy:
    return counted.known_within(start, end)


def total(parts: Sequence[Energy], *, complete: bool = True) -> Energy:
    """Add energies up; the sum is complete when every part and ``complete`` are, unknown when every part is."""
    known = [part for part in parts if part.amount is not None]
    if not known:
        return UNKNOWN
    if len(known) == 1 == len(parts) and complete:
        return known[0]
    return Energy(
        amount=sum((part.amount for part in known if part.amount is not None), _ZERO),
        complete=complete and all(part.complete for part in parts),
        estimated_amount=sum((part.estimated_amount for part in known), _ZERO),
        quality=least_trusted(part.quality for part in known if part.quality is not None),
        reads=tuple(read for part in known for read in part.reads),
    )
