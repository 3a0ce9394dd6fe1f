"""Read temperatures in from a CSV."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actors import PORTAL
from energy_portal.shared.errors import DomainError
from meters.insights.services.weather import import_weather


class Command(BaseCommand):
    """Keep the good lines, and say which were bad."""

    help = (
        "Keep temperatures from a CSV with the columns time (the start of a half-hour) and temperature_c, and "
        "optionally known_at and region; exit with 1 when a line was bad."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file, and what lines leave out."""
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--region", help="of lines that name none; by default they are of all regions")
        parser.add_argument("--zone", default="", help="of times without an offset; by default the portal's own")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many were kept.

        :raises CommandError: no such file, region or zone (2), or a line that was bad (1).
        """
        try:
            with options["file"].open(newline="", encoding="utf-8-sig") as file:
                report = import_weather(
                    file=file, region=options["region"], zone=options["zone"], actor=PORTAL, now=timezone.now()
                )
        except (DomainError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        for number, problem in report.problems:
            self.stdout.write(f"line {number}: {problem}")
        self.stdout.write(f"{report.kept:,} temperatures were kept.")
        if report.bad:
            raise CommandError(f"{report.bad:,} lines were bad.", returncode=1)
