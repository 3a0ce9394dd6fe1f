"""Write the files by which Mosquitto checks who logs in and may use which topic."""

import csv
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actors import PORTAL
from energy_portal.shared.errors import DomainError
from meters.devices.gateway.routes import routes
from meters.devices.services.credentials import make_credential, make_missing_credentials, write_access_files

_NEW = "new-passwords.csv"


class Command(BaseCommand):
    """Make devices' logins where asked, and write passwd and acl."""

    help = "Write passwd and acl for Mosquitto, and make devices' logins where asked."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the folder, and whose logins to make first."""
        parser.add_argument("folder", type=Path, help="where passwd and acl are written")
        parser.add_argument(
            "--new", action="append", default=[], metavar="DEVICE", help="make this device a new login; prints it, once"
        )
        parser.add_argument(
            "--missing", action="store_true", help=f"make a login for every device that has none, into {_NEW}"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make and write.

        :raises CommandError: the folder cannot be written, or there is no such device.
        """
        folder: Path = options["folder"]
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for device_id in options["new"]:
                password = make_credential(device_id=device_id, actor=PORTAL, now=timezone.now())
                self.stdout.write(f"{device_id} {password}")
            if options["missing"]:
                self._make_missing(folder / _NEW)
            written = write_access_files(
                folder=folder,
                mqtt_url=settings.MQTT_URL,
                prefix=settings.MQTT_PREFIX,
                subjects={subject: route.kinds for subject, route in routes().items()},
            )
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"{written.logins:,} logins in {folder / 'passwd'}. Have Mosquitto read them: SIGHUP.")
        if written.unfit:
            self.stderr.write(f"Left out, as no login can be called so: {', '.join(map(repr, written.unfit[:20]))}")

    def _make_missing(self, path: Path) -> None:
        """Add names and passwords to a file that only its owner reads."""
        path.touch(mode=0o600)
        made = 0
        with path.open("a", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            for row in make_missing_credentials(actor=PORTAL, now=timezone.now()):
                rows.writerow(row)
                made += 1
        self.stderr.write(f"{made:,} new logins in {path}: hand them out, then delete the file.")
