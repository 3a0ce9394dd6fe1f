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
from meters.models import Meter, Register, ServicePoint
from meters.validation import Dial, Refused, mark_of, parse_value

_SILENT = frozenset({Meter.Status.PENDING, Meter.Status.INACTIVE, Meter.Status.OUT_OF_SERVICE})
_LONGEST_NAME = 64
DEFAULT_RATE_PER_HOUR: Decimal = ServicePoint._meta.get_field("greatest_rate_per_hour").default


@dataclass(frozen=True, slots=True)
class OfferedReading:
    """A reading as somebody offers it, not yet trusted in any part.

    ``timestamp`` is ISO text or a datetime; naive means the source's zone or, without one, the premises'.
    """

    meter_id: object
    timestamp: object
    value: object
    register_code: object = "1.8.0"


@dataclass(frozen=True)
class Rejection:
    """Why one row, by its index in the batch, did not enter."""

    index: int
    code: str
    detail: str


class Candidate(NamedTuple):
    """A row, by its place in the batch, whose register, instant and value are known: only neighbours can refuse it."""

    place: int
    register_id: int
    time: datetime
    value: Decimal
    raw_stamp: str | None


class Target(NamedTuple):
    """A register that rows were offered to."""

    register_id: int
    dial: Dial
    zone: ZoneInfo
    removed_at: datetime | None
    lacks_state: bool


@dataclass(frozen=True)
class Screened:
    """What is left of a batch, and why the rest is not."""

    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejection, ...]
    targets: dict[int, Target]


def screen(readings: Sequence[OfferedReading], *, actor: Actor, now: datetime) -> Screened:
    """Find each row's register, instant and value, in one query.

    Half-hourly telemetry is taken: a stamp must name a mark once its source's label convention is applied.
    """
    registry = _Registry(row.meter_id for row in readings if isinstance(row.meter_id, str))
    clock = _Clock(actor, now)
    candidates: list[Candidate] = []
    rejected: list[Rejection] = []
    for index, row in enumerate(readings):
        try:
            candidates.append(_candidate(index, row, registry, clock))
        except DomainError as error:
            rejected.append(Rejection(index, error.code, error.detail))
    used = {candidate.register_id for candidate in candidates}
    return Screened(
        candidates=tuple(candidates),
        rejected=tuple(rejected),
        targets={target.register_id: target for target in registry.targets() if target.register_id in used},
    )


def earliest_accepted(now: datetime) -> datetime:
    """Return the instant before which a reading is too old to enter."""
    return now - timedelta(days=settings.READING_ACCEPTANCE_DAYS)


def latest_accepted(now: datetime) -> datetime:
    """Return the instant after which a reading lies in the future."""
    tolerance: timedelta = settings.READING_FUTURE_TOLERANCE
    return now + tolerance


def _candidate(index: int, row: OfferedReading, registry: "_Registry", clock: "_Clock") -> Candidate:
    if row.meter_id is None or row.timestamp is None or row.value is None:
        raise Refused("A reading names its meter, its timestamp and its value.", code="malformed")
    target = registry.find(row.meter_id, row.register_code)
    value = parse_value(row.value)
    time, raw_stamp = clock.read(row.timestamp, target.zone)
    if value < 0:
        raise Refused("A register cannot show less than zero.", code="negative")
    if value >= target.dial.modulus:
        raise Refused(f"The register turns over at {target.dial.modulus}.", code="exceeds_register")
    if target.removed_at is not None and time > target.removed_at:
        raise Refused(f"The meter was taken down at {target.removed_at.isoformat()}.", code="not_installed")
    return Candidate(index, target.register_id, time, value, raw_stamp)


class _Registry:
    """The registers of the meters that a batch names."""

    def __init__(self, serials: Iterable[str]) -> None:
        self._statuses: dict[str, str] = {}
        self._targets: dict[tuple[str, str], Target] = {}
        for row in store.find_registers({serial for serial in serials if self._could_be(serial)}):
            self._statuses[row.serial] = row.status
            if row.register_id is not None and row.kind == Register.Kind.CUMULATIVE:
                self._targets[row.serial, row.code or ""] = _target(row)

    @staticmethod
    def _could_be(serial: str) -> bool:
        # PostgreSQL holds no NUL, and a lone surrogate cannot be sent to it.
        return 0 < len(serial) <= _LONGEST_NAME and serial.isprintable()

    def targets(self) -> Iterable[Target]:
        return self._targets.values()

    def find(self, serial: object, code: object) -> Target:
        if isinstance(serial, str) and isinstance(code, str):
            target = self._targets.get((serial, code))
            status = self._statuses.get(serial)
            if target is not None and status not in _SILENT:
                return target
            if status is None:
                raise Refused(f"No meter has the serial {serial[:_LONGEST_NAME]!r}.", code="unknown_meter")
            if status in _SILENT:
                raise Refused(f"The meter {serial} is {status}.", code="inactive_meter")
            raise Refused(f"The meter {serial} has no dial {code[:_LONGEST_NAME]!r}.", code="unknown_register")
        raise Refused("The meter and the register are named by text.", code="malformed")


def _target(row: store.RegisterRow) -> Target:
    if row.register_id is None or row.digits is None or row.multiplier is None:
        raise ValueError(f"{row.serial} has no register.")
    return Target(
        register_id=row.register_id,
        dial=_dial(row.digits, row.multiplier, row.greatest_rate_per_hour or DEFAULT_RATE_PER_HOUR),
        zone=zone(row.zone or settings.SITE_ZONE),
        removed_at=row.removed_at,
        lacks_state=row.lacks_state,
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
        self._latest = latest_accepted(now)
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
        if mark > self._latest:
            return Refused(f"{mark.isoformat()} has not come yet.", code="in_future")
        if mark < self._earliest:
            return Refused(f"Readings are taken back to {self._earliest.isoformat()}.", code="too_old")
        written = stamp if isinstance(stamp, str) else stamp.isoformat()
        return mark, (None if _names(written, mark, zone_) else written)


def _names(written: str, mark: datetime, zone_: ZoneInfo) -> bool:
    stamp = datetime.fromisoformat(written)
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=zone_)) == mark
