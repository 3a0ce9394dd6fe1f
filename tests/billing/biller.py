"""A process of its own that bills a run, two accounts a chunk: ``python -m tests.billing.biller DATABASE RUN NOW``."""

import os
import sys
from datetime import datetime
from uuid import UUID


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "energy_portal.settings.test")
    import django

    django.setup()
    from django.db import connection

    from billing.services.runs import process_run

    database, run_id, now = sys.argv[1:]
    connection.settings_dict["NAME"] = database
    process_run(run_id=UUID(run_id), now=datetime.fromisoformat(now), chunk_accounts=2)


if __name__ == "__main__":
    main()
