"""Processes that move months or days between database and archive, and are killed at a step that they are told.

``python -m tests.meters.archiver`` reads a line of JSON a process, ``{"act", "step", "database", "folder"}``, forks it,
and prints its exit code: -9 where it got as far as the step, which is none of our business where it is empty.
"""

import json
import os
import signal
import sys
from datetime import UTC, date, datetime
from pathlib import Path

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
UNTIL = date(2025, 3, 1)
DAYS_UNTIL = date(2025, 3, 3)


def act(order: dict[str, str]) -> None:
    from django.conf import settings
    from django.db import connection

    from accounts.actors import PORTAL
    from meters.devices.services.retention import archive_days, restore_days
    from meters.services.archive_runs import archive_and_prepare, restore_months

    connection.settings_dict["NAME"] = order["database"]
    settings.ARCHIVE_DIR = Path(order["folder"])

    def tell(step) -> None:
        if step.name == order["step"] and (step.name != "exporting" or step.done):
            os.kill(os.getpid(), signal.SIGKILL)

    whose = {"actor": PORTAL, "now": NOW, "tell": tell}
    acts = {
        "archive": lambda: archive_and_prepare(until=UNTIL, **whose),
        "restore": lambda: restore_months(month="all", **whose),
        "archive days": lambda: archive_days(until=DAYS_UNTIL, **whose),
        "restore days": lambda: restore_days(day="all", **whose),
    }
    acts[order["act"]]()


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "energy_portal.settings.test")
    import django

    django.setup()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            act(json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
