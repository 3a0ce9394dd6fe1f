"""Quantities from registers that tell the energy of each half-hour; exact, in Decimal.

A half-hour that is missing is unknown, never zero. A meter that has both a dial and half-hours of the same flow is
counted once: the dial tells, and the half-hours only where it does not.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from meters.consumption import (
    ESTIMATES,
    HALF_HOUR,
    QUALITY_LINEAR,
    UNKNOWN,
    Counted,
    Energy,
    Read,
    Step,
    least_trusted,
    total,
)

_MICROSECOND = timedelta(microseconds=1)
_MICRO = Decimal("0.000001")
_ZERO = Decimal(0)


class IntervalCurve:
    """What one register has counted half-hour by half-hour while it hung at one place.

    A half-hour that is cut is shared out evenly over its time, and counts as estimated.

    :param reads: the energy of the half-hour that ends at each time, in the order of their times, one an instant.
    :param since: when the meter was hung up; its first half-hour may have begun before.
    :param multipliers: (from when on, factor), in order; the first factor also holds before its instant.
    :param label: the meter's serial and the register's code, for whoever wants to know what an energy rests on.
    """

    def __init__(
        self,
        reads: Sequence[Read],
        *,
        since: datetime,
        multipliers: Sequence[tuple[datetime, Decimal]],
        label: tuple[str, str] = ("", ""),
    ) -> None:
        self.reads = tuple(reads)
        self.label = label
        changes = [start for start, _ in multipliers]
        self._ends = [read.time for read in self.reads]
        self._starts = [max(end - HALF_HOUR, since) for end in self._ends]
        self._values = [read.value for read in self.reads]
        self._amounts = [
            value * multipliers[max(bisect_right(changes, start) - 1, 0)][1]
            for value, start in zip(self._values, self._starts, strict=True)
        ]
        self._shown = list(accumulate(self._values, initial=_ZERO))
        self._heights = list(accumulate(self._amounts, initial=_ZERO))
        follows = zip(self._starts[1:], self._ends, strict=False)
        self._holes = list(accumulate((start != end for start, end in follows), initial=0))

    def between(self, start: datetime, end: datetime, *, estimate: bool = True) -> Energy:
        """Return the energy of ``[start, end)`` where every half-hour of it is known."""
        energy = self._energy(start, end)
        cut = energy.quality == QUALITY_LINEAR and self._is_cut(start, end)
        return energy if energy.complete and (estimate or not cut) else UNKNOWN

    def known_within(self, start: datetime, end: datetime) -> Energy:
        """Return the energy of the half-hours of ``[start, end)`` that are known."""
        return self._energy(start, end)

    def half_hours_known(self, start: datetime, end: datetime) -> int:
        """Count the half-hours of which ``[start, end)`` holds all."""
        first, last = bisect_left(self._starts, start), bisect_right(self._ends, end)
        return max(last - first, 0)

    def half_hours(self, start: datetime, end: datetime) -> list[Step]:
        """Return the half-hours of ``[start, end)`` that are known and whole."""
        told = slice(bisect_left(self._starts, start), bisect_right(self._ends, end))
        return [
            (since, amount, read.quality, read.quality in ESTIMATES)
            for since, read, amount in zip(self._starts[told], self.reads[told], self._amounts[told], strict=True)
            if read.time - since == HALF_HOUR
        ]

    def _span(self, start: datetime, end: datetime) -> tuple[int, int]:
        """Return the first and the last half-hour that share time with a stretch, out of order where none does."""
        return bisect_right(self._ends, start), bisect_left(self._starts, end) - 1

    def _is_cut(self, start: datetime, end: datetime) -> bool:
        first, last = self._span(start, end)
        return self._starts[first] < start or self._ends[last] > end

    def _energy(self, start: datetime, end: datetime) -> Energy:
        first, last = self._span(start, end)
        if first > last:
            return UNKNOWN
        low, high = max(start, self._starts[first]), min(end, self._ends[last])
        qualities = {read.quality for read in self.reads[first : last + 1]}
        cut = self._is_cut(start, end)
        if cut:
            qualities.add(QUALITY_LINEAR)
        shown = self._between(self._shown, self._values, (first, low), (last, high))
        quality = least_trusted(qualities)
        return Energy(
            amount=self._between(self._heights, self._amounts, (first, low), (last, high)),
            complete=low == start and high == end and self._holes[first] == self._holes[last],
            estimated_amount=self._estimated(first, last, low, high) if cut or qualities & ESTIMATES else _ZERO,
            quality=quality,
            reads=tuple(
                (self.label, Read(time, value, self.reads[place].quality, "summed"))
                for time, value, place in ((low, _ZERO, first), (high, shown, last))
            ),
        )

    def _estimated(self, first: int, last: int, low: datetime, high: datetime) -> Decimal:
        """Sum the half-hours that are estimates or cut."""
        estimated = _ZERO
        for place in range(first, last + 1):
            start, end = max(low, self._starts[place]), min(high, self._ends[place])
            cut = (start, end) != (self._starts[place], self._ends[place])
            if cut or self.reads[place].quality in ESTIMATES:
                estimated += self._between(self._heights, self._amounts, (place, start), (place, end))
        return estimated

    def _between(
        self,
        heights: Sequence[Decimal],
        steps: Sequence[Decimal],
        first: tuple[int, datetime],
        last: tuple[int, datetime],
    ) -> Decimal:
        return self._height(heights, steps, *last) - self._height(heights, steps, *first)

    def _height(self, heights: Sequence[Decimal], steps: Sequence[Decimal], place: int, at: datetime) -> Decimal:
        start, end = self._starts[place], self._ends[place]
        if at == start:
            return heights[place]
        if at == end:
            return heights[place + 1]
        part = Decimal((at - start) // _MICROSECOND) / ((end - start) // _MICROSECOND)
        return heights[place] + (steps[place] * part).quantize(_MICRO)


class Backed:
    """A flow that dials count, and half-hours where the dials do not tell: never both."""

    def __init__(self, dials: Sequence[Counted], intervals: Sequence[Counted]) -> None:
        self.dials = tuple(dials)
        self.intervals = tuple(intervals)

    def between(self, start: datetime, end: datetime, *, estimate: bool = True) -> Energy:
        """Return the dials' energy of ``[start, end)``, otherwise the half-hours'; unknown unless one knows it all."""
        for counts in (self.dials, self.intervals):
            energy = total([count.between(start, end, estimate=estimate) for count in counts])
            if energy.complete:
                return energy
        return UNKNOWN

    def known_within(self, start: datetime, end: datetime) -> Energy:
        """Return what the dials know of ``[start, end)``, unless only the half-hours know it all, or anything."""
        dials, intervals = (
            total([count.known_within(start, end) for count in counts]) for counts in (self.dials, self.intervals)
        )
        if dials.complete or not (intervals.complete or dials.amount is None):
            return dials
        return intervals

    def half_hours_known(self, start: datetime, end: datetime) -> int:
        """Count the half-hours of ``[start, end)`` that one of them was told by themselves."""
        return max(count.half_hours_known(start, end) for count in (*self.dials, *self.intervals))

    def half_hours(self, start: datetime, end: datetime) -> list[Step]:
        """Return none: what dials and half-hours tell together is asked half-hour by half-hour."""
        return []
