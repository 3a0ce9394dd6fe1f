"""Put archived months of readings, or days of device samples, back into the database."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actors import PORTAL
from energy_portal.management.archive_progress import progress_shown
from energy_portal.shared.errors import DomainError
from meters.devices.services.retention import restore_days
from meters.services.archive_runs import restore_months
from meters.services.archiving import ALL, PartMoved, Tell


class Command(BaseCommand):
    """Restore one month or day, or all."""

    help = "Put an archived month of readings, or day of device samples, or all of them, back into the database."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the month or the day, and what becomes of its file."""
        parser.add_argument(
            "part",
            metavar=f"MONTH|DAY|{ALL}",
            help="a month (UTC) such as 2025-02, or a day such as 2025-02-01, or all",
        )
        parser.add_argument("--devices", action="store_true", help="days of device samples instead of readings")
        parser.add_argument("--keep", action="store_true", help="leave the file in the archive folder")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore and say what came back.

        :raises CommandError: the month or day is not archived, its file is damaged, or another run is at work.
        """
        try:
            with progress_shown(hidden=options["json"]) as tell:
                moved = self._restore(options, tell)
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"restored": [each.as_json() for each in moved]}, ensure_ascii=False))
            return
        rows, noun = ("samples", "day") if options["devices"] else ("readings", "month")
        for part in moved:
            self.stdout.write(f"{part.part}: {part.rows:,} {rows} are back in the database.")
        if not moved:
            self.stdout.write(f"Nothing to do: no {noun} is archived.")

    def _restore(self, options: dict[str, Any], tell: Tell) -> list[PartMoved]:
        now, keep = timezone.now(), options["keep"]
        if options["devices"]:
            return restore_days(day=options["part"], actor=PORTAL, now=now, keep=keep, tell=tell)
        return restore_months(month=options["part"], actor=PORTAL, now=now, keep=keep, tell=tell)
