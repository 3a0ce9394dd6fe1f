"""What speaks for and against a submission, as numbers, and the risk that follows. Knows no database.

Every reason is looked for by itself and only ever adds to the risk: nothing that speaks for a submission outweighs
what speaks against it. Reasons that are no fault of the agent are named and do not raise the risk.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any

from energy_portal.shared.geo import Spot, distance_m
from meters.consumption import growth

# A fix that may be half a kilometre off says little about who stood before a meter.
VAGUE_M = 500.0
LATE = timedelta(days=2)
PHOTO_APART = timedelta(days=1)
LOOK_ALIKE_BITS = 6

_DAY = timedelta(days=1)
_SECONDS_A_DAY = 86_400
_SHORTEST_HISTORY = timedelta(days=7)
_FEWEST_STRETCHES = 2
_LEAST_SHARE, _MOST_TIMES = Decimal("0.5"), Decimal(2)
# Nobody draws a quarter of what their connection carries all day; of what it carries, a hundredth is always let pass.
_LARGE_SHARE, _SLACK_SHARE = Decimal("0.25"), Decimal("0.01")
_MICRO = Decimal("0.000001")
# Digits one by one, as drums of a dial are often seen, or together.
_NUMBER = re.compile(r"(?<!\d)\d(?: \d)+(?!\d)|\d+(?:[.,]\d+)?")
_ZERO = Decimal(0)


class Reason(StrEnum):
    """What speaks against a submission, the worst first."""

    SERIAL_OF_ANOTHER_METER = "serial_of_another_meter"
    TAMPERED = "tampered"
    DAMAGED = "damaged"
    PHOTO_SENT_BEFORE = "photo_sent_before"
    PHOTO_LOOKS_LIKE_ANOTHER = "photo_looks_like_another"
    PHOTO_READS_DIFFERENTLY = "photo_reads_differently"
    OUTSIDE_EXPECTED_RANGE = "outside_expected_range"
    LARGE_STEP = "large_step"
    FAR_FROM_METER = "far_from_meter"
    PHOTO_TAKEN_ELSEWHERE = "photo_taken_elsewhere"
    PHOTO_OF_ANOTHER_DAY = "photo_of_another_day"
    PHOTO_SHOWS_NOTHING = "photo_shows_nothing"
    SERIAL_DIFFERS = "serial_differs"
    NO_PHOTO = "no_photo"
    NO_POSITION = "no_position"
    POSITION_VAGUE = "position_vague"
    ARRIVED_LATE = "arrived_late"
    OBSTACLE_WITHOUT_PHOTO = "obstacle_without_photo"
    METER_NOT_PLACED = "meter_not_placed"
    SERIAL_NOT_GIVEN = "serial_not_given"
    NO_HISTORY = "no_history"

    @property
    def raises_risk(self) -> bool:
        """Tell whether it makes the risk high by itself."""
        return self not in _NOTED_ONLY


# The portal does not know where the meter is or what it showed, a serial may be unreadable, and who was not let in has
# nothing to photograph: an agent can help none of these.
_NOTED_ONLY = frozenset(
    {Reason.OBSTACLE_WITHOUT_PHOTO, Reason.METER_NOT_PLACED, Reason.SERIAL_NOT_GIVEN, Reason.NO_HISTORY}
)
_ORDER = {reason: rank for rank, reason in enumerate(Reason)}
_OBSTACLES = {"tamper": Reason.TAMPERED, "damaged": Reason.DAMAGED}


@dataclass(frozen=True, slots=True)
class Twin:
    """A photo of another submission that is the same, or differs in few bits of its perceptual hash."""

    meter: str
    submission: str
    bits: int
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class Shot:
    """A photo: what its camera noted, where it did, its twins, and whether there is anything to be seen on it."""

    taken_at: datetime | None = None
    spot: Spot | None = None
    twins: tuple[Twin, ...] = ()
    shows_something: bool = True


@dataclass(frozen=True, slots=True)
class Claim:
    """What an agent says."""

    is_read: bool
    read_at: datetime
    received_at: datetime
    obstacle: str = ""
    value: Decimal | None = None
    spot: Spot | None = None
    accuracy_m: float | None = None
    serial: str = ""
    shot: Shot | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """What a dial may have grown by since it showed ``start``, in its own unit; shown values wrap at the modulus.

    :ivar typical_per_day: of the middle one of the stretches that it rests on, None where too little is known.
    """

    since: datetime
    start: Decimal
    least: Decimal
    most: Decimal
    modulus: Decimal
    typical_per_day: Decimal | None = None

    @property
    def is_known(self) -> bool:
        """Whether it rests on what was used before, not merely on what the connection carries."""
        return self.typical_per_day is not None

    def holds(self, value: Decimal) -> bool:
        """Tell whether a value lies in it, having turned over or not."""
        return self.least <= growth(self.start, value, self.modulus) <= self.most


@dataclass(frozen=True, slots=True)
class Facts:
    """What the portal knows of the meter.

    :ivar other_meter: the serial of the other known meter whose serial was given, if any.
    """

    serial: str
    spot: Spot | None = None
    other_meter: str = ""
    expected: Range | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """Reasons, the worst first, and the numbers that they rest on, ready for JSON."""

    reasons: tuple[Reason, ...]
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def is_high(self) -> bool:
        """Whether the risk is high."""
        return any(reason.raises_risk for reason in self.reasons)


def assess(claim: Claim, facts: Facts, *, geofence_m: float) -> Assessment:
    """Gather what speaks against a claim.

    :param geofence_m: how far from its meter an agent may stand, beyond their position's own accuracy.
    """
    reasons: set[Reason] = set()
    if claim.obstacle in _OBSTACLES:
        reasons.add(_OBSTACLES[claim.obstacle])
    age = claim.received_at - claim.read_at
    if age > LATE:
        reasons.add(Reason.ARRIVED_LATE)
    numbers: dict[str, Any] = {"age": {"seconds": round(age.total_seconds())}}
    for name, look in (("position", _position), ("photo", _photo), ("serial", _serial), ("range", _range)):
        found, shown = look(claim, facts, geofence_m)
        reasons |= found
        numbers[name] = shown
    return Assessment(in_order(reasons), numbers)


def in_order(reasons: Sequence[Reason] | set[Reason]) -> tuple[Reason, ...]:
    """Return reasons, each once, the worst first."""
    return tuple(sorted(set(reasons), key=_ORDER.__getitem__))


_Found = tuple[set[Reason], dict[str, Any]]


def _position(claim: Claim, facts: Facts, geofence_m: float) -> _Found:
    reasons: set[Reason] = set()
    allowed = geofence_m + (claim.accuracy_m or 0.0)
    distance: float | None = None
    if claim.spot is None:
        reasons.add(Reason.NO_POSITION)
    elif claim.accuracy_m is not None and claim.accuracy_m > VAGUE_M:
        reasons.add(Reason.POSITION_VAGUE)
    if facts.spot is None:
        reasons.add(Reason.METER_NOT_PLACED)
    if claim.spot is not None and facts.spot is not None:
        distance = distance_m(claim.spot, facts.spot)
        if distance > allowed:
            reasons.add(Reason.FAR_FROM_METER)
    return reasons, {
        "distance_m": _metres(distance),
        "accuracy_m": _metres(claim.accuracy_m),
        "allowed_m": _metres(allowed),
    }


def _photo(claim: Claim, facts: Facts, geofence_m: float) -> _Found:
    shot = claim.shot
    if shot is None:
        missing = Reason.NO_PHOTO if claim.is_read else Reason.OBSTACLE_WITHOUT_PHOTO
        return {missing}, {"is_sent": False}
    reasons: set[Reason] = set()
    apart: float | None = None
    if shot.taken_at is not None:
        apart = (claim.read_at - shot.taken_at).total_seconds()
        if abs(apart) > PHOTO_APART.total_seconds():
            reasons.add(Reason.PHOTO_OF_ANOTHER_DAY)
    # Against where the agent says they stood; without that, against the meter.
    here, distance = claim.spot or facts.spot, None
    if shot.spot is not None and here is not None:
        distance = distance_m(shot.spot, here)
        if distance > geofence_m + (claim.accuracy_m or 0.0):
            reasons.add(Reason.PHOTO_TAKEN_ELSEWHERE)
    if not shot.shows_something:
        reasons.add(Reason.PHOTO_SHOWS_NOTHING)
    if any(twin.is_exact for twin in shot.twins):
        reasons.add(Reason.PHOTO_SENT_BEFORE)
    if any(not twin.is_exact for twin in shot.twins):
        reasons.add(Reason.PHOTO_LOOKS_LIKE_ANOTHER)
    return reasons, {
        "is_sent": True,
        "taken_at": shot.taken_at,
        "apart_seconds": None if apart is None else round(apart),
        "distance_m": _metres(distance),
        "twins": [
            {"meter": twin.meter, "submission": twin.submission, "bits": twin.bits, "is_exact": twin.is_exact}
            for twin in shot.twins
        ],
    }


def _serial(claim: Claim, facts: Facts, geofence_m: float) -> _Found:
    reasons: set[Reason] = set()
    matches: bool | None = None
    if claim.serial:
        matches = _bare(claim.serial) == _bare(facts.serial)
        if not matches:
            reasons.add(Reason.SERIAL_OF_ANOTHER_METER if facts.other_meter else Reason.SERIAL_DIFFERS)
    elif claim.is_read:
        reasons.add(Reason.SERIAL_NOT_GIVEN)
    return reasons, {
        "given": claim.serial,
        "expected": facts.serial,
        "matches": matches,
        "other_meter": "" if matches else facts.other_meter,
    }


def _range(claim: Claim, facts: Facts, geofence_m: float) -> _Found:
    if claim.value is None:
        return set(), {"is_known": False}
    expected = facts.expected
    if expected is None:
        return {Reason.NO_HISTORY}, {"is_known": False}
    reasons: set[Reason] = set()
    if not expected.holds(claim.value):
        reasons.add(Reason.OUTSIDE_EXPECTED_RANGE if expected.is_known else Reason.LARGE_STEP)
    return reasons, {
        "is_known": expected.is_known,
        "since": expected.since,
        "start": str(expected.start),
        "low": str((expected.start + expected.least) % expected.modulus),
        "high": str((expected.start + min(expected.most, expected.modulus - 1)) % expected.modulus),
        "typical_per_day": None if expected.typical_per_day is None else str(expected.typical_per_day),
        "grown": str(growth(expected.start, claim.value, expected.modulus)),
    }


def expected_range(
    reads: Sequence[tuple[datetime, Decimal]], *, at: datetime, modulus: Decimal, greatest_per_day: Decimal
) -> Range | None:
    """Return what a dial may show at an instant, by what it counted before; None where nothing is known of it.

    From half of the least to twice the greatest daily use of its past, and a day's more: what is read twice within
    hours is no less certain than that. With less than a week of past, from nothing to a quarter of what its
    connection carries. Turns of the dial are unwrapped.

    :param reads: n instants and true values of one stay of the meter, in order, none after ``at``.
    :param greatest_per_day: what its connection can carry, in the register's unit before its multiplier.
    """
    if not reads:
        return None
    since, start = reads[-1]
    days = _days(at - since)
    rates = sorted(_daily_rates(reads, modulus, greatest_per_day))
    if not rates:
        most = _LARGE_SHARE * greatest_per_day * max(days, Decimal(1))
        return Range(since, start, _ZERO, _exact(most), modulus)
    slack = max(rates[-1], _SLACK_SHARE * greatest_per_day)
    return Range(
        since,
        start,
        _exact(_LEAST_SHARE * rates[0] * max(days - 1, _ZERO)),
        _exact(_MOST_TIMES * rates[-1] * days + slack),
        modulus,
        _exact(rates[len(rates) // 2]),
    )


def _daily_rates(
    reads: Sequence[tuple[datetime, Decimal]], modulus: Decimal, greatest_per_day: Decimal
) -> list[Decimal]:
    """Return the use a day of each stretch of a day or longer, those that the connection cannot carry left out."""
    kept = [reads[-1]]
    for read in reversed(reads):
        if kept[-1][0] - read[0] >= _DAY:
            kept.append(read)
    if kept[0][0] - kept[-1][0] < _SHORTEST_HISTORY or len(kept) <= _FEWEST_STRETCHES:
        return []
    rates = (
        growth(earlier[1], later[1], modulus) / _days(later[0] - earlier[0]) for earlier, later in pairwise(kept[::-1])
    )
    return [rate for rate in rates if rate <= greatest_per_day]


def photo_agrees(texts: Sequence[str], *, value: Decimal, digits: int, decimals: int, serial: str) -> bool | None:
    """Tell whether what was recognised on a photo holds the value; None where nothing on it looks like a dial.

    A dial shows its digits with or without leading zeros, a point, and decimals. What has fewer digits than the dial
    disagrees with nothing: plates are full of numbers.
    """
    bare = _bare(serial)
    whole, _, fraction = f"{value:.{decimals}f}".partition(".")
    found = [number for text in texts for number in _NUMBER.findall(text)]
    numbers = {number: re.sub(r"\D", "", number) for number in found}
    if any(_shows(number, whole, fraction) for number, shown in numbers.items() if len(shown) >= len(whole)):
        return True
    dials = [shown for shown in numbers.values() if digits <= len(shown) <= digits + decimals and shown not in bare]
    return False if dials else None


def _shows(number: str, whole: str, fraction: str) -> bool:
    """Tell whether a recognised number is a value; who writes no decimals has left out what is behind the point."""
    is_left_out = not fraction.strip("0")
    left, point, right = number.replace(",", ".").partition(".")
    if point:
        same = left.lstrip("0") == whole.lstrip("0")
        return same and (is_left_out or fraction.startswith(right[: len(fraction)]))
    shown = re.sub(r"\D", "", number).lstrip("0")
    possible = {(whole + fraction[:places]).lstrip("0") for places in range(len(fraction) + 1)}
    return shown in possible or (is_left_out and shown[: -len(fraction) or None] == whole.lstrip("0"))


def _bare(serial: str) -> str:
    """Return a serial as people compare it: neither case nor spaces nor dashes count."""
    return "".join(character for character in serial.casefold() if character.isalnum())


def _days(length: timedelta) -> Decimal:
    return Decimal(length // timedelta(seconds=1)) / _SECONDS_A_DAY


def _exact(amount: Decimal) -> Decimal:
    return amount.quantize(_MICRO)


def _metres(distance: float | None) -> float | None:
    return None if distance is None else round(distance, 1)
