"""Estimate what a register counted while nobody heard of it. Pure, and exact in Decimal.

Up to two hours between sound neighbours lie on a line. Longer stretches take after like days: the most recent complete
days of the same register and the same weekday class, scaled so that their sum is the register's difference where both
ends are known. A known difference without a like day is spread evenly, since its sum at least is certain. Without a
known end a like day is projected as it was; without a like day either, nothing is invented.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

from energy_portal.shared.clock import HALF_HOUR, as_utc, floor_half_hour, half_hours, local_day
from energy_portal.shared.errors import Invalid
from meters.consumption import LONGEST_LINEAR_GAP, growth

LIKE_DAYS = 4
DAYS_LOOKED_AT = 6
WEEKS_LOOKED_BACK = 6
_SATURDAY, _SUNDAY = 5, 6
_ZERO = Decimal(0)
_MICROSECOND = timedelta(microseconds=1)


class NotEstimable(Invalid):
    """A stretch cannot be estimated; the code says why."""

    code = "no_like_day"


class Method(IntEnum):
    """How a value was estimated, as the quality of reading that says so."""

    LIKE_DAY = 8
    LINE = 9
    PROJECTED = 12


class DayClass(StrEnum):
    """Days that are used alike."""

    WORKDAY = "workday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a register shows at an instant: a dial's value, or the energy of the half-hour that ends then."""

    time: datetime
    value: Decimal


@dataclass(frozen=True, slots=True)
class Estimated:
    """A value that was made up for a mark."""

    time: datetime
    value: Decimal
    method: Method


def day_class(day: date, holidays: Collection[date] = frozenset()) -> DayClass:
    """Return how a day is used: Monday to Friday, Saturday, or Sunday and holidays."""
    if day in holidays or day.weekday() == _SUNDAY:
        return DayClass.SUNDAY
    return DayClass.SATURDAY if day.weekday() == _SATURDAY else DayClass.WORKDAY


