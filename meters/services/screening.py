"""From rows as somebody offers them to candidates of known registers: everything that needs no neighbour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings

from accounts.actors import Actor
from energy_portal.shared.clock import LabelConvention, zone
from energy_portal.shared.errors import DomainError
from meters import store
from meters.models import Meter, Quality, Register, RuleCode, ServicePoint, Severity
from meters.selectors.rules import RuleBook, rule_book
from meters.validation import Dial, Refused, mark_of, parse_value, plain

_SILENT = frozenset({Meter.Status.PENDING, Meter.Status.INACTIVE, Meter.Status.OUT_OF_SERVICE})
_LONGEST_NAME = 64
_QUALITIES = frozenset(Quality.values)
_HALF_AN_HOUR = Decimal("0.5")
_UNITS = {"kwh": Register.Unit.KWH, "m3": Register.Unit.M3, "m³": Register.Unit.M3, "gj": Register.Unit.GJ}
DEFAULT_RATE_PER_HOUR: Decimal = ServicePoint._meta.get_field("greatest_rate_per_hour").default


@dataclass(frozen=True, slots=True)
class OfferedReading:
    """A reading as somebody offers it, not yet trusted in any part.

    ``timestamp`` is ISO text or a datetime; naive means the source's zone or, without one, the premises'. ``quality``
    is Green Button's, validated where none is given; ``unit``, where given, must be the register's.
    """

    meter_id: object
    timestamp: object
    value: object
    register_code: object = "1.8.0"
    quality: object = None
    unit: object = None


@dataclass(frozen=True)
class Rejection:
    """Why one row, by its index in the batch, did not enter."""

    index: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Catch:
    """A rule that caught a row, and what becomes of the row by it."""

    code: str
    severity: str
    detail: str


class Candidate(NamedTuple):
    """A row, by its place in the batch, whose register, instant and value are known: only neighbours can refuse it.

    ``caught`` holds the rules that caught it already without refusing it.
    """

    place: int
    register_id: int
    time: datetime
    value: Decimal
    quality: int
    raw_stamp: str | None
    caught: tuple[Catch, ...] = ()


class Target(NamedTuple):
    """A register that rows were offered to, and the scope of the rules that judge it.

    ``latest`` is the instant after which a reading lies in the future, ``greatest_interval`` what an interval register
    may show at most; None where its meter hangs nowhere.
    """

    register_id: int
    status: str
    kind: str
    unit: str
    dial: Dial
    zone: ZoneInfo
    removed_at: datetime | None
    lacks_state: bool
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


@dataclass(frozen=True)
class Screened:
    """What is left of a batch, and why the rest is not."""

    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejection, ...]
    targets: dict[int, Target]
    rules: Rules


def screen(
    readings: Sequence[OfferedReading], *, actor: Actor, now: datetime, overrides: frozenset[str] = frozenset()
) -> Screened:
    """Find each row's register, instant and value, in two queries.

    Half-hourly telemetry is taken: a stamp must name a mark once its source's label convention is applied.

    :param overrides: rules that catch nothing this time.
    """
    rules = Rules(rule_book(), overrides)
    registry = _Registry((row.meter_id for row in readings if isinstance(row.meter_id, str)), rules, now)
    screening = _Screening(rules, registry, _Clock(actor, now))
    candidates: list[Candidate] = []
    rejected: list[Rejection] = []
    for index, row in enumerate(readings):
        try:
            candidates.append(screening.candidate(index, row))
        except DomainError as error:
            rejected.append(Rejection(index, error.code, error.detail))
    used = {candidate.register_id for candidate in candidates}
    return Screened(
        candidates=tuple(candidates),
        rejected=tuple(rejected),
        targets={target.register_id: target for target in registry.targets() if target.register_id in used},
        rules=rules,
    )


def targets_of(register_ids: Iterable[int], *, rules: Rules, now: datetime) -> dict[int, Target]:
    """Return registers by their ids. Two queries."""
    ids = set(register_ids)
    serials = Register.objects.filter(pk__in=ids).order_by().values_list("meter__serial", flat=True)
    targets = _Registry(serials, rules, now).targets()
    return {target.register_id: target for target in targets if target.register_id in ids}


def earliest_accepted(now: datetime) -> datetime:
    """Return the instant before which a reading is too old to enter."""
    return now - timedelta(days=settings.READING_ACCEPTANCE_DAYS)


def latest_accepted(now: datetime) -> datetime:
    """Return the instant after which a reading lies in the future."""
    tolerance: timedelta = settings.READING_FUTURE_TOLERANCE
    return now + tolerance


class _Screening:
    """Judges rows one by one."""

    def __init__(self, rules: Rules, registry: "_Registry", clock: "_Clock") -> None:
        self._rules = rules
        self._registry = registry
        self._clock = clock

    def candidate(self, index: int, row: OfferedReading) -> Candidate:
        """Return what a row says.

        :raises DomainError: it does not enter, whatever stands.
        """
        if row.meter_id is None or row.timestamp is None or row.value is None:
            raise Refused("A reading names its meter, its timestamp and its value.", code="malformed")
        target = self._registry.find(row.meter_id, row.register_code)
        caught = [*self._status(target), *self._unit(row.unit, target)]
        value = parse_value(row.value)
        time, raw_stamp = self._clock.read(row.timestamp, target.zone)
        if time > target.latest:
            raise Refused(f"{time.isoformat()} has not come yet.", code=RuleCode.IN_FUTURE.value)
        quality = _quality(row.quality)
        caught += self._size(value, target)
        if target.removed_at is not None and time > target.removed_at:
            raise Refused(f"The meter was taken down at {target.removed_at.isoformat()}.", code="not_installed")
        return Candidate(index, target.register_id, time, value, quality, raw_stamp, tuple(caught))

    def _status(self, target: Target) -> list[Catch]:
        if target.status not in _SILENT:
            return []
        return self._caught(RuleCode.INACTIVE_METER, target, f"The meter is {target.status}.")

    def _unit(self, unit: object, target: Target) -> list[Catch]:
        if unit is None or unit in {"", target.unit}:
            return []
        if not isinstance(unit, str):
            raise Refused("The unit is not a text.", code="malformed")
        if _UNITS.get(unit.casefold()) == target.unit:
            return []
        return self._caught(
            RuleCode.WRONG_UNIT, target, f"The register counts {target.unit}, not {unit[:_LONGEST_NAME]}."
        )

    def _size(self, value: Decimal, target: Target) -> list[Catch]:
        if value < 0:
            raise Refused("A register cannot show less than zero.", code=RuleCode.NEGATIVE.value)
        if target.kind == Register.Kind.CUMULATIVE:
            if value >= target.dial.modulus:
                raise Refused(f"The register turns over at {target.dial.modulus}.", code="exceeds_register")
        elif target.greatest_interval is not None and value > target.greatest_interval:
            detail = f"The connection carries at most {plain(target.greatest_interval)} in half an hour."
            return self._caught(RuleCode.OVER_CAPACITY, target, detail)
        return []

    def _caught(self, code: RuleCode, target: Target, detail: str) -> list[Catch]:
        """Return what a rule makes of a row that it caught.

        :raises Refused: the rule rejects it.
        """
        catch = self._rules.catch(code.value, target, detail)
        if catch is not None and catch.severity == Severity.REJECT:
            raise Refused(detail, code=code.value)
        return [] if catch is None else [catch]


def _quality(quality: object) -> int:
    if quality is None:
        return int(Quality.VALIDATED)
    if isinstance(quality, int) and not isinstance(quality, bool) and quality in _QUALITIES:
        return int(quality)
    raise Refused("The quality is none of Green Button's.", code="unknown_quality")


class _Registry:
    """The registers of the meters that a batch names."""

    def __init__(self, serials: Iterable[str], rules: Rules, now: datetime) -> None:
        self._statuses: dict[str, str] = {}
        self._targets: dict[tuple[str, str], Target] = {}
        for row in store.find_registers({serial for serial in serials if self._could_be(serial)}):
            self._statuses[row.serial] = row.status
            if row.register_id is not None:
                self._targets[row.serial, row.code or ""] = _target(row, rules, now)

    @staticmethod
    def _could_be(serial: str) -> bool:
        # PostgreSQL holds no NUL, and a lone surrogate cannot be sent to it.
        return 0 < len(serial) <= _LONGEST_NAME and serial.isprintable()

    def targets(self) -> Iterable[Target]:
        return self._targets.values()

    def find(self, serial: object, code: object) -> Target:
        """Return the register that a row names.

        :raises Refused: there is none.
        """
        if not isinstance(serial, str) or not isinstance(code, str):
            raise Refused("The meter and the register are named by text.", code="malformed")
        target = self._targets.get((serial, code))
        if target is not None:
            return target
        status = self._statuses.get(serial)
        if status is None:
            raise Refused(f"No meter has the serial {serial[:_LONGEST_NAME]!r}.", code="unknown_meter")
        if status in _SILENT:
            raise Refused(f"The meter {serial} is {status}.", code=RuleCode.INACTIVE_METER.value)
        raise Refused(f"The meter {serial} has no register {code[:_LONGEST_NAME]!r}.", code="unknown_register")


def _target(row: store.RegisterRow, rules: Rules, now: datetime) -> Target:
    if row.register_id is None or row.digits is None or row.multiplier is None:
        raise ValueError(f"{row.serial} has no register.")
    scope = {"commodity": row.commodity, "service_class": row.service_class or ""}
    minutes = rules.threshold(RuleCode.IN_FUTURE.value, "minutes", **scope)
    greatest = None
    if row.greatest_rate_per_hour is not None:
        percent = rules.threshold(RuleCode.OVER_CAPACITY.value, "percent", **scope)
        greatest = row.greatest_rate_per_hour * _HALF_AN_HOUR * percent / 100 / row.multiplier
    return Target(
        register_id=row.register_id,
        status=row.status,
        kind=row.kind or Register.Kind.CUMULATIVE,
        unit=row.unit or Register.Unit.KWH,
        dial=_dial(row.digits, row.multiplier, row.greatest_rate_per_hour or DEFAULT_RATE_PER_HOUR),
        zone=zone(row.zone or settings.SITE_ZONE),
        removed_at=row.removed_at,
        lacks_state=row.lacks_state,
        latest=now + timedelta(minutes=float(minutes)),
        greatest_interval=greatest,
        **scope,
    )


@lru_cache(maxsize=256)
def _dial(digits: int, multiplier: Decimal, greatest_rate_per_hour: Decimal) -> Dial:
    return Dial(Decimal(10) ** digits, multiplier, greatest_rate_per_hour)


class _Clock:
    """Reads stamps as the batch's source writes them; rows of one batch share few stamps, so each is read once."""

    def __init__(self, actor: Actor, now: datetime) -> None:
        self._convention = actor.source.label_convention if actor.source else LabelConvention.PERIOD_END
        self._zone = zone(actor.source.zone) if actor.source and actor.source.zone else None
        self._earliest = earliest_accepted(now)
        self._read: dict[tuple[str | datetime, ZoneInfo], tuple[datetime, str | None] | DomainError] = {}

    def read(self, stamp: object, premises_zone: ZoneInfo) -> tuple[datetime, str | None]:
        """Return the mark in UTC, and the stamp as written where it names another instant."""
        if not isinstance(stamp, (str, datetime)):
            raise Refused("The timestamp is not a text.", code="malformed")
        key = (stamp, self._zone or premises_zone)
        found = self._read.get(key)
        if found is None:
            found = self._read[key] = self._judge(*key)
        if isinstance(found, DomainError):
            raise found
        return found

    def _judge(self, stamp: str | datetime, zone_: ZoneInfo) -> tuple[datetime, str | None] | DomainError:
        try:
            mark = mark_of(stamp, self._convention, zone_)
        except DomainError as error:
            return error
        if mark < self._earliest:
            return Refused(f"Readings are taken back to {self._earliest.isoformat()}.", code="too_old")
        written = stamp if isinstance(stamp, str) else stamp.isoformat()
        return mark, (None if _names(written, mark, zone_) else written)


def _names(written: str, mark: datetime, zone_: ZoneInfo) -> bool:
    stamp = datetime.fromisoformat(written)
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=zone_)) == mark
