"""Back up the database, the archive and the uploaded files into a folder."""

from typing import Any

from django.core.management import CommandParser
from django.utils import timezone

from energy_portal.management.safekeeping.backup import take_backup
from energy_portal.management.safekeeping.command import SafekeepingCommand
from energy_portal.management.safekeeping.steps import Steps


class Command(SafekeepingCommand):
    """Take a backup; the portal may run meanwhile."""

    help = "Back up database, archive and uploaded files into a folder that is new or empty; the portal may run."

    def add_arguments(self, parser: CommandParser) -> None:
        """Let a person decide about the signing key."""
        super().add_arguments(parser)
        parser.add_argument("--with-secret", action="store_true", help="also the signing key: keep the backup safe")

    def run(self, options: dict[str, Any], steps: Steps) -> None:
        """Take it and say what it holds."""
        manifest = take_backup(options["folder"], with_secret=options["with_secret"], now=timezone.now(), steps=steps)
        rows = sum(manifest.inventory.rows.values())
        if options["json"]:
            self.say_json(
                {
                    "folder": str(options["folder"].resolve()),
                    "taken_at": manifest.taken_at.isoformat(),
                    "tables": len(manifest.inventory.rows),
                    "rows": rows,
                    "files": len(manifest.files),
                    "bytes": manifest.bytes,
                }
            )
            return
        self.console().print(
            f"{rows:,} rows of {len(manifest.inventory.rows)} tables in {len(manifest.files)} files, "
            f"{manifest.bytes / 1e6:,.1f} MB, in {options['folder']}."
        )
