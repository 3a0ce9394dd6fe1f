"""Files of readings as people and machines hand them in: what the sender tells of one, and the job that takes it in."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction

from accounts.actors import Actor
from energy_portal.shared.clock import LabelConvention, zone
from energy_portal.shared.errors import Invalid
from energy_portal.shared.units import parse_decimal
from meters.formats.ahead import read_ahead
from meters.formats.layout import COLUMNS, Layout, Stamps
from meters.formats.reading import FileFormat, detect, read, unpacked
from meters.formats.records import in_portal_unit
from meters.models import Job
from meters.models.places import Commodity
from meters.services.imports import ImportReport, import_readings
from meters.services.jobs import Running, queue_job
from meters.services.uploads import keep_upload, path_of

AUTO = "auto"
_LONGEST_INTERVAL_MINUTES = 30
_MOST_PROBLEMS_TOLD = 1_000


class BadOption(Invalid):
    """What is told of a file makes no sense."""

    code = "bad_option"


@dataclass(frozen=True)
class ImportOptions:
    """What a sender tells of a file; empty means as the file, its source, or the site has it.

    :param columns: see :class:`Layout`.
    :param scale: what a table's values are multiplied by, a number as text.
    :param interval_minutes: see :class:`Layout`; 0 means that a table's rows without a start are dials.
    """

    format: str = AUTO
    zone: str = ""
    labels: str = ""
    serial: str = ""
    unit: str = ""
    scale: str = "1"
    interval_minutes: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    commodity: str = ""
    create_meters: bool = False
    dry_run: bool = False

    def layout(self) -> Layout:
        """Return what a table holds.

        :raises Invalid: a column or a unit that the portal does not know, or a scale that is no positive number.
        """
        if unknown := sorted(name for name, heading in self.columns.items() if name not in COLUMNS or not heading):
            raise BadOption(f"There is no column {', '.join(unknown)}: there are {', '.join(COLUMNS)}.")
        scale = parse_decimal(self.scale, max_digits=15, decimal_places=9)
        if scale <= 0:
            raise BadOption("A scale is larger than 0.")
        if not 0 <= self.interval_minutes <= _LONGEST_INTERVAL_MINUTES:
            raise BadOption(f"Intervals are of up to {_LONGEST_INTERVAL_MINUTES} minutes.")
        in_portal_unit(scale, self.unit)
        return Layout(
            columns=self.columns,
            serial=self.serial,
            unit=self.unit,
            scale=scale,
            interval=timedelta(minutes=self.interval_minutes) if self.interval_minutes else None,
        )

    def stamps(self, actor: Actor) -> Stamps:
        """Return how a table's times are written: as told, otherwise as its source writes them.

        :raises Invalid: no such zone or convention.
        """
        source = actor.source
        labels = self.labels.replace("-", "_") or (source.label_convention if source else "")
        labels = labels or LabelConvention.PERIOD_END
        if labels not in set(LabelConvention):
            raise BadOption(f"{self.labels!r} is none of {', '.join(LabelConvention)}.")
        name = self.zone or (source.zone if source else "") or settings.SITE_ZONE
        return Stamps(zone(name), LabelConvention(labels))

    def check(self, actor: Actor) -> None:
        """Make sure that it makes sense before a file is taken.

        :raises Invalid: it does not.
        """
        self.layout()
        self.stamps(actor)
        if self.format not in {AUTO, *FileFormat}:
            raise BadOption(f"The format {self.format!r} is none of {', '.join((AUTO, *FileFormat))}.")
        if self.commodity not in {"", *Commodity.values}:
            raise BadOption(f"The commodity {self.commodity!r} is none of {', '.join(Commodity.values)}.")


def import_file(
    *,
    file: BinaryIO,
    name: str,
    options: ImportOptions,
    actor: Actor,
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> ImportReport:
    """Take a file in, packed where its name ends with ``.gz``; see :func:`import_readings`.

    :param progress: called with the bytes that were read, after each batch.
    :raises Invalid: options that make no sense, or a file that cannot be read at all.
    """
    options.check(actor)
    with unpacked(file, name) as content:
        file_format = detect(content) if options.format == AUTO else FileFormat(options.format)
        records = read(content, file_format, stamps=options.stamps(actor), layout=options.layout(), columns=True)
        with closing(records), read_ahead(records) as coming:
            return import_readings(
                records=coming,
                actor=actor,
                now=now,
                create_meters=options.create_meters,
                commodity=options.commodity,
                dry_run=options.dry_run,
                progress=lambda: progress(file.tell()),
            )


def queue_import(*, chunks: Iterable[bytes], name: str, options: ImportOptions, actor: Actor, now: datetime) -> Job:
    """Keep a file of readings and ask for a worker to take it in.

    :param name: as the sender calls it.
    :raises Invalid: options that make no sense.
    :raises FileTooLarge: it holds more than ``MAX_FILE_SIZE``.
    """
    options.check(actor)
    upload = keep_upload(chunks=chunks)
    with transaction.atomic():
        return queue_job(
            kind=Job.Kind.IMPORT_READINGS,
            parameters=asdict(options),
            actor=actor,
            now=now,
            upload=upload,
            upload_name=name,
        )


def run_import(running: Running) -> dict[str, Any]:
    """Take an uploaded file in; run again after a crash it adds what is still missing."""
    job = running.job
    path = path_of(job.upload)
    with path.open("rb") as file:
        running.note(0, path.stat().st_size, at_once=True)
        report = import_file(
            file=file,
            name=job.upload_name,
            options=ImportOptions(**job.parameters),
            actor=running.actor,
            now=running.now,
            progress=running.note,
        )
        running.note(path.stat().st_size, at_once=True)
    return told(report)


def told(report: ImportReport) -> dict[str, Any]:
    """Return a report as a job keeps it: of very many problems the first are listed."""
    told_of: Mapping[str, Any] = asdict(report)
    listed = told_of["problems"][:_MOST_PROBLEMS_TOLD]
    return {**told_of, "problems": listed, "problems_not_listed": len(told_of["problems"]) - len(listed)}
