"""Restore a backup into the configured database and folders."""

from typing import Any

from django.core.management import CommandParser
from django.utils import timezone

from energy_portal.management.safekeeping.command import SafekeepingCommand
from energy_portal.management.safekeeping.restore import Restored, restore_backup
from energy_portal.management.safekeeping.steps import Steps


class Command(SafekeepingCommand):
    """Put a backup in the place of what is there, or change nothing."""

    help = "Restore a backup into the configured database and folders, or change nothing; stop the portal first."
    alone = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Let a person decide about what is there, and about the signing key."""
        super().add_arguments(parser)
        parser.add_argument("--force", action="store_true", help="also over data, which are kept under another name")
        parser.add_argument("--drop-old", action="store_true", help="do not keep what was replaced")
        parser.add_argument("--with-secret", action="store_true", help="put back the signing key too")

    def run(self, options: dict[str, Any], steps: Steps) -> None:
        """Restore and say what was replaced."""
        restored = restore_backup(
            options["folder"],
            force=options["force"],
            drop_old=options["drop_old"],
            with_secret=options["with_secret"],
            now=timezone.now(),
            steps=steps,
        )
        if options["json"]:
            self.say_json(
                {
                    "taken_at": restored.manifest.taken_at.isoformat(),
                    "rows": sum(restored.manifest.inventory.rows.values()),
                    "old_database": restored.old_database,
                    "old_folders": [str(folder) for folder in restored.old_folders],
                    "migrations_to_run": list(restored.migrations_to_run),
                }
            )
            return
        self._tell(restored)

    def _tell(self, restored: Restored) -> None:
        console = self.console()
        console.print(f"The backup of {restored.manifest.taken_at:%Y-%m-%d %H:%M} UTC is restored.")
        if restored.old_database:
            console.print(f"The old database is kept as {restored.old_database}: drop it when it is not missed.")
        for folder in restored.old_folders:
            console.print(f"The old files are kept in {folder}.")
        if restored.migrations_to_run:
            console.print(f"It lacks {len(restored.migrations_to_run)} migrations: run `manage.py migrate`.")
