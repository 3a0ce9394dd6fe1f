"""Read files of a battery's signals in."""

import json
import re
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from accounts.actors import PORTAL
from energy_portal.shared.errors import DomainError
from meters.batteries.quantities import System
from meters.batteries.services.import_report import ImportReport
from meters.batteries.services.imports import (
    EVERY_SECONDS,
    BadImportOption,
    ImportOptions,
    import_battery,
    tolerances_of,
)

_MOST_LINES_SHOWN = 20
_DURATION = re.compile(r"(\d+)\s*(s|min|m|h)?")
_SECONDS = {None: 1, "s": 1, "m": 60, "min": 60, "h": 3_600}


class Command(BaseCommand):
    """Align what files tell of a battery, and store it; run again it goes on where it was."""

    help = (
        "Read signals of a battery from CSV files (.csv, .csv.gz), folders and ZIP archives: one signal a file or "
        "several columns, each at its own rate; exit with 1 when a line was bad or a value in conflict. Memory is "
        "bounded whatever their size, and a run that was broken off goes on when it is started again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the battery, its files, and what they do not say themselves."""
        parser.add_argument("device", metavar="DEVICE", help="the battery, as it names itself")
        parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
        parser.add_argument("--convention", default="", metavar="NAME", help="the battery's own unless told")
        parser.add_argument(
            "--every", default=f"{EVERY_SECONDS}s", metavar="DURATION", help="the length of a row: 10s, 1min"
        )
        parser.add_argument("--system", choices=list(System), default="", help="take the signals of this one alone")
        parser.add_argument("--create", action="store_true", help="make the battery where there is none")
        parser.add_argument(
            "--tolerance",
            action="append",
            default=[],
            metavar="SIGNAL=SECONDS",
            help="for how long a value stands while no other comes",
        )
        parser.add_argument("--json", action="store_true", help="print the whole report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was stored, and why what was not was not.

        :raises CommandError: a bad option or no such file (2), or a line that was bad or in conflict (1).
        """
        try:
            report = self._import(options)
        except (DomainError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_dict(), ensure_ascii=False))
        else:
            self._tell(report)
        if not report.is_whole:
            raise CommandError("Lines were bad, or values in conflict with what stands.", returncode=1)

    def _import(self, options: dict[str, Any]) -> ImportReport:
        told = ImportOptions(
            every_seconds=_seconds(options["every"]),
            convention=options["convention"],
            system=options["system"],
            tolerances=tolerances_of(dict(each.partition("=")[::2] for each in options["tolerance"])),
            create=options["create"],
        )
        console = Console(stderr=True)
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=options["json"] or not console.is_terminal,
        )
        with bar:
            tasks: dict[str, Any] = {}

            def show(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bar.add_task(what, total=total)
                bar.update(tasks[what], completed=done)

            return import_battery(
                battery_id=options["device"],
                paths=options["paths"],
                options=told,
                actor=PORTAL,
                now=timezone.now(),
                progress=show,
            )

    def _tell(self, report: ImportReport) -> None:
        for file in report.files:
            for bad in file["bad"][:_MOST_LINES_SHOWN]:
                self.stdout.write(f"{file['name']} line {bad['line']}: {bad['reason']}")
            if (more := file["bad_lines"] - _MOST_LINES_SHOWN) > 0:
                self.stdout.write(f"{file['name']}: {more:,} more are bad.")
            if file["steps_back"]:
                self.stdout.write(f"{file['name']}: the clock steps back {file['steps_back']:,} times.")
        for name, reason in report.left_out.items():
            self.stdout.write(f"{name}: left out, {reason}.")
        for name, system in report.systems.items():
            for signal, told in system.signals.items():
                self.stdout.write(
                    f"  {signal}: {told['values']:,} values, {told['repeats']:,} repeats, {told['gaps']:,} gaps "
                    f"(longest {told['longest_gap_seconds']:g} s), age {told['age_seconds']['median']} s"
                )
            done = " (was done before)" if system.was_done else ""
            self.stdout.write(
                f"{name.upper()}{done}: {system.aligned:,} rows from {system.first} to {system.last}: stored "
                f"{system.stored:,}, duplicates {system.duplicates:,}, conflicts {system.conflicts:,}; stamps too old "
                f"{system.too_old:,}, in the future {system.in_future:,}."
            )


def _seconds(told: str) -> int:
    match = _DURATION.fullmatch(told.strip().lower())
    if match is None:
        raise BadImportOption(f"{told!r} is no duration: say 10s, 1min or 1h.")
    return int(match[1]) * _SECONDS[match[2]]
