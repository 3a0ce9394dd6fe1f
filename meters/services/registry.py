"""The registers that a batch names, and what is to be known of each to judge its readings."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import repeat
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from energy_portal.shared.clock import zone
from meters.models import Meter, Register, RuleCode, ServicePoint
from meters.selectors.rules import RuleBook, rule_book
from meters.services.directory import ABSENT, LONGEST_NAME, directory_of
from meters.store.door import SEPARATOR, Int64s, instant, micros
from meters.validation import VALUE_DECIMALS, VALUE_DIGITS, Dial, Refused

SILENT = frozenset({Meter.Status.PENDING, Meter.Status.INACTIVE, Meter.Status.OUT_OF_SERVICE})
DEFAULT_RATE_PER_HOUR: Decimal = ServicePoint._meta.get_field("greatest_rate_per_hour").default
Bools = NDArray[np.bool_]

_HALF_AN_HOUR = Decimal("0.5")
_MILLION = 10**VALUE_DECIMALS


@dataclass(frozen=True, slots=True)
class Catch:
    """A rule that caught a row, and what becomes of the row by it."""

    code: str
    severity: str
    detail: str


class Target(NamedTuple):
    """A register that rows were offered to, and the scope of the rules that judge it.

    ``latest`` is the instant after which a reading lies in the future, ``greatest_interval`` what it may count
    at most in half an hour; None where its meter hangs nowhere.
    """

    register_id: int
    status: str
    kind: str
    unit: str
    dial: Dial
    zone: ZoneInfo
    removed_at: datetime | None
    commodity: str
    service_class: str
    latest: datetime
    greatest_interval: Decimal | None


@dataclass(frozen=True)
class Rules:
    """The rules as managers set them, without those that a person decided to let pass this time."""

    book: RuleBook
    overrides: frozenset[str] = frozenset()

    def catch(self, code: str, target: Target, detail: str) -> Catch | None:
        """Return what becomes of a row that a rule caught; None where the rule is off or passed over."""
        if code in self.overrides:
            return None
        rule = self.book.rule(code, commodity=target.commodity, service_class=target.service_class)
        return Catch(code, rule.severity, detail) if rule.enabled else None

    def threshold(self, code: str, name: str, *, commodity: str, service_class: str) -> Decimal:
        """Return a number that tunes a rule in a scope."""
        rule = self.book.rule(code, commodity=commodity, service_class=service_class)
        return Decimal(str(rule.thresholds[name]))


class Registry:
    """The registers of the meters that a batch names, and others, numbered; many share their traits.

    :ivar rules: what their readings are judged by.
    :ivar register_ids: n ids, 0 for a meter without registers.
    :ivar groups: n numbers of the traits that a register has.
    :ivar removed: n instants (µs since 2000) at which a register was taken down, ``UNKNOWN_TIME`` where it was not.
    """

    def __init__(self, serials: Iterable[str], rules: Rules, now: datetime) -> None:
        self.rules = rules
        self._directory = directory_of(serials)
        self.register_ids, self.groups, self.removed = self._directory.columns()
        self._traits = [_target(each.split(SEPARATOR), rules, now) for each in list(self._directory.traits)]

    @property
    def size(self) -> int:
        """Count the registers."""
        return self.groups.size

    def numbers(self, names: Iterable[tuple[str, str]]) -> Int64s:
        """Return the number of each register by its serial and code, ABSENT where there is none."""
        found = np.fromiter(map(self._directory.numbers.get, names, repeat(ABSENT)), dtype=np.int64)
        # Others may have looked up what was new after this was.
        found[found >= self.size] = ABSENT
        return found

    def target(self, number: int) -> Target:
        """Return a register by its number."""
        traits: Target = self._traits[int(self.groups[number])]
        return traits._replace(
            register_id=int(self.register_ids[number]), removed_at=instant(int(self.removed[number]))
        )

    def targets(self, register_ids: Collection[int]) -> dict[int, Target]:
        """Return registers by their ids."""
        wanted = np.flatnonzero(np.isin(self.register_ids, np.array(sorted(register_ids), dtype=np.int64)))
        return {int(self.register_ids[number]): self.target(number) for number in wanted.tolist()}

    def find(self, serial: object, code: object) -> Target:
        """Return the register that a row names.

        :raises Refused: there is none.
        """
        if not isinstance(serial, str) or not isinstance(code, str):
            raise Refused("The meter and the register are named by text.", code="malformed")
        (number,) = self.numbers([(serial, code)]).tolist()
        if number != ABSENT:
            return self.target(number)
        first = self._directory.first.get(serial, self.size)
        if first >= self.size:
            raise Refused(f"No meter has the serial {serial[:LONGEST_NAME]!r}.", code=RuleCode.UNKNOWN_METER.value)
        status = self._traits[self.groups[first]].status
        if status in SILENT:
            raise Refused(f"The meter {serial} is {status}.", code=RuleCode.INACTIVE_METER.value)
        raise Refused(f"The meter {serial} has no register {code[:LONGEST_NAME]!r}.", code="unknown_register")

    def lone_codes(self) -> Mapping[str, str]:
        """Return, by serial, the code of meters that have one register alone."""
        return self._directory.lone_codes

    def holds_dials(self, numbers: Int64s) -> Bools:
        """Tell of each register by its number, ABSENT where there is none, whether it is a dial."""
        if not self.size:
            return np.zeros(numbers.size, dtype=np.bool_)
        known: Bools = self.are_dials()[self.groups[numbers]] & (numbers != ABSENT)
        return known

    @cached_property
    def zones(self) -> list[ZoneInfo]:
        """The zones of the traits, each once."""
        return list(dict.fromkeys(each.zone for each in self._traits))

    def zone_numbers(self) -> Int64s:
        """Return, for each kind of traits, the number of its zone."""
        return np.array([self.zones.index(each.zone) for each in self._traits], dtype=np.int64)

    def units(self) -> list[str]:
        """Return, for each kind of traits, its unit."""
        return [each.unit for each in self._traits]

    def are_welcome(self) -> Bools:
        """Tell, for each kind of traits, whether its readings are."""
        return np.array([each.status not in SILENT for each in self._traits], dtype=np.bool_)

    def are_dials(self) -> Bools:
        """Tell, for each kind of traits, whether it is a dial's."""
        return np.array([each.kind == Register.Kind.CUMULATIVE for each in self._traits], dtype=np.bool_)

    def latest(self) -> Int64s:
        """Return, for each kind of traits, the instant after which a reading lies in the future."""
        return np.array([micros(each.latest) for each in self._traits], dtype=np.int64)

    def most(self) -> Int64s:
        """Return, for each kind of traits, the greatest value that no rule catches, in millionths."""
        return np.array([_most(each) for each in self._traits], dtype=np.int64)

    def greatest(self) -> NDArray[np.float64]:
        """Return, for each kind of traits, what its connection carries in half an hour, in millionths of its unit."""
        return np.array(
            [
                np.inf if each.greatest_interval is None else float(each.greatest_interval * _MILLION)
                for each in self._traits
            ]
        )


