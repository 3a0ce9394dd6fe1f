"""Move closed months of readings, or days of device samples, into the archive."""

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actors import PORTAL
from energy_portal.management.archive_progress import progress_shown
from energy_portal.shared.errors import DomainError
from meters.devices.services.retention import DaysReport, archive_days, plan_days
from meters.services.archive_runs import ArchiveReport, archive_and_prepare, plan_archive


class Command(BaseCommand):
    """Archive, take late values in, and make the coming partitions; run again, it does nothing."""

    help = (
        "Move closed months of readings, or days of device samples, into compressed files, which every question is "
        "still answered from."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what is archived, the limit, and whether to look only."""
        parser.add_argument("--devices", action="store_true", help="days of device samples instead of readings")
        parser.add_argument(
            "--until",
            type=date.fromisoformat,
            metavar="DAY",
            help="archive the months or days (UTC) that end by it; unless told, what is older than "
            "READING_RETENTION_MONTHS or DEVICE_RETENTION_DAYS",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Archive and say what moved.

        :raises CommandError: another run is at work, or a file could not be proved.
        """
        now, until = timezone.now(), options["until"]
        plan, archive = (plan_days, archive_days) if options["devices"] else (plan_archive, archive_and_prepare)
        try:
            if options["dry_run"]:
                report = plan(now=now, until=until)
            else:
                with progress_shown(hidden=options["json"]) as tell:
                    report = archive(actor=PORTAL, now=now, until=until, tell=tell)
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), ensure_ascii=False))
        else:
            self._tell(report, *(("samples", "day") if options["devices"] else ("readings", "month")))

    def _tell(self, report: ArchiveReport, rows: str, noun: str) -> None:
        for planned in report.planned:
            self.stdout.write(f"{planned.part}: {planned.rows:,} {rows} would be archived.")
        for part in report.archived:
            self.stdout.write(f"{part.part}: {part.rows:,} {rows}, {part.bytes / 1e6:,.1f} MB, in {part.path}.")
        if report.late_values:
            said = f"Late {rows} that wait" if report.dry_run else f"Late {rows} taken in"
            self.stdout.write(f"{said}: {report.late_values:,}.")
        if report.partitions_made:
            self.stdout.write(f"Partitions made: {', '.join(report.partitions_made)}.")
        if isinstance(report, DaysReport) and report.waiting:
            self.stdout.write(f"Their hours are still to be rolled up: {', '.join(report.waiting)}.")
        if report.idle:
            self.stdout.write(f"Nothing to do: no {noun} that ends by {report.before:%Y-%m-%d} is in the database.")
