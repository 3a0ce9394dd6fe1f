"""Practise a restore beside the live database, reckon the bills anew, and compare."""

from typing import Any

from django.core.management import CommandError
from rich.table import Table
from rich.text import Text

from energy_portal.management.safekeeping.command import SafekeepingCommand
from energy_portal.management.safekeeping.drill import Check, drill
from energy_portal.management.safekeeping.steps import Steps


class Command(SafekeepingCommand):
    """Restore into a temporary database, compare, drop it; exit with 1 on any difference."""

    help = "Restore a backup beside the live database, reckon its bills anew, compare, and drop it again."

    def run(self, options: dict[str, Any], steps: Steps) -> None:
        """Practise and print each comparison.

        :raises CommandError: something differs.
        """
        checks = drill(options["folder"], steps=steps)
        differing = sum(len(check.differences) for check in checks)
        if options["json"]:
            self.say_json(
                {
                    "passed": not differing,
                    "checks": [
                        {"name": check.name, "compared": check.compared, "differences": list(check.differences)}
                        for check in checks
                    ],
                }
            )
        else:
            self._tell(checks)
        if differing:
            raise CommandError(f"The drill found {differing} differences.")

    def _tell(self, checks: list[Check]) -> None:
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("check")
        table.add_column("compared", justify="right")
        table.add_column("result")
        for check in checks:
            verdict = Text(f"{len(check.differences)} differ", style="red") if check.differences else Text("same")
            table.add_row(check.name, f"{check.compared:,}", verdict)
        console = self.console()
        console.print(table)
        for check in checks:
            for difference in check.differences:
                console.print(f"{check.name}: {difference}", markup=False)
