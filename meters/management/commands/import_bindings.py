"""Bind accounts to meters by a mapping file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from accounts.actors import PORTAL
from energy_portal.shared.errors import DomainError
from meters.services.bindings_import import BindingsReport, import_bindings_file

_MOST_LINES_SHOWN = 100


class Command(BaseCommand):
    """Carry the good lines of a mapping out, or rehearse all of them."""

    help = (
        "Bind accounts to the places of their meters by a CSV with account and meter columns, and optionally from, to, "
        "owner_name, address, zone and email; exit with 1 when a line was bad. Rehearse it with --dry-run first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file and what to do with it."""
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--dry-run", action="store_true", help="tell what would become of each line, write nothing")
        parser.add_argument("--json", action="store_true", help="print the whole report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was bound, and why what was not was not.

        :raises CommandError: no such file (2), or a line that was bad (1).
        """
        try:
            report = self._import(options["file"], dry_run=options["dry_run"], hidden=options["json"])
        except (DomainError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(report), ensure_ascii=False))
        else:
            self._tell(report)
        if not report.is_whole:
            raise CommandError(f"{sum(report.problems_by_code.values()):,} lines were bad.", returncode=1)

    def _import(self, path: Path, *, dry_run: bool, hidden: bool) -> BindingsReport:
        console = Console(stderr=True)
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=hidden or not console.is_terminal,
        )
        with bar, path.open("rb") as file:
            task = bar.add_task(path.name, total=path.stat().st_size)
            return import_bindings_file(
                file=file,
                actor=PORTAL,
                now=timezone.now(),
                dry_run=dry_run,
                progress=lambda done: bar.update(task, completed=done),
            )

    def _tell(self, report: BindingsReport) -> None:
        for each in report.problems[:_MOST_LINES_SHOWN]:
            self.stdout.write(f"line {each.line}: {each.code}: {each.detail}")
        if (more := len(report.problems) - _MOST_LINES_SHOWN) > 0:
            self.stdout.write(f"{more} more are in the report of --json.")
        self.stdout.write(
            f"{'Would be bound' if report.dry_run else 'Bound'} {report.bound:,}, unchanged {report.unchanged:,}, "
            f"accounts opened {report.accounts_created:,}, of {report.lines:,} lines."
        )
