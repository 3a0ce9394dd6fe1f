from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actors import PORTAL
from accounts.models import DataSource
from accounts.roles import Scope
from accounts.services.sources import create_source
from energy_portal.shared.errors import DomainError


class Command(BaseCommand):
    help = "Admit a machine that pushes data or asks for it, and print its key, which is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name, what the key opens, and how the source writes its stamps."""
        parser.add_argument("name")
        parser.add_argument("--scope", action="append", required=True, choices=Scope.values, dest="scopes")
        conventions = [value.replace("_", "-") for value in DataSource.LabelConvention.values]
        parser.add_argument("--labels", choices=conventions, default=conventions[0], help="what its stamps name")
        parser.add_argument("--zone", default="", help="of stamps without an offset; the premises' own unless told")
        parser.add_argument("--may-create-devices", action="store_true")
        parser.add_argument("--messages-per-minute", type=int, help="the portal's default unless told")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key alone on standard output, so that a script can keep it."""
        try:
            source, key = create_source(
                name=options["name"],
                scopes=options["scopes"],
                label_convention=options["labels"].replace("-", "_"),
                zone=options["zone"],
                may_create_devices=options["may_create_devices"],
                messages_per_minute=options["messages_per_minute"],
                actor=PORTAL,
                now=timezone.now(),
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"{source.name} may use {', '.join(source.scopes)}. Its key, shown this once:")
        self.stdout.write(key)
