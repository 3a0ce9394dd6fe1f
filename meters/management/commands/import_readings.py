"""Read a file of readings in."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from accounts.actors import PORTAL, Actor
from accounts.models import DataSource
from energy_portal.shared.clock import LabelConvention
from energy_portal.shared.errors import DomainError
from meters.formats.layout import COLUMNS
from meters.formats.reading import FileFormat
from meters.models.places import Commodity
from meters.services.file_imports import AUTO, ImportOptions, import_file
from meters.services.imports import ImportReport

_MOST_LINES_SHOWN = 100


class Command(BaseCommand):
    """Take the good half of a file in, and tell of every bad line."""

    help = (
        "Read register readings and half-hours from a CSV, NEM12/NEM13 or Green Button file, also one that is packed "
        "(.gz); exit with 1 when a line was bad."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file, its format, and what it does not say itself."""
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--format", choices=[AUTO, *FileFormat], default=AUTO, help="default: by how it begins")
        parser.add_argument("--source", metavar="NAME", help="the data source that the readings come from")
        parser.add_argument(
            "--zone", default="", help="of CSV times without an offset; the source's, or the site's, unless told"
        )
        labels = [each.replace("_", "-") for each in LabelConvention]
        parser.add_argument(
            "--labels", choices=labels, default="", help="what CSV times name; the source's, or period-end"
        )
        parser.add_argument("--meter", default="", metavar="SERIAL", help="the meter where the file names none")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="NAME=HEADING",
            help=f"of a CSV: {', '.join(COLUMNS)}; time=DATE+HOUR joins two columns",
        )
        parser.add_argument("--unit", default="", help="of CSV values whose row names none")
        parser.add_argument("--scale", default="1", metavar="FACTOR", help="what CSV values are multiplied by")
        parser.add_argument(
            "--interval", type=int, default=0, metavar="MINUTES", help="CSV rows without a start count this long"
        )
        parser.add_argument("--create-meters", action="store_true", help="make meters and registers that nobody knows")
        parser.add_argument(
            "--commodity", choices=Commodity.values, default="", help="of made registers whose code does not tell it"
        )
        parser.add_argument("--dry-run", action="store_true", help="judge each batch as if it came alone, keep nothing")
        parser.add_argument("--json", action="store_true", help="print the whole report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was stored, and why what was not was not.

        :raises CommandError: a bad option or no such file (2), or a line that was bad (1).
        """
        try:
            report = self._import(options)
        except (DomainError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(report), ensure_ascii=False))
        else:
            self._tell(report, dry_run=options["dry_run"])
        if not report.is_whole:
            lines = len({each.line for each in report.problems})
            raise CommandError(f"{lines:,} lines were bad or need a decision.", returncode=1)

    def _import(self, options: dict[str, Any]) -> ImportReport:
        source, path = _source(options["source"]), options["file"]
        console = Console(stderr=True)
        with _bar(console, hidden=options["json"]) as progress, path.open("rb") as file:
            task = progress.add_task(path.name, total=path.stat().st_size)
            return import_file(
                file=file,
                name=path.name,
                options=_told(options),
                actor=Actor(source=source) if source else PORTAL,
                now=timezone.now(),
                progress=lambda done: progress.update(task, completed=done),
            )

    def _tell(self, report: ImportReport, *, dry_run: bool) -> None:
        for each in report.problems[:_MOST_LINES_SHOWN]:
            times = f" ({each.count} values)" if each.count > 1 else ""
            self.stdout.write(f"line {each.line}: {each.code}{times}: {each.detail}")
        if (more := len(report.problems) - _MOST_LINES_SHOWN) > 0:
            self.stdout.write(f"{more} more are in the report of --json.")
        if report.meters_created:
            self.stdout.write(f"Meters made: {report.meters_created:,}.")
        self.stdout.write(
            f"{'Would be stored' if dry_run else 'Stored'} {report.stored:,}, duplicates {report.duplicates:,}, "
            f"conflicts {report.conflicts:,}, waiting for a decision {report.quarantined:,}, "
            f"rejected {report.rejected:,}."
        )


def _source(name: str | None) -> DataSource | None:
    if not name:
        return None
    source: DataSource | None = DataSource.objects.filter(name=name, revoked_at__isnull=True).first()
    if source is None:
        raise CommandError(f"There is no data source called {name}.", returncode=2)
    return source


def _told(options: dict[str, Any]) -> ImportOptions:
    columns = dict(each.partition("=")[::2] for each in options["column"])
    return ImportOptions(
        format=options["format"],
        zone=options["zone"],
        labels=options["labels"],
        serial=options["meter"],
        unit=options["unit"],
        scale=options["scale"],
        interval_minutes=options["interval"],
        columns=columns,
        commodity=options["commodity"],
        create_meters=options["create_meters"],
        dry_run=options["dry_run"],
    )


def _bar(console: Console, *, hidden: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=hidden or not console.is_terminal,
    )
