"""Load a year of believable demo data, with a login for each role."""

import time
from typing import IO, Any, cast

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console

from energy_portal.management.demo import store
from energy_portal.management.demo.load import Loaded, bars, load
from energy_portal.management.demo.state import Stage, stage, wipe
from energy_portal.management.services import services_at_hand
from energy_portal.shared.clock import zone

_FEWEST_DAYS, _MOST_DAYS, _MOST_ACCOUNTS = 1, 1_800, 500


class Command(BaseCommand):
    """Load demo data once; with --wipe, anew."""

    help = "Load a year of believable demo data, with a login for each role."

    def add_arguments(self, parser: CommandParser) -> None:
        """Let a person decide how much, and whether to begin anew."""
        parser.add_argument("--wipe", action="store_true", help="empty the portal first, and load the data anew")
        parser.add_argument("--accounts", type=int, default=24, metavar="N", help="households (default: 24)")
        parser.add_argument("--days", type=int, default=365, metavar="D", help="days of history (default: 365)")
        parser.add_argument("--force", action="store_true", help="also in production, and over accounts of one's own")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load unless the data are there.

        :raises CommandError: production, or accounts that are not the demo's, without --force; or a bad number.
        """
        self._check(options)
        with services_at_hand(), store.only_loader() as alone:
            if not alone:
                raise CommandError("Another process loads demo data into this database: wait for its end.")
            found = stage()
            if found is Stage.LOADED and not options["wipe"]:
                self.stdout.write("Demo data are there; `manage.py demo --wipe` loads them anew.")
                return
            if found is Stage.FOREIGN and not options["wipe"]:
                self.stdout.write("The portal holds accounts of its own: no demo data were loaded.")
                return
            if found is Stage.FOREIGN and not options["force"]:
                raise CommandError("The portal holds accounts of its own; --force empties it all the same.")
            if found is not Stage.EMPTY or options["wipe"]:
                wipe()
            self._load(options)

    def _check(self, options: dict[str, Any]) -> None:
        # Of all settings only those of production send everybody to HTTPS.
        if settings.SECURE_SSL_REDIRECT and not options["force"]:
            raise CommandError("These are production settings; --force loads demo data all the same.")
        if not 1 <= options["accounts"] <= _MOST_ACCOUNTS:
            raise CommandError(f"--accounts must be from 1 to {_MOST_ACCOUNTS}.")
        if not _FEWEST_DAYS <= options["days"] <= _MOST_DAYS:
            raise CommandError(f"--days must be from {_FEWEST_DAYS} to {_MOST_DAYS}.")

    def _load(self, options: dict[str, Any]) -> None:
        self.stdout.ending = ""  # rich ends its own lines, and overwrites them
        console = Console(file=cast("IO[str]", self.stdout), highlight=False)
        began = time.monotonic()
        with bars(console) as progress:
            loaded = load(
                accounts=options["accounts"],
                days=options["days"],
                now=timezone.now(),
                zone=zone(settings.SITE_ZONE),
                home=settings.PORTAL_HOME,
                progress=progress,
            )
        _tell(console, loaded, time.monotonic() - began)


def _tell(console: Console, loaded: Loaded, seconds: float) -> None:
    console.print(
        f"{loaded.accounts} accounts, {loaded.readings:,} readings, {loaded.months} months of bills, "
        f"{loaded.devices} devices and {loaded.assignments} assignments in {seconds:.0f} s. Log in as:"
    )
    for login in loaded.logins:
        line = f"{login.role:<15}{login.email:<26}{login.password:<16}  {settings.PORTAL_URL}{login.path}"
        console.print(line, soft_wrap=True)
    console.print(f"The key of the data source {loaded.source.name}: {loaded.source.key}", soft_wrap=True)
