"""A place's half-hours as arrays: what passed in each, whether that is known, and whether it is an estimate. Exact.

Energies are whole µkWh. Where a multiplier makes finer ones, the sum from the start is rounded, not each half-hour, so
that they still add up to what the stretch counted. Missing is never zero: an unknown half-hour holds 0 and says so in
``known``. A gap of a dial between two reads is spread evenly over its time; what lies beyond them stays unknown.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from itertools import accumulate, pairwise
from operator import or_
from typing import Self, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from energy_portal.shared.clock import HALF_HOUR, Period
from meters.consumption import ESTIMATES, Chain, Counted, Curve, Energy, total
from meters.intervals import Backed

_ZERO = Decimal(0)
_MICRO = Decimal("0.000001")
_MICROS_A_KWH = 1_000_000
_FACTOR_PLACES = 10_000
_MICROSECOND = timedelta(microseconds=1)
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
_ROOM = 2**62

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
# The energy of a piece of time, kWh, and whether it is an estimate; None where it is not known.
_Part: TypeAlias = tuple[Decimal, bool] | None


@dataclass(frozen=True, eq=False)
class HalfHours:
    """n half-hours of a place, one after the other.

    :ivar start: of the first, aware, UTC, on the place's half-hour; of a supply that began later in it, it holds the
        rest.
    :ivar energy_ukwh: n energies, 10^-6 kWh; 0 where not known.
    :ivar known: n booleans.
    :ivar estimated: n booleans; False where not known.
    """

    start: datetime
    energy_ukwh: Ints
    known: Bools
    estimated: Bools

    @classmethod
    def unknown(cls, start: datetime, count: int) -> Self:
        """Return half-hours of which nothing is known."""
        nothing = np.zeros(count, dtype=np.bool_)
        return cls(start, np.zeros(count, dtype=np.int64), nothing, nothing)

    def __len__(self) -> int:
        return int(self.energy_ukwh.size)

    @property
    def end(self) -> datetime:
        """The end of the last half-hour."""
        return self.start + len(self) * HALF_HOUR

    @property
    def total_kwh(self) -> Decimal:
        """The energy of the half-hours that are known, kWh, six decimals."""
        return _kwh(int(self.energy_ukwh.sum()))

    @property
    def estimated_kwh(self) -> Decimal:
        """The energy of the half-hours that are estimated, kWh, six decimals."""
        return _kwh(int(self.energy_ukwh[self.estimated].sum()))

    @property
    def is_complete(self) -> bool:
        """Whether there is a half-hour, and all are known."""
        return len(self) > 0 and bool(self.known.all())

    def place_of(self, instant: datetime) -> int:
        """Return the index of the first half-hour that begins at or after an instant, 0 to n.

        An instant within the first half-hour stands for its start: a supply may begin there.
        """
        if instant < self.start + HALF_HOUR:
            return 0
        return min(-((self.start - instant) // HALF_HOUR), len(self))

    def between(self, start: datetime, end: datetime) -> "HalfHours":
        """Return the half-hours that begin in ``[start, end)``; stretches that touch share none and lose none."""
        first, last = self.place_of(start), self.place_of(end)
        part = slice(first, max(first, last))
        return HalfHours(self.start + first * HALF_HOUR, self.energy_ukwh[part], self.known[part], self.estimated[part])


@dataclass(frozen=True)
class Axis:
    """The half-hours of a period on a place's clock, and how far they may be known."""

    period: Period
    start: datetime
    count: int
    limit: datetime

    @classmethod
    def of(cls, period: Period, zone: ZoneInfo, latest: datetime) -> Self:
        """Lay half-hours over a period; those that have not ended at ``latest`` cannot be known."""
        offset = period.start.astimezone(zone).utcoffset() or timedelta(0)
        past = (period.start - datetime.min.replace(tzinfo=period.start.tzinfo) + offset) % HALF_HOUR
        start = period.start - past
        count = -((start - period.end) // HALF_HOUR)
        limit = period.end if period.end <= latest else start + max((latest - start) // HALF_HOUR, 0) * HALF_HOUR
        return cls(period, start, count, limit)

    @property
    def is_whole(self) -> bool:
        """Whether the period begins and, unless it is still running, ends on a half-hour."""
        return self.start == self.period.start and (self.limit - self.start) % HALF_HOUR == timedelta(0)

    @property
    def marks(self) -> int:
        """The number of half-hours that have ended."""
        return (self.limit - self.start) // HALF_HOUR


def steps_of(values: Ints, *, modulus: int, factor: Decimal) -> Ints | None:
    """Return how far a dial turned between neighbouring values, each at most once past its modulus, times a factor.

    :param values: n ≥ 1 values, 10^-6 of the register's unit.
    :param modulus: where the dial turns over, in the same unit.
    :returns: n - 1 steps, 10^-6 kWh; None where they are finer than that or too large for whole numbers of 64 bits.
    """
    steps = np.diff(values)
    steps = np.where(steps < 0, steps + modulus, steps)
    places = int(factor * _FACTOR_PLACES)
    if places == _FACTOR_PLACES or not steps.size:
        return steps
    if int(steps.max()) * places >= _ROOM:
        return None
    finer = steps * places
    return None if (finer % _FACTOR_PLACES).any() else finer // _FACTOR_PLACES


def from_steps(axis: Axis, marks: Ints, steps: Ints, estimates: Bools) -> HalfHours | None:
    """Return half-hours from what a dial counted between reads on their marks, gaps spread evenly.

    :param marks: n indexes of half-hours' starts, in order, 0 to ``axis.count``.
    :param steps: n - 1 energies, 10^-6 kWh.
    :param estimates: n booleans: whether each read is an estimate.
    :returns: None where the numbers are too large for whole numbers of 64 bits.
    """
    doubtful = estimates[1:] | estimates[:-1]
    if marks.size == axis.count + 1:
        return HalfHours(axis.start, steps, np.ones(axis.count, dtype=np.bool_), doubtful)
    if not steps.size:
        return HalfHours.unknown(axis.start, axis.count)
    widths = np.diff(marks)
    if int(steps.max()) * int(widths.max()) >= _ROOM // 2:
        return None
    step = np.repeat(np.arange(steps.size), widths)
    done = np.arange(int(marks[0]), int(marks[-1])) - marks[:-1][step]
    of_step, wide = steps[step], widths[step]
    told = slice(int(marks[0]), int(marks[-1]))
    energy = np.zeros(axis.count, dtype=np.int64)
    known, estimated = np.zeros((2, axis.count), dtype=np.bool_)
    energy[told] = _half_even((done + 1) * of_step, wide) - _half_even(done * of_step, wide)
    known[told] = True
    estimated[told] = (wide > 1) | doubtful[step]
    return HalfHours(axis.start, energy, known, estimated)


def from_chain(axis: Axis, chain: Chain) -> HalfHours:
    """Return half-hours from the chain of meters that hung at a place, whatever happened there.

    What several registers tell is summed; a half-hour is known where all that hung in it is.
    """
    amounts = [_ZERO] * axis.count
    covered = [timedelta(0)] * axis.count
    known, estimated = np.ones(axis.count, dtype=np.bool_), np.zeros(axis.count, dtype=np.bool_)
    for hanging in chain.hangings:
        low, high = max(hanging.start, axis.period.start), min(hanging.end, axis.limit)
        if low >= high:
            continue
        first, last = (low - axis.start) // HALF_HOUR, -((axis.start - high) // HALF_HOUR)
        edges = [low, *(axis.start + place * HALF_HOUR for place in range(first + 1, last)), high]
        for place, (start, end) in enumerate(pairwise(edges), first):
            covered[place] += end - start
        if not hanging.curves:
            known[first:last] = False
        for curve in hanging.curves:
            for place, part in enumerate(_told(curve, edges), first):
                if part is None:
                    known[place] = False
                else:
                    amounts[place] += part[0]
                    estimated[place] |= part[1]
    for place in range(axis.count):
        start = axis.start + place * HALF_HOUR
        whole = min(start + HALF_HOUR, axis.period.end) - max(start, axis.period.start)
        known[place] &= covered[place] == whole
    sums = accumulate((amount if fine else _ZERO for amount, fine in zip(amounts, known, strict=True)), initial=_ZERO)
    micros = [int(height.quantize(_MICRO, rounding=ROUND_HALF_UP).scaleb(6)) for height in sums]
    heights = np.array(micros, dtype=np.int64)
    return HalfHours(axis.start, heights[1:] - heights[:-1], known, estimated & known)


def _told(curve: Counted, edges: Sequence[datetime]) -> list[_Part]:
    if isinstance(curve, Backed):
        return _told_by_both(curve, edges)
    energies = [curve.between(start, end) for start, end in pairwise(edges)]
    if not isinstance(curve, Curve):
        return [_part(energy) for energy in energies]
    points = [curve.at(edge) for edge in edges]
    ends = [point is not None and point.estimated for point in points]
    parts = [_part(energy, doubtful=doubt) for energy, doubt in zip(energies, map(or_, ends, ends[1:]), strict=True)]
    return _bridged(curve, edges, parts) if None in parts else parts


def _part(energy: Energy, *, doubtful: bool = False) -> _Part:
    if energy.amount is None or not energy.complete:
        return None
    reads = {read.quality for _, read in energy.reads}
    estimated = energy.quality in ESTIMATES or not ESTIMATES.isdisjoint(reads) or energy.estimated_amount != 0
    return energy.amount, doubtful or estimated


def _bridged(curve: Curve, edges: Sequence[datetime], parts: list[_Part]) -> list[_Part]:
    """Spread a dial's gaps evenly over their time where both their reads lie between the first and the last edge."""
    times = [read.time for read in curve.reads]

    def height(instant: datetime) -> Decimal | None:
        point = curve.at(instant)
        if point is not None:
            return point.height
        after = bisect_left(times, instant)
        if after in {0, len(times)} or times[after - 1] < edges[0] or times[after] > edges[-1]:
            return None
        start, end = times[after - 1], times[after]
        grown = curve.between(start, end).amount
        before = curve.at(start)
        if grown is None or before is None:
            return None
        return before.height + _share(grown, instant - start, end - start)

    bridged = []
    for part, (start, end) in zip(parts, pairwise(edges), strict=True):
        low, high = (height(start), height(end)) if part is None else (None, None)
        bridged.append(part if low is None or high is None else (high - low, True))
    return bridged


def _told_by_both(both: Backed, edges: Sequence[datetime]) -> list[_Part]:
    """Return what dials counted, in the shape that half-hours tell where the dials tell only more than one together.

    Where the dials know one of the outer edges only, or none, they tell nothing of the whole: the half-hours do.
    """
    shape = [_part(total([each.between(start, end) for each in both.intervals])) for start, end in pairwise(edges)]
    if not total([each.between(edges[0], edges[-1]) for each in both.dials]).complete:
        own = [_part(both.between(start, end)) for start, end in pairwise(edges)]
        return [told or dial for told, dial in zip(shape, own, strict=True)]
    found: list[_Part] = []
    first = 0
    for last in range(1, len(edges)):
        # A line between two reads of a dial tells less than the half-hours between them.
        on_line = last == len(edges) - 1
        counted = _part(total([each.between(edges[first], edges[last], estimate=on_line) for each in both.dials]))
        if counted is None:
            continue
        amount, doubtful = counted
        if last - first == 1:
            found.append(counted)
        else:
            shaped = _shaped(amount, shape[first:last], edges[first : last + 1])
            found += [(energy, estimate or doubtful) for energy, estimate in shaped]
        first = last
    return found


def _shaped(amount: Decimal, shape: Sequence[_Part], edges: Sequence[datetime]) -> list[tuple[Decimal, bool]]:
    """Share an amount out in the shape of what is known of it, the rest evenly; evenly altogether where it cannot be.

    :param shape: n parts that may add up to something else than the amount.
    :param edges: n + 1 instants.
    """
    told = sum((part[0] for part in shape if part is not None), _ZERO)
    lengths = [end - start for start, end in pairwise(edges)]
    if None not in shape and (told > 0 or amount == 0):
        weights = [part[0] for part in shape if part is not None]
        return list(zip(_shares(amount, weights), [part[1] for part in shape if part is not None], strict=True))
    if None in shape and told <= amount:
        missing = [_weight(length) if part is None else _ZERO for part, length in zip(shape, lengths, strict=True)]
        rest = zip(_shares(amount - told, missing), shape, strict=True)
        return [(energy, True) if part is None else part for energy, part in rest]
    return [(energy, True) for energy in _shares(amount, [_weight(length) for length in lengths])]


def _shares(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Share an amount out by weights, the sums from the start rounded to six decimals, so that nothing is lost."""
    whole = sum(weights, _ZERO)
    if not whole:
        return [_ZERO] * len(weights)
    heights = [_rounded(amount, up, whole) for up in accumulate(weights, initial=_ZERO)]
    heights[-1] = amount
    return [later - earlier for earlier, later in pairwise(heights)]


def _share(amount: Decimal, part: timedelta, whole: timedelta) -> Decimal:
    return _rounded(amount, _weight(part), _weight(whole))


def _rounded(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    return _WIDE.quantize(_WIDE.divide(_WIDE.multiply(amount, part), whole), _MICRO)


def _weight(length: timedelta) -> Decimal:
    return Decimal(length // _MICROSECOND)


def _half_even(numerator: Ints, denominator: Ints) -> Ints:
    """Divide whole numbers and round to the nearest, halves to the even one."""
    whole, rest = np.divmod(numerator, denominator)
    up: Bools = (2 * rest > denominator) | ((2 * rest == denominator) & (whole % 2 == 1))
    rounded: Ints = whole + up
    return rounded


def _kwh(micros: int) -> Decimal:
    return Decimal(micros).scaleb(-6)
