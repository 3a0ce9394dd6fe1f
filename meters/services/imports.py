"""Readings out of files: the good half goes through the one door, and each bad line is reported."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import repeat

import numpy as np
from django.conf import settings
from django.db import transaction

from accounts.actors import Actor
from energy_portal.shared.clock import HALF_HOUR, LabelConvention
from meters.formats.obis import ELECTRIC, USUAL_CODE, commodity_of
from meters.formats.records import M3, DialColumns, FileFault, FileReading
from meters.models import RuleCode
from meters.selectors.registers import KnownMeter, known_meters
from meters.services.behind import OneBehind
from meters.services.found_meters import could_be_serial, make_found
from meters.services.readings import Offer, ReadingReport, receive_columns, receive_screened
from meters.services.registry import registry_of
from meters.services.screening import Screened, screen

BATCH_SIZE = 5_000
MOST_PROBLEMS = 10_000
_LABEL_LAG = {
    LabelConvention.PERIOD_END: timedelta(0),
    LabelConvention.PERIOD_START: HALF_HOUR,
    LabelConvention.END_MINUS_ONE: timedelta(minutes=1),
}
_WRONG_KIND = {
    "interval": ("register_is_a_dial", "The register is a dial: energy by interval is another register's."),
    "dial": ("register_counts_intervals", "The register counts energy by interval: it has no dial."),
}
_GAS_OR_WATER = (
    "unknown_commodity",
    "Gas and water are both m³: an OBIS code as 7-0:3.0.0 or the commodity tells which.",
)


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

    ``rejected`` are those that the file spoiled or the portal refused; a conflict and a quarantined value are kept for
    a decision. Of very many problems the first are listed, and ``problems_by_code`` counts them all.
    """

    stored: int
    duplicates: int
    conflicts: int
    quarantined: int
    rejected: int
    meters_created: int
    problems_by_code: dict[str, int]
    problems: tuple[LineProblem, ...]

    @property
    def is_whole(self) -> bool:
        """Tell whether no line was bad."""
        return not self.problems_by_code


