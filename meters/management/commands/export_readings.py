"""Write what a meter showed or counted into a file."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from energy_portal.shared.clock import Period, local_day
from energy_portal.shared.errors import DomainError
from meters.formats.writing import ExportFormat
from meters.models import Meter
from meters.selectors.consumption import meter_zone
from meters.selectors.exports import export


class Command(BaseCommand):
    """Print a file of one meter's readings."""

    help = "Write what a meter's registers hold (CSV, Parquet), or its half-hours (NEM12, Green Button), of local days."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the meter, the days and the format."""
        parser.add_argument("serial", metavar="SERIAL")
        parser.add_argument("--from", dest="first", required=True, type=date.fromisoformat, metavar="DAY")
        parser.add_argument(
            "--to", dest="end", required=True, type=date.fromisoformat, metavar="DAY", help="the day after the last"
        )
        parser.add_argument("--format", choices=list(ExportFormat), type=ExportFormat, default=ExportFormat.CSV)
        parser.add_argument("--output", type=Path, metavar="FILE", help="standard output unless told")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file.

        :raises CommandError: no such meter, days in the wrong order, what the format cannot hold, or a bad output.
        """
        if options["format"] == ExportFormat.PARQUET and options["output"] is None:
            raise CommandError("Parquet is no text: name a file with --output.")
        meter: Meter | None = Meter.objects.filter(serial=options["serial"]).first()
        if meter is None:
            raise CommandError(f"No meter has the serial {options['serial']}.")
        chunks = export(
            meter=meter,
            period=_days(meter, options["first"], options["end"]),
            file_format=ExportFormat(options["format"]),
            now=timezone.now(),
        )
        try:
            self._write(chunks, options["output"])
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error

    def _write(self, chunks: Iterator[bytes], output: Path | None) -> None:
        if output is None:
            for chunk in chunks:
                self.stdout.write(chunk.decode(), ending="")
        else:
            with output.open("wb") as file, _bar() as progress:
                task = progress.add_task(output.name, total=None)
                for chunk in chunks:
                    file.write(chunk)
                    progress.advance(task, len(chunk))


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _days(meter: Meter, first: date, end: date) -> Period:
    zone = meter_zone(meter=meter)
    if end <= first:
        raise CommandError("--to is later than --from.")
    begin: datetime = local_day(first, zone).start
    return Period(begin, local_day(end, zone).start)
