"""Put archived months of readings back into the database."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actors import PORTAL
from energy_portal.management.archive_progress import progress_shown
from energy_portal.shared.errors import DomainError
from meters.services.archive_runs import restore_months
from meters.services.archiving import ALL


class Command(BaseCommand):
    """Restore one month, or all."""

    help = "Put an archived month of readings, or all of them, back into the database."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the month, and what becomes of its file."""
        parser.add_argument("month", metavar=f"MONTH|{ALL}", help="a month (UTC) such as 2025-02, or all")
        parser.add_argument("--keep", action="store_true", help="leave the file in the archive folder")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore and say what came back.

        :raises CommandError: the month is not archived, its file is damaged, or another run is at work.
        """
        try:
            with progress_shown(hidden=options["json"]) as tell:
                moved = restore_months(
                    month=options["month"], actor=PORTAL, now=timezone.now(), keep=options["keep"], tell=tell
                )
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"restored": [each.as_json() for each in moved]}, ensure_ascii=False))
            return
        for month in moved:
            self.stdout.write(f"{month.part}: {month.rows:,} readings are back in the database.")
        if not moved:
            self.stdout.write("Nothing to do: no month is archived.")