def import_readings(
    *,
    records: Iterable[FileReading | FileFault | DialColumns],
    actor: Actor,
    now: datetime,
    create_meters: bool = False,
    commodity: str = "",
    dry_run: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> ImportReport:
    """Take the readings of a file in, a transaction a batch; taking the same file in again adds nothing.

    All go through :func:`receive_readings`, dials as what they showed, half-hours as values of interval registers.

    :param create_meters: make meters and registers that nobody knows, see :func:`make_found`.
    :param commodity: what registers count whose code and unit do not tell it.
    :param dry_run: judge each batch as if it came alone, and keep nothing.
    :param progress: called after each batch was taken; the last may still be on its way to the disk, but for the end.
    """
    with OneBehind[ReadingReport]() as behind:
        run = _Run(actor, now, create_meters, commodity, dry_run, behind)
        run.take_all(records, progress)
        behind.settle()
        progress()
        return run.report()


@dataclass
class _Run:
    """The sums of one import."""

    actor: Actor
    now: datetime
    create_meters: bool
    commodity: str
    dry_run: bool
    behind: OneBehind[ReadingReport]
    counts: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    problems: dict[tuple[int, str], LineProblem] = field(default_factory=dict)

    def take_all(self, records: Iterable[FileReading | FileFault | DialColumns], progress: Callable[[], None]) -> None:
        """Offer all to the door, batch by batch."""
        batch: list[FileReading] = []
        for record in records:
            if isinstance(record, FileFault):
                self.refuse(record.line, record.code, record.detail)
                continue
            if isinstance(record, DialColumns):
                self.take(batch)
                batch.clear()
                self.take_columns(record)
                progress()
                continue
            batch.append(record)
            if len(batch) == BATCH_SIZE:
                self.take(batch)
                batch.clear()
                progress()
        self.take(batch)

    def refuse(self, line: int, code: str, detail: str) -> None:
        """Count a value that does not enter."""
        self.behind.settle()
        self.counts["rejected"] += 1
        self._note(line, code, detail)

    def take(self, batch: Sequence[FileReading]) -> None:
        """Offer a batch to the door, in a transaction that is undone where nothing is to be kept."""
        if not batch:
            return
        self.behind.settle()
        with self._kept():
            fit = self._fitting(batch)
            # Telemetry names half-hours; who reads a dial by hand comes when they come.
            for readings, overrides in (
                ([each for each in fit if not each.by_hand], frozenset[str]()),
                ([each for each in fit if each.by_hand], frozenset({RuleCode.OFF_MARK.value})),
            ):
                if not readings:
                    continue
                offer = _offer(readings, _labels_of(self.actor))
                report = receive_columns(offer=offer, actor=self.actor, now=self.now, overrides=overrides)
                self._count([each.line for each in readings], report)

    def take_columns(self, rows: DialColumns) -> None:
        """Offer rows of dials to the door as columns, but for those of registers that are unknown, or are no dials.

        What is offered is written while the caller goes on.
        """
        registry = registry_of(rows.serials, now=self.now)
        codes = registry.lone_codes()
        if any(rows.register_codes):
            pairs = zip(rows.serials, rows.register_codes, strict=True)
            named = [code or codes.get(serial, "") for serial, code in pairs]
        else:
            named = list(map(codes.get, rows.serials, repeat("")))
        numbers = registry.numbers(zip(rows.serials, named, strict=True))
        known = registry.holds_dials(numbers)
        for places in _pieces(np.flatnonzero(~known).tolist(), BATCH_SIZE):
            self.take([rows.row(place) for place in places])
        lags = {time: time - _LABEL_LAG[_labels_of(self.actor)] for time in set(rows.times)}
        for places in _pieces(np.flatnonzero(known).tolist(), settings.READING_BATCH_LIMIT):
            piece = rows if len(places) == len(rows.lines) else rows.take(places)
            offer = Offer(
                meter_ids=piece.serials,
                timestamps=list(map(lags.__getitem__, piece.times)),
                values=piece.values,
                register_codes=named if piece is rows else [named[place] for place in places],
                qualities=piece.qualities,
                units=piece.units,
            )
            screened = screen(offer, actor=self.actor, now=self.now, registry=registry, numbers=numbers[places])
            self.behind.start(partial(self._enter, screened), partial(self._count, piece.lines))

    def _enter(self, screened: Screened) -> ReadingReport:
        with self._kept():
            return receive_screened(screened=screened, actor=self.actor, now=self.now)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Have a transaction that is undone where nothing is to be kept."""
        with transaction.atomic() if self.dry_run else nullcontext():
            yield
            if self.dry_run:
                transaction.set_rollback(True)

    def _count(self, lines: Sequence[int], report: ReadingReport) -> None:
        """Add up what became of values, whose lines are given."""
        self.counts.update(stored=report.stored, duplicates=report.duplicates)
        for refused in report.rejected:
            self.refuse(lines[refused.index], refused.code, refused.detail)
        for name, kept in (("conflicts", report.conflicts), ("quarantined", report.quarantined)):
            self.counts[name] += len(kept)
            for each in kept:
                self._note(lines[each.index], each.code, each.detail)

    def _fitting(self, batch: Sequence[FileReading]) -> list[FileReading]:
        """Return what may be offered of a batch, each with its register, once that register is there."""
        serials = {each.serial for each in batch if could_be_serial(each.serial)}
        known = known_meters(serials)
        named = [each if each.register_code else self._named(each, known.get(each.serial)) for each in batch]
        if self.create_meters:
            made = make_found(readings=named, known=known, commodity=self.commodity, actor=self.actor, now=self.now)
            self.counts["meters_created"] += made.meters
            known = known_meters(serials) if made.anything else known
        return [each for each in named if self._fits(each, known.get(each.serial))]

    def _fits(self, reading: FileReading, meter: KnownMeter | None) -> bool:
        """Tell whether a reading may be offered; it is refused here where its register counts otherwise."""
        kind = meter.kinds.get(reading.register_code) if meter else None
        if kind is not None and kind != reading.kind:
            self.refuse(reading.line, *_WRONG_KIND[reading.kind])
            return False
        if meter is None and self.create_meters and reading.unit == M3 and not self.commodity:
            self.refuse(reading.line, *_GAS_OR_WATER)
            return False
        return True

    def _named(self, reading: FileReading, meter: KnownMeter | None) -> FileReading:
        """Give a reading that names no register to the only one of its meter, otherwise to its commodity's total."""
        if meter is not None and meter.only_code is not None:
            return replace(reading, register_code=meter.only_code)
        commodity = meter.type if meter else self.commodity or commodity_of("", reading.unit) or ELECTRIC
        return replace(reading, register_code=USUAL_CODE[commodity])

    def report(self) -> ImportReport:
        """Return the sums, problems by line."""
        count = self.counts
        return ImportReport(
            stored=count["stored"],
            duplicates=count["duplicates"],
            conflicts=count["conflicts"],
            quarantined=count["quarantined"],
            rejected=count["rejected"],
            meters_created=count["meters_created"],
            problems_by_code=dict(sorted(self.codes.items())),
            problems=tuple(sorted(self.problems.values(), key=lambda each: (each.line, each.code))),
        )

    def _note(self, line: int, code: str, detail: str) -> None:
        self.codes[code] += 1
        first = self.problems.get((line, code))
        if first is not None:
            self.problems[line, code] = replace(first, count=first.count + 1)
        elif len(self.problems) < MOST_PROBLEMS:
            self.problems[line, code] = LineProblem(line, code, detail)


def _pieces(places: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (places[start : start + size] for start in range(0, len(places), size))


def _labels_of(actor: Actor) -> LabelConvention:
    return LabelConvention(actor.source.label_convention) if actor.source else LabelConvention.PERIOD_END


def _offer(readings: Sequence[FileReading], labels: LabelConvention) -> Offer:
    """Return readings as their source stamps them, for the door to read by the source's convention."""
    lag = _LABEL_LAG[labels]
    return Offer(
        meter_ids=[each.serial for each in readings],
        timestamps=[each.end if each.by_hand else each.end - lag for each in readings],
        values=[each.value for each in readings],
        register_codes=[each.register_code for each in readings],
        qualities=[each.quality for each in readings],
        units=[each.unit for each in readings],
    )
