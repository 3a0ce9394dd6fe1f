from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actors import PORTAL
from accounts.selectors.sources import public_id_of
from accounts.services.sources import OLD_KEY_LIFETIME, rotate_key
from energy_portal.shared.errors import DomainError


class Command(BaseCommand):
    help = "Make a new key for a data source and print it once; the key in use lapses after some days."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the source's name and how long its key in use stays valid."""
        parser.add_argument("name")
        parser.add_argument(
            "--keep-days", type=int, default=OLD_KEY_LIFETIME.days, help="how long the key in use stays valid"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key alone on standard output, so that a script can keep it."""
        source_id = public_id_of(options["name"])
        if source_id is None:
            raise CommandError(f"There is no data source called {options['name']}.")
        if options["keep_days"] < 0:
            raise CommandError("--keep-days is 0 or more.")
        lifetime = timedelta(days=options["keep_days"])
        now = timezone.now()
        try:
            key = rotate_key(source_id=source_id, old_key_lifetime=lifetime, actor=PORTAL, now=now)
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"The key in use works until {now + lifetime:%Y-%m-%d %H:%M} UTC. The new one, this once:")
        self.stdout.write(key)