def marks_between(start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return, in UTC, the half-hour marks of a zone's clock that lie after ``start`` and before ``end``."""
    mark = as_utc(floor_half_hour(start.astimezone(zone))) + HALF_HOUR
    return list(half_hours(mark, end)) if mark < end else []


def spread(total: Decimal, weights: Sequence[Decimal], *, decimals: int) -> list[Decimal]:
    """Divide a total in proportion to weights, by largest remainder: the parts add up to the last digit.

    Weights that are all zero count as equal. Parts are as fine as ``decimals``, or as the total where it is finer.
    """
    if not sum(weights):
        weights = [Decimal(1)] * len(weights)
    units, places = _units(total, decimals)
    whole = Fraction(sum(weights))
    shares = [Fraction(weight) * units / whole for weight in weights]
    parts = [int(share) for share in shares]
    by_remainder = sorted(range(len(parts)), key=lambda place: parts[place] - shares[place])
    for place in by_remainder[: units - sum(parts)]:
        parts[place] += 1
    return [Decimal(part).scaleb(-places) for part in parts]


def along_line(total: Decimal, weights: Sequence[Decimal], *, decimals: int) -> list[Decimal]:
    """Divide a total in proportion to weights such that each running sum is the nearest to its line."""
    units, places = _units(total, decimals)
    whole = Fraction(sum(weights))
    sums = [int(Fraction(weight) * units / whole + Fraction(1, 2)) for weight in accumulate(weights)]
    return [Decimal(later - earlier).scaleb(-places) for earlier, later in pairwise([0, *sums])]


def days_to_look_at(start: datetime, end: datetime, zone: ZoneInfo, holidays: Collection[date]) -> list[date]:
    """Return the days before a stretch that may be like its own: the newest six of each class that occurs in it."""
    first = start.astimezone(zone).date()
    count = ((end - _MICROSECOND).astimezone(zone).date() - first).days + 1
    wanted = {day_class(first + timedelta(days=number), holidays) for number in range(count)}
    found: dict[DayClass, list[date]] = {each: [] for each in wanted}
    for back in range(1, 7 * WEEKS_LOOKED_BACK + 1):
        day = first - timedelta(days=back)
        days = found.get(day_class(day, holidays))
        if days is not None and len(days) < DAYS_LOOKED_AT:
            days.append(day)
    return sorted(day for days in found.values() for day in days)


class LikeDays:
    """Complete days of one register, to take after.

    :param energies: of half-hours of sound readings, by the marks that end them.
    :param days: which days to look at; those that miss a half-hour are left out.
    """

    def __init__(
        self,
        energies: Mapping[datetime, Decimal],
        *,
        days: Collection[date],
        zone: ZoneInfo,
        holidays: Collection[date] = frozenset(),
    ) -> None:
        self._zone = zone
        self._holidays = holidays
        self._profiles: dict[DayClass, list[dict[int, Decimal]]] = {}
        for day in sorted(days, reverse=True):
            of_class = self._profiles.setdefault(day_class(day, holidays), [])
            profile = self._profile(day, energies) if len(of_class) < LIKE_DAYS else None
            if profile is not None:
                of_class.append(profile)

    def shape(self, edges: Sequence[datetime]) -> list[Decimal] | None:
        """Return the mean energy of like days between neighbouring edges, at most half an hour apart.

        None where one of the days has no like day.
        """
        shape = []
        for start, end in pairwise(edges):
            local = start.astimezone(self._zone)
            profiles = self._profiles.get(day_class(local.date(), self._holidays))
            if not profiles:
                return None
            slot = _slot(local)
            energy = sum((_of_slot(profile, slot) for profile in profiles), _ZERO) / len(profiles)
            shape.append(energy * ((end - start) // _MICROSECOND) / (HALF_HOUR // _MICROSECOND))
        return shape

    def _profile(self, day: date, energies: Mapping[datetime, Decimal]) -> dict[int, Decimal] | None:
        """Return a day's energies by the minute of the clock at which each half-hour starts."""
        profile = {}
        period = local_day(day, self._zone)
        for start in half_hours(period.start, period.end):
            energy = energies.get(start + HALF_HOUR)
            if energy is None:
                return None
            profile[_slot(start.astimezone(self._zone))] = energy
        return profile or None


NO_LIKE_DAYS = LikeDays({}, days=(), zone=ZoneInfo("UTC"))


def estimate_dial(
    *,
    reads: Sequence[Standing],
    until: datetime | None,
    like_days: LikeDays,
    zone: ZoneInfo,
    modulus: Decimal,
    decimals: int,
) -> list[Estimated]:
    """Estimate what a dial showed at the marks that lack a value.

    It is computed on the growth since the first read, roll-overs unwrapped, and wrapped again at the end.

    :param reads: in the order of time: first a sound one, then those that stand but are not to be trusted, and last
        another sound one, unless the stretch's end is not known. What is estimated stays between all of them.
    :param until: the last mark wanted where the end is not known, otherwise None.
    :raises NotEstimable: the end is not known, and there is no like day.
    """
    first, last = reads[0], reads[-1]
    if until is None:
        total: Decimal | None = growth(first.value, last.value, modulus)
        edges = [first.time, *marks_between(first.time, last.time, zone), last.time]
    else:
        total = None
        edges = [first.time, *marks_between(first.time, until + _MICROSECOND, zone)]
    method, energies = _energies(edges, total, like_days.shape(edges), decimals)
    heights = dict(zip(edges[1:], accumulate(energies), strict=True))
    heights.pop(last.time, None)
    limits = _Limits(reads, total, modulus)
    return [
        Estimated(mark, (first.value + limits.hold(mark, height)) % modulus, method)
        for mark, height in heights.items()
        if mark not in limits
    ]


def estimate_intervals(
    *,
    edges: Sequence[datetime],
    neighbours: tuple[Decimal | None, Decimal | None],
    total: Decimal | None,
    end_known: bool,
    like_days: LikeDays,
    decimals: int,
) -> list[Estimated]:
    """Estimate the energies of missing half-hours of an interval register.

    :param edges: the start of the first missing half-hour, and the ends of all.
    :param neighbours: the energies of the half-hours before and after; None where missing or not to be trusted.
    :param total: what they add up to, where a dial beside the register tells.
    :raises NotEstimable: neither neighbours near enough, nor a like day, nor a total.
    """
    before, after = neighbours
    method, energies = Method.LINE, [_ZERO]
    shape = like_days.shape(edges)
    if before is not None and after is not None and edges[-1] - edges[0] <= LONGEST_LINEAR_GAP:
        count = len(edges) - 1
        line = [before + (after - before) * place / (count + 1) for place in range(1, count + 1)]
        energies = spread(total, line, decimals=decimals) if total is not None else _each_rounded(line, decimals)
    elif total is None and end_known and shape is not None:
        method, energies = Method.LIKE_DAY, _each_rounded(shape, decimals)
    else:
        method, energies = _energies(edges, total, shape, decimals)
    return [Estimated(mark, energy, method) for mark, energy in zip(edges[1:], energies, strict=True)]


def _energies(
    edges: Sequence[datetime], total: Decimal | None, shape: Sequence[Decimal] | None, decimals: int
) -> tuple[Method, list[Decimal]]:
    """Return the energy between neighbouring edges of a dial, and how it was estimated."""
    if total is not None:
        if shape is None or edges[-1] - edges[0] <= LONGEST_LINEAR_GAP:
            durations = [Decimal((end - start) // _MICROSECOND) for start, end in pairwise(edges)]
            return Method.LINE, along_line(total, durations, decimals=decimals)
        return Method.LIKE_DAY, spread(total, shape, decimals=decimals)
    if shape is None:
        raise NotEstimable("Neither what the register counted is known, nor is there a complete day to take after.")
    sums = _each_rounded(accumulate(shape), decimals)
    return Method.PROJECTED, [later - earlier for earlier, later in pairwise([_ZERO, *sums])]


class _Limits:
    """Between which growths an estimate may lie, so that it never crosses a value that stands."""

    def __init__(self, reads: Sequence[Standing], total: Decimal | None, modulus: Decimal) -> None:
        first = reads[0]
        kept: list[tuple[datetime, Decimal]] = []
        for read in reads:
            height = growth(first.value, read.value, modulus)
            # A value outside the sound ones is no limit: nothing could lie between.
            if (total is None or height <= total) and (not kept or height >= kept[-1][1]):
                kept.append((read.time, height))
        self._marks = {read.time for read in reads}
        self._times = [time for time, _ in kept]
        self._heights = [height for _, height in kept]

    def __contains__(self, mark: datetime) -> bool:
        return mark in self._marks

    def hold(self, mark: datetime, height: Decimal) -> Decimal:
        """Return a growth, moved to the nearer limit where it lies outside."""
        after = bisect_left(self._times, mark)
        low = self._heights[bisect_right(self._times, mark) - 1]
        high = self._heights[after] if after < len(self._heights) else None
        height = max(low, height)
        return height if high is None else min(high, height)


def _of_slot(profile: Mapping[int, Decimal], slot: int) -> Decimal:
    """Return a like day's energy at a time of its clock, its mean where the clock jumped over that time."""
    energy = profile.get(slot)
    return sum(profile.values(), _ZERO) / len(profile) if energy is None else energy


def _slot(local: datetime) -> int:
    return (local.hour * 60 + local.minute) // 30


def _each_rounded(values: Iterable[Decimal], decimals: int) -> list[Decimal]:
    place = Decimal(1).scaleb(-decimals)
    return [value.quantize(place, rounding=ROUND_HALF_UP) for value in values]


def _units(total: Decimal, decimals: int) -> tuple[int, int]:
    """Return a total in units of its last place, and which place that is."""
    exponent = total.normalize().as_tuple().exponent
    places = max(decimals, -exponent if isinstance(exponent, int) else 0)
    return int(total.scaleb(places)), places
