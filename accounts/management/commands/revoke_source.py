from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actors import PORTAL
from accounts.selectors.sources import public_id_of
from accounts.services.sources import revoke_source


class Command(BaseCommand):
    help = "Shut a data source out for good, with all its keys; what it sent stays."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the source's name."""
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Revoke it."""
        source_id = public_id_of(options["name"])
        if source_id is None:
            raise CommandError(f"There is no data source called {options['name']}.")
        revoke_source(source_id=source_id, actor=PORTAL, now=timezone.now())
        self.stdout.write(f"{options['name']} is revoked.")