def registry_of(serials: Iterable[str], *, now: datetime, overrides: frozenset[str] = frozenset()) -> Registry:
    """Return the registers of meters, under the rules in force. Two queries, and up to two for meters that are new."""
    return Registry(serials, Rules(rule_book(), overrides), now)


def targets_of(register_ids: Iterable[int], *, rules: Rules, now: datetime) -> dict[int, Target]:
    """Return registers by their ids. Two queries, and up to two for meters that are new."""
    ids = set(register_ids)
    serials = Register.objects.filter(pk__in=ids).order_by().values_list("meter__serial", flat=True)
    return Registry(serials, rules, now).targets(ids)


def _most(target: Target) -> int:
    if target.kind == Register.Kind.CUMULATIVE:
        return int(target.dial.modulus * _MILLION) - 1
    greatest = target.greatest_interval
    return int(10**VALUE_DIGITS - 1 if greatest is None else min(greatest * _MILLION, 10**VALUE_DIGITS - 1))


def _target(traits: list[str], rules: Rules, now: datetime) -> Target:
    status, kind, unit, digits, multiplier, zone_name, rate, commodity, service_class = traits
    scope = {"commodity": commodity, "service_class": service_class}
    minutes = rules.threshold(RuleCode.IN_FUTURE.value, "minutes", **scope)
    factor = Decimal(multiplier or 1)
    greatest = None
    if rate:
        percent = rules.threshold(RuleCode.OVER_CAPACITY.value, "percent", **scope)
        greatest = Decimal(rate) * _HALF_AN_HOUR * percent / 100 / factor
    return Target(
        register_id=0,
        status=status,
        kind=kind,
        unit=unit,
        dial=_dial(int(digits or 1), factor, Decimal(rate) if rate else DEFAULT_RATE_PER_HOUR),
        zone=zone(zone_name or settings.SITE_ZONE),
        removed_at=None,
        latest=now + timedelta(minutes=float(minutes)),
        greatest_interval=greatest,
        **scope,
    )


@lru_cache(maxsize=256)
def _dial(digits: int, multiplier: Decimal, greatest_rate_per_hour: Decimal) -> Dial:
    return Dial(Decimal(10) ** digits, multiplier, greatest_rate_per_hour)
