"""What a register may show: the rules that need no database. Values are Decimal, in the register's own unit."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from zoneinfo import ZoneInfo

from energy_portal.shared.clock import LabelConvention, normalise_mark
from energy_portal.shared.errors import Invalid
from energy_portal.shared.units import parse_decimal
from meters.consumption import growth

VALUE_DIGITS = 15
VALUE_DECIMALS = 6
_SHORTEST_STAMP = len("2025-01-01T00:00")
_DATE_LENGTH = len("2025-01-01")
_LONGEST_STAMP = 40
_SECONDS_AN_HOUR = 3_600
_SECONDS_A_HALF_HOUR = 1_800
_PLAIN = rf"[0-9]{{1,{VALUE_DIGITS - VALUE_DECIMALS}}}(?:\.[0-9]{{1,{VALUE_DECIMALS}}})?"
_ONE_PLAIN = re.compile(_PLAIN)
_MANY_PLAIN = re.compile(rf"(?:{_PLAIN}\n)*+")
_FEWEST_TOO_MANY = 10 ** (VALUE_DIGITS - VALUE_DECIMALS)


class Refused(Invalid):
    """A row does not enter; its code says why."""


class Regression(Refused):
    """A dial would have run backwards."""

    code = "regression"


class Rank(IntEnum):
    """What comes first when several things are known of one instant. Nothing is compared across a stay's ends."""

    INSTALLED = 0
    FIELD = 1
    READ = 2
    REMOVED = 3


@dataclass(frozen=True, slots=True)
class Known:
    """A value that stands, or is offered."""

    time: datetime
    value: Decimal
    rank: Rank = Rank.READ

    @property
    def key(self) -> tuple[datetime, Rank]:
        """Where it stands in its register's history."""
        return self.time, self.rank


@dataclass(frozen=True, slots=True)
class Dial:
    """How a register counts, and what its connection can carry in an hour (the register's unit x multiplier)."""

    modulus: Decimal
    multiplier: Decimal
    greatest_rate_per_hour: Decimal

    def turn(self, earlier: Known, later: Known) -> datetime | None:
        """Return the instant of the later value when the dial turned over on its way there, None when it did not.

        :raises Regression: it shows less, and the connection could not have carried it past zero.
        """
        if later.value >= earlier.value:
            return None
        counted = growth(earlier.value, later.value, self.modulus) * self.multiplier
        hours = Decimal(int((later.time - earlier.time).total_seconds())) / _SECONDS_AN_HOUR
        if counted <= self.greatest_rate_per_hour * hours:
            return later.time
        raise Regression(
            f"The register showed {plain(earlier.value)} at {earlier.time.isoformat()} and cannot show "
            f"{plain(later.value)} at {later.time.isoformat()}."
        )


