"""Read a file of readings in."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from accounts.actors import PORTAL, Actor
from accounts.models import DataSource
from energy_portal.shared.clock import LabelConvention, zone
from energy_portal.shared.errors import DomainError
from meters.formats.layout import COLUMNS, Stamps
from meters.formats.reading import FileFormat, detect, read
from meters.services.imports import ImportReport, import_readings

_AUTO = "auto"
_MOST_LINES_SHOWN = 100


class Command(BaseCommand):
    """Take the good half of a file in, and tell of every bad line."""

    help = "Read register readings from a CSV, NEM12/NEM13 or Green Button file; exit with 1 when a line was bad."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file, its format, and what it does not say itself."""
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--format", choices=[_AUTO, *FileFormat], default=_AUTO, help="default: by how it begins")
        parser.add_argument("--source", metavar="NAME", help="the data source that the readings come from")
        parser.add_argument("--zone", help="of CSV times without an offset; the source's, or the site's, unless told")
        labels = [each.replace("_", "-") for each in LabelConvention]
        parser.add_argument("--labels", choices=labels, help="what CSV times name; the source's, or period-end")
        parser.add_argument("--meter", default="", metavar="SERIAL", help="the meter where the file names none")
        parser.add_argument(
            "--column", action="append", default=[], metavar="NAME=HEADING", help=f"of a CSV: {', '.join(COLUMNS)}"
        )
        parser.add_argument("--create-meters", action="store_true", help="make the meters that nobody knows")
        parser.add_argument("--json", action="store_true", help="print the whole report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was stored, and why what was not was not.

        :raises CommandError: a bad option or no such file (2), or a line that was bad (1).
        """
        try:
            source = _source(options["source"])
            stamps = _stamps(options, source)
            with options["file"].open("rb") as file:
                report = self._import(file, stamps, source, options)
        except (DomainError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(report), ensure_ascii=False))
        else:
            self._tell(report)
        if not report.is_whole:
            raise CommandError(f"{len({each.line for each in report.problems})} lines were bad.", returncode=1)

    def _import(
        self, file: BinaryIO, stamps: Stamps, source: DataSource | None, options: dict[str, Any]
    ) -> ImportReport:
        file_format = detect(file) if options["format"] == _AUTO else FileFormat(options["format"])
        console = Console(stderr=True)
        with _bar(console, hidden=options["json"]) as progress:
            task = progress.add_task(options["file"].name, total=options["file"].stat().st_size)
            return import_readings(
                records=read(
                    file, file_format, stamps=stamps, mapping=_mapping(options), default_serial=options["meter"]
                ),
                actor=Actor(source=source) if source else PORTAL,
                now=timezone.now(),
                create_meters=options["create_meters"],
                progress=lambda: progress.update(task, completed=file.tell()),
            )

    def _tell(self, report: ImportReport) -> None:
        for each in report.problems[:_MOST_LINES_SHOWN]:
            times = f" ({each.count} values)" if each.count > 1 else ""
            self.stdout.write(f"line {each.line}: {each.code}{times}: {each.detail}")
        if (more := len(report.problems) - _MOST_LINES_SHOWN) > 0:
            self.stdout.write(f"{more} more are in the report of --json.")
        if report.meters_created:
            self.stdout.write(f"Meters made: {report.meters_created:,}.")
        self.stdout.write(
            f"Stored {report.stored:,}, duplicates {report.duplicates:,}, conflicts {report.conflicts:,}, "
            f"rejected {report.rejected:,}."
        )


def _source(name: str | None) -> DataSource | None:
    if not name:
        return None
    source: DataSource | None = DataSource.objects.filter(name=name, revoked_at__isnull=True).first()
    if source is None:
        raise CommandError(f"There is no data source called {name}.", returncode=2)
    return source


def _stamps(options: dict[str, Any], source: DataSource | None) -> Stamps:
    labels = (options["labels"] or "").replace("-", "_") or (source.label_convention if source else "")
    name = options["zone"] or (source.zone if source else "") or settings.SITE_ZONE
    return Stamps(zone(name), LabelConvention(labels or LabelConvention.PERIOD_END))


def _mapping(options: dict[str, Any]) -> dict[str, str]:
    mapping = dict(each.partition("=")[::2] for each in options["column"])
    if unknown := sorted(name for name, heading in mapping.items() if name not in COLUMNS or not heading):
        raise CommandError(f"--column takes NAME=HEADING, not {', '.join(unknown)}.", returncode=2)
    return mapping


def _bar(console: Console, *, hidden: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=hidden or not console.is_terminal,
    )
