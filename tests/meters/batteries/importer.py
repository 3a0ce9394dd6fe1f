"""An import that is killed after some rows are stored: a program on a database, of a battery, from a file."""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "energy_portal.settings.test")
    import django
    from django.conf import settings
    from django.db import connection

    django.setup()
    database, battery, path, uploads = sys.argv[1].split("|")
    connection.settings_dict["NAME"] = database
    settings.UPLOAD_DIR = Path(uploads)

    from accounts.actors import PORTAL
    from meters.batteries.services.imports import Bounds, ImportOptions, import_battery

    def die(what: str, done: int, total: int) -> None:
        if what.startswith("storing") and done > total / 2:
            os.kill(os.getpid(), signal.SIGKILL)

    import_battery(
        battery_id=battery,
        paths=[Path(path)],
        options=ImportOptions(),
        actor=PORTAL,
        now=datetime(2025, 4, 1, tzinfo=UTC),
        progress=die,
        bounds=Bounds(span_rows=300),
    )


if __name__ == "__main__":
    main()
