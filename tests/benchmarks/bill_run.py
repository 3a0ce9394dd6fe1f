"""How many monthly bills a second one process drafts, prices and issues, half-hourly readings behind each.

Against: the same rows of bills and lines inserted by one bare statement each. ``BILL_RUN_ACCOUNTS`` sets the size.
"""

import os
import time
from datetime import UTC, datetime

from tests.benchmarks.harness import portal, report

ACCOUNTS = int(os.environ.get("BILL_RUN_ACCOUNTS", "1000"))
MONTH, NOW = "2025-02", datetime(2025, 3, 2, tzinfo=UTC)
FIRST_MARK, LAST_MARK = datetime(2025, 1, 31, 16, tzinfo=UTC), datetime(2025, 2, 28, 16, tzinfo=UTC)

_WIPE = "TRUNCATE accounts_customeraccount, accounts_premises, meters_meter, meters_servicepoint, billing_billrun,"
_WIPE += " billing_billnumberseries, meters_registerreading CASCADE"
_READINGS = """
INSERT INTO meters_registerreading (register_id, time, value, quality)
SELECT register.id, mark, 1000 + register.id %% 7 + 0.35 * (extract(epoch FROM mark - %(first)s) / 1800), 17
FROM meters_register AS register, generate_series(%(first)s::timestamptz, %(last)s, '30 minutes') AS mark
"""
_BARE = """
CREATE TEMPORARY TABLE bare_bill (LIKE billing_bill INCLUDING ALL);
CREATE TEMPORARY TABLE bare_line (LIKE billing_billline INCLUDING ALL);
INSERT INTO bare_bill SELECT * FROM billing_bill;
INSERT INTO bare_line SELECT * FROM billing_billline;
"""


def main() -> None:
    """Seed, run, and report bills a second."""
    with portal():
        from accounts.actors import PORTAL
        from billing.models import Bill
        from billing.services.runs import process_run, start_month
        from energy_portal.shared.clock import YearMonth

        seed()
        run = start_month(month=YearMonth.parse(MONTH), actor=PORTAL, now=NOW)
        started = time.perf_counter()
        process_run(run_id=run.pk, now=NOW)
        rate = ACCOUNTS / (time.perf_counter() - started)
        issued = Bill.objects.filter(status="issued").count()
        if issued != ACCOUNTS:
            raise SystemExit(f"{issued} of {ACCOUNTS} bills were issued.")
        bare = ACCOUNTS / timed(_BARE)
        report("bill_run", round(rate, 1), "bills/s", ratio=round(rate / bare, 4), against="bare insert", n=ACCOUNTS)


def seed() -> None:
    """Replace what is there by accounts with one meter each and a month of half-hourly readings."""
    from django.db import connection

    from billing.services.tariffs import load_singapore_tariff
    from meters.series.partitions import ensure_partitions
    from meters.store import REGISTER_READINGS
    from tests.factories import supplied_register

    timed(_WIPE)
    load_singapore_tariff()
    for _ in range(ACCOUNTS):
        supplied_register()
    ensure_partitions(REGISTER_READINGS, [FIRST_MARK, LAST_MARK], floor=FIRST_MARK, ceiling=LAST_MARK)
    with connection.cursor() as cursor:
        cursor.execute(_READINGS, {"first": FIRST_MARK, "last": LAST_MARK})
        cursor.execute("ANALYZE")


def timed(sql: str) -> float:
    """Run SQL and return how many seconds it took."""
    from django.db import connection

    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(sql)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
