"""From rows as somebody offers them to registers, instants and values that are known: all that needs no neighbour."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings

from accounts.actors import Actor
from energy_portal.shared.clock import LabelConvention, zone
from energy_portal.shared.errors import DomainError
from meters.models import Quality, Register, RuleCode, Severity
from meters.series.columns import EPOCH
from meters.services.directory import LONGEST_NAME
from meters.services.offers import Offer, OfferedReading, Rejection
from meters.services.registry import SILENT, Catch, Registry, Rules, Target
from meters.services.sifting import QUALITIES, UNITS, Columns, sift
from meters.store.door import Int64s, amount_of
from meters.validation import Refused, instant_of, mark_of, parse_value, plain


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


@dataclass(frozen=True)
class Screened:
    """What is left of a batch, and why the rest is not.

    :ivar columns: the usual rows.
    :ivar candidates: rows with something to them.
    """

    columns: Columns
    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejection, ...]
    registry: Registry

    def as_candidates(self, columns: Columns) -> list[Candidate]:
        """Return usual rows for a look one by one."""
        return [
            Candidate(place, register_id, EPOCH + timedelta(microseconds=time), amount_of(value), quality, stamp)
            for place, register_id, time, value, quality, stamp in zip(
                columns.places.tolist(),
                columns.register_ids.tolist(),
                columns.times.tolist(),
                columns.values.tolist(),
                columns.qualities.tolist(),
                columns.stamps,
                strict=True,
            )
        ]

    @property
    def rules(self) -> Rules:
        """The rules that judge it."""
        return self.registry.rules

    def targets(self, register_ids: Collection[int]) -> dict[int, Target]:
        """Return registers that rows were offered to."""
        return self.registry.targets(register_ids)


def screen(offer: Offer, *, actor: Actor, now: datetime, registry: Registry, numbers: Int64s | None = None) -> Screened:
    """Find each row's register, instant and value.

    Half-hourly telemetry is taken: a stamp must name a mark once its source's label convention is applied.

    Where the rule ``off_mark`` is passed over, a stamp may name any instant.

    :param registry: the registers of all meters that it names.
    :param numbers: of the rows' registers in the registry, where the caller has looked them up.
    """
    clock = _Clock(actor, now, keeps_instants=RuleCode.OFF_MARK.value in registry.rules.overrides)
    columns, others = sift(offer, registry, clock, numbers)
    screening = _Screening(registry.rules, registry, clock)
    candidates: list[Candidate] = []
    rejected: list[Rejection] = []
    for index in others:
        try:
            candidates.append(screening.candidate(index, offer.row(index)))
        except DomainError as error:
            rejected.append(Rejection(index, error.code, error.detail))
    return Screened(columns, tuple(candidates), tuple(rejected), registry)


def earliest_accepted(now: datetime) -> datetime:
    """Return the instant before which a reading is too old to enter."""
    return now - timedelta(days=settings.READING_ACCEPTANCE_DAYS)


def latest_accepted(now: datetime) -> datetime:
    """Return the instant after which a reading lies in the future."""
    tolerance: timedelta = settings.READING_FUTURE_TOLERANCE
    return now + tolerance


class _Screening:
    """Judges rows one by one."""

    def __init__(self, rules: Rules, registry: Registry, clock: "_Clock") -> None:
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
        if target.status not in SILENT:
            return []
        return self._caught(RuleCode.INACTIVE_METER, target, f"The meter is {target.status}.")

    def _unit(self, unit: object, target: Target) -> list[Catch]:
        if unit is None:
            return []
        if not isinstance(unit, str):
            raise Refused("The unit is not a text.", code="malformed")
        if unit in {"", target.unit}:
            return []
        if UNITS.get(unit.casefold()) == target.unit:
            return []
        return self._caught(
            RuleCode.WRONG_UNIT, target, f"The register counts {target.unit}, not {unit[:LONGEST_NAME]}."
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
    if isinstance(quality, int) and not isinstance(quality, bool) and quality in QUALITIES:
        return int(quality)
    raise Refused("The quality is none of Green Button's.", code="unknown_quality")


class _Clock:
    """Reads stamps as the batch's source writes them; rows of one batch share few stamps, so each is read once.

    Where it keeps instants, as field reads do, a stamp names itself and no convention moves it to a mark.
    """

    def __init__(self, actor: Actor, now: datetime, *, keeps_instants: bool) -> None:
        self._keeps_instants = keeps_instants
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
            mark = instant_of(stamp, zone_) if self._keeps_instants else mark_of(stamp, self._convention, zone_)
        except DomainError as error:
            return error
        if mark < self._earliest:
            return Refused(f"Readings are taken back to {self._earliest.isoformat()}.", code="too_old")
        written = stamp if isinstance(stamp, str) else stamp.isoformat()
        return mark, (None if _names(written, mark, zone_) else written)


def _names(written: str, mark: datetime, zone_: ZoneInfo) -> bool:
    stamp = datetime.fromisoformat(written)
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=zone_)) == mark
