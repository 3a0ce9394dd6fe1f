"""What the three commands share: services at hand, steps on the terminal, results for a person or a machine."""

import json
import signal
import sys
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import psycopg
from django.core.management import BaseCommand, CommandError, CommandParser
from rich.console import Console

from energy_portal.embedded.home import HomeInUse
from energy_portal.embedded.processes import ServiceFailed
from energy_portal.management.safekeeping.errors import SafekeepingFailed
from energy_portal.management.safekeeping.steps import Steps
from energy_portal.management.services import services_alone, services_at_hand


class SafekeepingCommand(BaseCommand):
    """A command on a backup's folder; ``alone`` is one that may not run beside the portal."""

    requires_system_checks = ()
    alone: ClassVar[bool] = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the folder, and whether a machine reads the answer."""
        parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the backup")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run with the database at hand; Ctrl-C and SIGTERM leave nothing behind.

        :raises CommandError: it was not done.
        """
        services = services_alone if self.alone else services_at_hand
        try:
            with _terminable(), services(), Steps.shown(Console(file=sys.stderr)) as steps:
                self.run(options, steps)
        except KeyboardInterrupt:
            raise CommandError("Interrupted.", returncode=130) from None
        except HomeInUse as error:
            raise CommandError(f"{error} Stop the portal first.") from error
        except (SafekeepingFailed, ServiceFailed) as error:
            raise CommandError(str(error)) from error
        except psycopg.Error as error:
            raise CommandError(f"The database refused: {str(error).strip()}") from error

    @abstractmethod
    def run(self, options: dict[str, Any], steps: Steps) -> None:
        """Do the command's work.

        :raises SafekeepingFailed: it was not done.
        """

    def console(self) -> Console:
        """Return a console on this command's output."""
        self.stdout.ending = ""  # rich ends its own lines
        return Console(file=cast("IO[str]", self.stdout), highlight=False, soft_wrap=True)

    def say_json(self, result: dict[str, Any]) -> None:
        """Print a result for a machine."""
        self.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")


@contextmanager
def _terminable() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
