"""Readings out of files: the good half goes through the one door, and each bad line is reported."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.clock import HALF_HOUR, LabelConvention
from meters.formats.records import KWH, FileFault, FileReading
from meters.models import Meter, Quality, Register
from meters.selectors.registers import units_of
from meters.services.history import save_as
from meters.services.readings import OfferedReading, receive_readings

BATCH_SIZE = 5_000
_LONGEST_SERIAL, _LONGEST_CODE = 64, 20
# What the door stores is what a meter showed: an estimate that came in here would pass for one.
_SHOWN_BY_METERS = frozenset(
    {None, Quality.VALID, Quality.RAW, Quality.VALIDATED, Quality.VERIFIED, Quality.REVENUE},
)
_DIRECTIONS = {"1.8.": Register.Direction.IMPORT, "2.8.": Register.Direction.EXPORT}
_LABEL_LAG = {
    LabelConvention.PERIOD_END: timedelta(0),
    LabelConvention.PERIOD_START: HALF_HOUR,
    LabelConvention.END_MINUS_ONE: timedelta(minutes=1),
}


@dataclass(frozen=True)
class LineProblem:
    """Why ``count`` values of a line did not simply enter; the detail is the first one's."""

    line: int
    code: str
    detail: str
    count: int = 1


@dataclass(frozen=True)
class ImportReport:
    """What became of a file. Counts are of values, of which a line may hold many; problems are in the file's order.

    ``rejected`` are those that the file spoiled or the portal refused; a conflict is kept for review.
    """

    stored: int
    duplicates: int
    conflicts: int
    rejected: int
    meters_created: int
    problems: tuple[LineProblem, ...]

    @property
    def is_whole(self) -> bool:
        """Tell whether no line was bad."""
        return not self.problems


def import_readings(
    *,
    records: Iterable[FileReading | FileFault],
    actor: Actor,
    now: datetime,
    create_meters: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> ImportReport:
    """Take the readings of a file in, a transaction a batch; taking the same file in again adds nothing.

    Dial readings go through :func:`receive_readings`. Energy by interval is refused with
    ``interval_data_not_supported``, a value that no meter showed with ``estimate_not_taken``.

    :param create_meters: make meters that nobody knows, active and hanging nowhere, with the dials that the file names.
    :param progress: called after each batch.
    """
    run = _Run(actor, now, create_meters)
    batch: list[FileReading] = []
    for record in records:
        if isinstance(record, FileFault):
            run.refuse(record.line, record.code, record.detail)
        elif record.kind == "interval":
            run.refuse(record.line, "interval_data_not_supported", "Energy by interval is not stored, only dials are.")
        elif record.quality not in _SHOWN_BY_METERS:
            run.refuse(record.line, "estimate_not_taken", f"A value of quality {record.quality} is no meter's own.")
        else:
            batch.append(record)
            if len(batch) == BATCH_SIZE:
                run.take(batch)
                batch.clear()
                progress()
    run.take(batch)
    progress()
    return run.report()


@dataclass
class _Run:
    """The sums of one import."""

    actor: Actor
    now: datetime
    create_meters: bool
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    meters_created: int = 0
    problems: dict[tuple[int, str], LineProblem] = field(default_factory=dict)

    def refuse(self, line: int, code: str, detail: str) -> None:
        """Count a value that does not enter."""
        self.rejected += 1
        self._note(line, code, detail)

    def take(self, batch: Sequence[FileReading]) -> None:
        """Offer a batch to the door, but for values in another unit than their register's."""
        serials = {each.serial for each in batch if _could_be(each.serial, _LONGEST_SERIAL)}
        if self.create_meters:
            self.meters_created += _create_meters(batch, serials, self.actor, self.now)
        units = units_of(serials)
        offered: list[FileReading] = []
        for each in batch:
            unit = units.get((each.serial, each.register_code))
            if unit is not None and each.unit not in {"", unit}:
                self.refuse(each.line, "wrong_unit", f"The register counts {unit}, not {each.unit}.")
            else:
                offered.append(each)
        report = receive_readings(
            readings=[_offer(each, self.actor) for each in offered], actor=self.actor, now=self.now
        )
        self.stored += report.stored
        self.duplicates += report.duplicates
        self.conflicts += len(report.conflicts)
        for refused in (*report.rejected, *report.quarantined):
            self.refuse(offered[refused.index].line, refused.code, refused.detail)
        for conflict in report.conflicts:
            self._note(offered[conflict.index].line, conflict.code, conflict.detail)

    def report(self) -> ImportReport:
        """Return the sums, problems by line."""
        problems = tuple(sorted(self.problems.values(), key=lambda each: (each.line, each.code)))
        return ImportReport(self.stored, self.duplicates, self.conflicts, self.rejected, self.meters_created, problems)

    def _note(self, line: int, code: str, detail: str) -> None:
        first = self.problems.get((line, code))
        self.problems[line, code] = LineProblem(
            line, code, first.detail if first else detail, first.count + 1 if first else 1
        )


def _offer(reading: FileReading, actor: Actor) -> OfferedReading:
    """Return a reading as its source stamps it, for the door to read by the source's convention."""
    labels = LabelConvention(actor.source.label_convention) if actor.source else LabelConvention.PERIOD_END
    return OfferedReading(
        meter_id=reading.serial,
        timestamp=reading.end - _LABEL_LAG[labels],
        value=reading.value,
        register_code=reading.register_code,
    )


def _create_meters(batch: Sequence[FileReading], serials: set[str], actor: Actor, now: datetime) -> int:
    """Make the electric meters among unknown serials, with their import and export dials; say how many."""
    unknown = serials.difference(Meter.objects.filter(serial__in=serials).order_by().values_list("serial", flat=True))
    dials: dict[str, dict[str, Register.Direction]] = {}
    for each in batch:
        direction = _direction(each.register_code)
        if each.serial in unknown and each.unit in {"", KWH} and direction is not None:
            dials.setdefault(each.serial, {})[each.register_code] = direction
    return sum(_create_meter(serial, found, actor, now) for serial, found in sorted(dials.items()))


def _create_meter(serial: str, dials: Mapping[str, Register.Direction], actor: Actor, now: datetime) -> bool:
    meter = Meter(serial=serial)
    try:
        with transaction.atomic():
            save_as(actor, meter)
            for code, direction in sorted(dials.items()):
                save_as(actor, Register(meter=meter, code=code, direction=direction))
            audit.record(action="meter.created", obj=meter, actor=actor, now=now, serial=serial)
    except IntegrityError:
        # Somebody else made it a moment ago: it is theirs, and its readings are judged by its dials.
        return False
    return True


def _direction(code: str) -> Register.Direction | None:
    return _DIRECTIONS.get(code[:4]) if _could_be(code, _LONGEST_CODE) else None


def _could_be(name: str, longest: int) -> bool:
    return 0 < len(name) <= longest and name.isprintable()
