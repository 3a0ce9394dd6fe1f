"""Take in what devices publish by MQTT, and publish commands and alerts."""

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from meters.devices.gateway.service import Gateway


class Command(BaseCommand):
    """Run a gateway until Ctrl-C or SIGTERM."""

    help = "Take in what devices publish by MQTT, and publish commands and alerts, until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the gateway's name."""
        parser.add_argument(
            "--name",
            default="1",
            help="one a gateway, the same at every start: the broker keeps by it what comes meanwhile (default: 1)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run.

        :raises CommandError: a part of it failed; the log says why.
        """
        gateway = Gateway(options["name"])
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_of: gateway.end())
        if not gateway.run():
            raise CommandError("The gateway failed; the log says why.")