class History:
    """What is known of one register around the rows that are offered to it."""

    def __init__(self, dial: Dial, known: Iterable[Known]) -> None:
        self._dial = dial
        self._known = sorted(known, key=lambda known: known.key)
        self._keys = [known.key for known in self._known]

    def judge(self, time: datetime, value: Decimal, *, rank: Rank = Rank.READ) -> datetime | None:
        """Take a value in when it fits between its neighbours.

        :returns: the instant of the value that a roll-over led to, None when there was none.
        :raises Regression: it fits neither way.
        """
        turned = self.check(time, value, rank=rank)
        self.add(time, value, rank=rank)
        return turned

    def check(self, time: datetime, value: Decimal, *, rank: Rank = Rank.READ) -> datetime | None:
        """Judge a value without taking it in.

        Between two neighbours it may only divide the growth that they already show, so that no late value ever adds
        energy to a closed stretch. Beyond the last or before the first, a fall is a roll-over when the connection
        could have carried it. A value for an instant that has one is not judged here: it is a duplicate or a conflict.

        :returns: as :meth:`judge`.
        :raises Regression: it fits neither way.
        """
        offered = Known(time, value, rank)
        before, after = self._neighbours(offered)
        if after is not None and after.key == offered.key:
            return None
        return self._fit(before, offered, after)

    def add(self, time: datetime, value: Decimal, *, rank: Rank = Rank.READ) -> None:
        """Take a value in, whether it fits or not; of one instant the first stands."""
        offered = Known(time, value, rank)
        place = bisect_left(self._keys, offered.key)
        if self._keys[place : place + 1] != [offered.key]:
            self._keys.insert(place, offered.key)
            self._known.insert(place, offered)

    def drop(self, time: datetime) -> None:
        """Forget the reading of an instant, if there is one."""
        place = bisect_left(self._keys, (time, Rank.READ))
        if self._keys[place : place + 1] == [(time, Rank.READ)]:
            del self._keys[place], self._known[place]

    def fall(self, time: datetime, value: Decimal) -> datetime | None:
        """Return the later instant of the fall that a value makes with a neighbour, if any."""
        offered = Known(time, value)
        before, after = self._neighbours(offered)
        if before is not None and value < before.value:
            return time
        return after.time if after is not None and after.value < value else None

    def too_fast(self, time: datetime, value: Decimal, *, greatest: Decimal) -> tuple[Known, Known] | None:
        """Return the neighbours between which a dial would turn faster than it can, None where a value fits.

        Where what stands on both sides turns too fast already, the value between is not to blame.

        :param greatest: what it can count in half an hour, in its own unit.
        """
        offered = Known(time, value)
        before, after = self._neighbours(offered)
        if before and after and self._is_fast(before, after, greatest):
            return None
        if before and self._is_fast(before, offered, greatest):
            return before, offered
        return (offered, after) if after and self._is_fast(offered, after, greatest) else None

    def around(self, time: datetime) -> tuple[datetime | None, datetime | None]:
        """Return the instants of what is known nearest before and after an instant, None where nothing is."""
        low = bisect_left(self._keys, (time, Rank.INSTALLED))
        high = bisect_right(self._keys, (time, Rank.REMOVED))
        return (
            self._known[low - 1].time if low else None,
            self._known[high].time if high < len(self._known) else None,
        )

    def _neighbours(self, offered: Known) -> tuple[Known | None, Known | None]:
        """Return what stands before and after, None across the ends of a stay."""
        place = bisect_left(self._keys, offered.key)
        before = self._known[place - 1] if place else None
        after = self._known[place] if place < len(self._known) else None
        if before is not None and (before.rank is Rank.REMOVED or offered.rank is Rank.INSTALLED):
            before = None
        if after is not None and (after.rank is Rank.INSTALLED or offered.rank is Rank.REMOVED):
            after = None
        return before, after

    def _is_fast(self, earlier: Known, later: Known, greatest: Decimal) -> bool:
        seconds = Decimal((later.time - earlier.time) // timedelta(seconds=1))
        counted = growth(earlier.value, later.value, self._dial.modulus)
        return counted * _SECONDS_A_HALF_HOUR > greatest * seconds

    def _fit(self, before: Known | None, offered: Known, after: Known | None) -> datetime | None:
        if before and after:
            modulus = self._dial.modulus
            if growth(before.value, offered.value, modulus) > growth(before.value, after.value, modulus):
                raise Regression(
                    f"{plain(offered.value)} does not lie between {plain(before.value)} at {before.time.isoformat()} "
                    f"and {plain(after.value)} at {after.time.isoformat()}."
                )
            return offered.time if offered.value < before.value else None
        if before:
            return self._dial.turn(before, offered)
        return self._dial.turn(offered, after) if after else None


def plain(value: Decimal) -> str:
    """Write a value without needless zeros or an exponent."""
    return f"{value.normalize():f}"


def parse_value(value: object) -> Decimal:
    """Return a register's value, exact.

    :raises Invalid: not a finite number, or more digits than a value may have.
    """
    if type(value) is Decimal and value.is_finite():
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and -VALUE_DECIMALS <= exponent <= 0 and abs(value) < _FEWEST_TOO_MANY:
            return value
    if isinstance(value, (str, int, float, Decimal)):
        return parse_decimal(value, max_digits=VALUE_DIGITS, decimal_places=VALUE_DECIMALS)
    raise Refused("A number is needed.", code="not_a_number")


def are_plain(texts: Sequence[str]) -> bool:
    """Tell whether all texts are plain numbers: nine digits before the point and six after it at most."""
    joined = "\n".join((*texts, ""))
    return joined.count("\n") == len(texts) and _MANY_PLAIN.fullmatch(joined) is not None


def is_plain(text: str) -> bool:
    """Tell whether a text is a plain number, see :func:`are_plain`."""
    return _ONE_PLAIN.fullmatch(text) is not None


def parse_stamp(stamp: object) -> datetime:
    """Return the date and time that a stamp names, aware or naive as written.

    :raises Refused: not a date with a time of day.
    """
    if isinstance(stamp, datetime):
        return stamp
    if isinstance(stamp, str) and _SHORTEST_STAMP <= len(stamp) <= _LONGEST_STAMP and stamp[_DATE_LENGTH] in "Tt ":
        try:
            return datetime.fromisoformat(stamp)
        except ValueError:
            pass
    raise Refused("The timestamp is not a date and time as in 2025-02-28T23:30:00+08:00.", code="malformed")


def instant_of(stamp: object, zone: ZoneInfo) -> datetime:
    """Return, in UTC, the instant that a stamp names, on a half-hour or not.

    :raises Invalid: not a stamp, or skipped by the zone's clock.
    """
    written = parse_stamp(stamp)
    try:
        instant = (written if written.tzinfo else written.replace(tzinfo=zone)).astimezone(UTC)
        if written.tzinfo is None and instant.astimezone(zone).replace(tzinfo=None) != written:
            raise Refused(f"{written.isoformat()} was skipped by the clock of {zone}.", code="off_mark")
    except OverflowError as error:
        raise Refused("The timestamp lies outside the calendar.", code="malformed") from error
    return instant


def mark_of(stamp: object, convention: LabelConvention | str, zone: ZoneInfo) -> datetime:
    """Return, in UTC, the mark that a stamp names.

    :raises Invalid: not a stamp, or not on a mark.
    """
    try:
        return normalise_mark(parse_stamp(stamp), convention, zone)
    except OverflowError as error:
        raise Refused("The timestamp lies outside the calendar.", code="malformed") from error


def windows_of(
    times: Sequence[datetime], *, longest_gap: timedelta = timedelta(days=1)
) -> list[tuple[datetime, datetime]]:
    """Group sorted instants into windows ``[first, last]``, a new one after a gap, so that few rows lie in them."""
    windows: list[tuple[datetime, datetime]] = []
    for time in times:
        if windows and time - windows[-1][1] <= longest_gap:
            windows[-1] = (windows[-1][0], time)
        else:
            windows.append((time, time))
    return windows
