"""Files of batteries, of any size: read once, aligned, and stored, to be gone on with where a run broke off."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import F

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import DomainError, Invalid
from meters.batteries.alignment import TOLERANCE_SECONDS, tolerances_us
from meters.batteries.conventions import EPOCH, Terms
from meters.batteries.models import Battery, BatteryImport, Convention, ImportedFile
from meters.batteries.quantities import System
from meters.batteries.services.import_files import Taken, found, identified, staged, work_folder
from meters.batteries.services.import_report import ImportReport, SystemReport, told_of_file, told_of_system
from meters.batteries.services.import_rows import MOST_SPAN_ROWS, AlignedRows, Plan, aligned_rows
from meters.batteries.services.readings import Readings, store_readings
from meters.batteries.services.registry import RetiredBattery, create_battery
from meters.batteries.store.signal_files import SignalFiles, signal_files
from meters.batteries.tallies import SignalTally
from meters.series.writer import Outcome
from meters.services.behind import OneBehind
from meters.store.archive import try_session_lock, unlock_session

EVERY_SECONDS = 10
_LONGEST_BUCKET_SECONDS = 3_600
_LONGEST_TOLERANCE_SECONDS = 86_400.0
_SECOND_US = 1_000_000
_CHUNK_ROWS = 20_000
_SWEEP_AGE = timedelta(days=7)

Progress = Callable[[str, int, int], None]


class BadImportOption(Invalid):
    """What is told of an import makes no sense."""

    code = "bad_option"


class UnknownBattery(DomainError):
    """There is no such battery."""

    code = "unknown_battery"
    status = 404


class ImportUnderWay(DomainError):
    """Files of the same battery are being imported."""

    code = "import_under_way"
    status = 409


@dataclass(frozen=True)
class ImportOptions:
    """What a sender tells of files; empty means as the battery has it.

    :ivar every_seconds: the length of a bucket.
    :ivar convention: the name of one; the battery's own unless told.
    :ivar system: the only one whose signals are taken.
    :ivar tolerances: s by published name, where they differ from the usual.
    :ivar create: make the battery where there is none.
    """

    every_seconds: int = EVERY_SECONDS
    convention: str = ""
    system: str = ""
    tolerances: dict[str, float] = field(default_factory=dict)
    create: bool = False

    def check(self) -> None:
        """Make sure that it makes sense.

        :raises Invalid: it does not.
        """
        if self.every_seconds < 1 or _LONGEST_BUCKET_SECONDS % self.every_seconds:
            raise BadImportOption("A bucket lasts a whole number of seconds that divides an hour.")
        if self.system not in {"", *System}:
            raise BadImportOption(f"There is no system {self.system!r}: there are {', '.join(System)}.")
        if strange := sorted(self.tolerances.keys() - TOLERANCE_SECONDS.keys()):
            raise BadImportOption(f"There is no signal {', '.join(strange)}: there are {', '.join(TOLERANCE_SECONDS)}.")
        if not all(0 < each <= _LONGEST_TOLERANCE_SECONDS for each in self.tolerances.values()):
            raise BadImportOption("A tolerance is more than 0 s and at most a day.")
        if self.convention and not Convention.objects.filter(name=self.convention).exists():
            raise BadImportOption(f"There is no convention called {self.convention}.")

    def systems(self) -> tuple[System, ...]:
        """Return the systems whose signals are taken."""
        return (System(self.system),) if self.system else tuple(System)


@dataclass(frozen=True)
class Bounds:
    """What an import may use.

    :ivar memory_mb: of DuckDB; what is more goes to disk.
    :ivar span_rows: of a file, held at once.
    """

    memory_mb: int = 0
    threads: int = 2
    span_rows: int = MOST_SPAN_ROWS


def import_battery(
    *,
    battery_id: str,
    paths: Sequence[Path],
    names: Mapping[Path, str] = MappingProxyType({}),
    options: ImportOptions,
    actor: Actor,
    now: datetime,
    progress: Progress = lambda *_: None,
    bounds: Bounds = Bounds(),
) -> ImportReport:
    """Bring what files tell of a battery to rows of one rate, and store them.

    Memory is bounded whatever the files' size. A run that broke off goes on where it was; files that are done are done.
    The good lines of a file enter, the others are reported.

    :param names: what senders call files, where it is not as they are called here.
    :param progress: called with what is done, how much of it, and of how much.
    :raises UnknownBattery: there is none, and none is to be made.
    :raises RetiredBattery: it tells nothing any more.
    :raises ImportUnderWay: somebody imports files of the same battery.
    :raises Invalid: options that make no sense, or a file that cannot be read at all.
    """
    options.check()
    battery = _battery(battery_id, options=options, actor=actor, now=now)
    convention = Convention.objects.filter(name=options.convention).first() if options.convention else None
    terms = Terms.of(convention or battery.convention)
    with _working(battery, now=now) as folder:
        unpacked = folder / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir(parents=True)
        wanted, left_out = identified(found(paths, names, folder=unpacked), terms=terms, systems=options.systems())
        size = sum(file.print.size for file in wanted)
        progress("reading", 0, size)
        with signal_files(
            folder, memory_mb=bounds.memory_mb or settings.BATTERY_IMPORT_MEMORY_MB, threads=bounds.threads
        ) as files:
            read = staged(
                files, wanted, terms=terms, folder=folder, progress=lambda done: progress("reading", done, size)
            )
            taken = list(read)
            systems = {
                system.value: _Run(files, battery, system, taken, options, terms, actor, now, bounds).work(progress)
                for system in options.systems()
                if any(each.source(system) for each in taken)
            }
    return ImportReport(
        battery_id=battery.battery_id,
        every_seconds=options.every_seconds,
        files=[told_of_file(each) for each in taken],
        left_out=left_out,
        systems=systems,
    )


@dataclass
class _Run:
    """The import of one system's signals."""

    files: SignalFiles
    battery: Battery
    system: System
    taken: Sequence[Taken]
    options: ImportOptions
    terms: Terms
    actor: Actor
    now: datetime
    bounds: Bounds

    def work(self, progress: Progress) -> SystemReport:
        """Align and store what is not done yet; return what is to be told of it, also of what was done before."""
        run = self._opened()
        if run.finished_at is not None:
            return SystemReport(**{**run.report, "was_done": True})
        plan = self._plan(run)
        tallies = {name: SignalTally(plan.tolerances[name]) for source in plan.sources for name in source.names}
        resumed_from = run.done_until
        length = max(plan.high - plan.low, 1)
        with OneBehind[None]() as behind:
            for rows in aligned_rows(self.files, plan, tallies):
                behind.start(lambda rows=rows: self._store(run, rows), lambda _: None)  # type: ignore[misc]
                progress(f"storing {self.system}", rows.until - plan.low, length)
        progress(f"storing {self.system}", length, length)
        run.refresh_from_db()
        report = told_of_system(run, self.taken, tallies, resumed_from=resumed_from, ceiling=self._ceiling())
        self._close(run, report)
        return report

    def _opened(self) -> BatteryImport:
        run, _ = BatteryImport.objects.get_or_create(
            battery=self.battery,
            system=self.system.value,
            key=self._key(),
            defaults={"terms": self._terms(), "started_at": self.now},
        )
        return run

    def _plan(self, run: BatteryImport) -> Plan:
        sources = [source for each in self.taken if (source := each.source(self.system))]
        every = self.options.every_seconds * _SECOND_US
        first = max(min(source.staged.first for source in sources), 0)
        last = min(max(source.staged.last for source in sources), self._ceiling())
        low, high = first // every * every, (last // every + 1) * every
        if run.done_until is not None:
            low = max(low, (run.done_until - EPOCH) // timedelta(microseconds=1))
        tolerances = tolerances_us(self.options.tolerances)
        return Plan(self.system, sources, every, tolerances, low, high, self.bounds.span_rows)

    def _store(self, run: BatteryImport, rows: AlignedRows) -> None:
        """Store rows, a transaction for each part of them, and note how far that is."""
        told: Counter[Outcome] = Counter()
        for start in range(0, rows.times.size, _CHUNK_ROWS):
            part = slice(start, start + _CHUNK_ROWS)
            values = {name: held[part] for name, held in rows.values.items() if not np.isnan(held[part]).all()}
            times = rows.times[part]
            ids = np.full(times.size, self.battery.pk, dtype=np.int64)
            told.update(
                store_readings(system=self.system, readings=Readings(ids, times, values), is_live=False, now=self.now)
            )
        BatteryImport.objects.filter(pk=run.pk).update(
            done_until=EPOCH + timedelta(microseconds=rows.until),
            stored=F("stored") + told[Outcome.STORED],
            duplicates=F("duplicates") + told[Outcome.DUPLICATE],
            conflicts=F("conflicts") + told[Outcome.CONFLICT],
        )

    @transaction.atomic
    def _close(self, run: BatteryImport, report: SystemReport) -> None:
        run.report, run.finished_at = report.as_dict(), self.now
        run.save(update_fields=("report", "finished_at"))
        ImportedFile.objects.bulk_create(
            ImportedFile(
                battery_import=run,
                name=each.file.given.name[:255],
                sha256=each.file.print.sha256,
                size_bytes=each.file.print.size,
                lines=each.file.print.lines,
                bad_lines=each.bad,
            )
            for each in self.taken
            if each.source(self.system)
        )
        audit.record(
            action="battery.import",
            obj=self.battery,
            actor=self.actor,
            now=self.now,
            system=self.system.value,
            stored=run.stored,
            conflicts=run.conflicts,
        )

    def _ceiling(self) -> int:
        return (self.now + settings.DEVICE_FUTURE_TOLERANCE - EPOCH) // timedelta(microseconds=1)

    def _terms(self) -> dict[str, Any]:
        return {
            "every_seconds": self.options.every_seconds,
            "tolerances": self.options.tolerances,
            "zone": self.terms.zone.key,
            "clock_offset_us": self.terms.clock_offset_us,
        }

    def _key(self) -> str:
        holds = [
            [
                each.file.print.sha256,
                each.file.layout.time_place,
                [[column.place, column.name, *column.scale] for column in each.file.layout.columns],
            ]
            for each in self.taken
            if each.source(self.system)
        ]
        return hashlib.sha256(json.dumps([self._terms(), holds], sort_keys=True).encode()).hexdigest()


@transaction.atomic
def _battery(battery_id: str, *, options: ImportOptions, actor: Actor, now: datetime) -> Battery:
    battery = Battery.objects.select_related("convention").filter(battery_id=battery_id).first()
    if battery is None:
        if not options.create:
            raise UnknownBattery(f"There is no battery {battery_id}.")
        battery = create_battery(battery_id=battery_id, details={}, actor=actor, now=now)
    if battery.status == Battery.Status.RETIRED:
        raise RetiredBattery(f"{battery_id} is retired.")
    return battery


@contextmanager
def _working(battery: Battery, *, now: datetime) -> Iterator[Path]:
    """Have a battery's import folder alone; what is staged there stays only where the block breaks off."""
    name = f"battery import {battery.pk}"
    if not try_session_lock(name):
        raise ImportUnderWay(f"Files of {battery.battery_id} are being imported.")
    try:
        _sweep(now)
        folder = work_folder(battery.pk)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        unlock_session(name)


def _sweep(now: datetime) -> None:
    """Remove what runs left that broke off long ago and never went on."""
    oldest = (now - _SWEEP_AGE).timestamp()
    root = work_folder(0).parent
    for folder in root.iterdir() if root.is_dir() else ():
        name = f"battery import {folder.name}"
        if folder.stat().st_mtime < oldest and try_session_lock(name):
            try:
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                unlock_session(name)


def tolerances_of(told: Mapping[str, str]) -> dict[str, float]:
    """Return tolerances as they are told in text.

    :raises BadImportOption: one is no number.
    """
    try:
        return {name: float(seconds) for name, seconds in told.items()}
    except ValueError as error:
        raise BadImportOption("A tolerance is told as SIGNAL=SECONDS.") from error
