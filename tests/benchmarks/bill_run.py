"""How many monthly bills a second one process drafts, prices and issues, half-hourly readings behind each.

The tariff has two prices by the hour of weekdays and weekends, tiers over all hours, and a price a day; then comes tax.
Against: the same rows of bills and lines inserted by one bare statement each. ``BILL_RUN_ACCOUNTS`` sets the size.
"""

import os
import time
from datetime import UTC, datetime
from decimal import Decimal

from tests.benchmarks.harness import portal, report

ACCOUNTS = int(os.environ.get("BILL_RUN_ACCOUNTS", "3000"))
MONTH, NOW = "2025-02", datetime(2025, 3, 2, tzinfo=UTC)
FIRST_MARK, LAST_MARK = datetime(2025, 1, 31, 16, tzinfo=UTC), datetime(2025, 2, 28, 16, tzinfo=UTC)
LINES_A_BILL = 7

_WIPE = "TRUNCATE accounts_customeraccount, accounts_premises, meters_meter, meters_servicepoint, billing_billrun,"
_WIPE += " billing_billnumberseries, billing_tariff, billing_tax, meters_registerreading CASCADE"
_READINGS = """
INSERT INTO meters_registerreading (register_id, time, value, quality)
SELECT register.id, mark, 1000 + register.id %% 7 + 0.35 * number + 0.005 * (number %% 48), 17
FROM generate_series(%(first)s::timestamptz, %(last)s, '30 minutes') WITH ORDINALITY AS mark (mark, number),
     meters_register AS register
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
        from billing.models import Bill, BillLine
        from billing.services.runs import process_run, start_month
        from energy_portal.shared.clock import YearMonth

        seed()
        run = start_month(month=YearMonth.parse(MONTH), actor=PORTAL, now=NOW)
        started = time.perf_counter()
        process_run(run_id=run.pk, now=NOW)
        rate = ACCOUNTS / (time.perf_counter() - started)
        issued, lines = Bill.objects.filter(status="issued").count(), BillLine.objects.count()
        if (issued, lines) != (ACCOUNTS, LINES_A_BILL * ACCOUNTS):
            raise SystemExit(f"{issued} of {ACCOUNTS} bills were issued, with {lines} lines.")
        bare = ACCOUNTS / timed(_BARE)
        report("bill_run", round(rate, 1), "bills/s", ratio=round(rate / bare, 4), against="bare insert", n=ACCOUNTS)


def seed() -> None:
    """Replace what is there by accounts with one meter each and a month of half-hourly readings."""
    from django.db import connection

    from meters.series.partitions import ensure_partitions
    from meters.store import REGISTER_READINGS
    from tests.factories import supplied_register

    timed(_WIPE)
    add_tariff()
    for _ in range(ACCOUNTS):
        supplied_register()
    ensure_partitions(REGISTER_READINGS, [FIRST_MARK, LAST_MARK], floor=FIRST_MARK, ceiling=LAST_MARK)
    with connection.cursor() as cursor:
        cursor.execute(_READINGS, {"first": FIRST_MARK, "last": LAST_MARK})
        cursor.execute("VACUUM ANALYZE")


def add_tariff() -> None:
    """Make the default tariff: by the hour, by tiers, by the day, and taxed."""
    from billing.models import TariffComponent
    from billing.rating.terms import EnergyTerms, FixedTerms, Kind, Per, RatePeriod, Tier, encode
    from tests.factories import TariffVersionFactory, TaxVersionFactory

    version = TariffVersionFactory(
        tariff__is_default=True, tariff__tax=TaxVersionFactory(rate=Decimal("0.09")).tax, name="2025 Q1"
    )
    version.components.all().delete()
    busy = (*(0,) * 7, *(1,) * 16, 0)
    periods = tuple(
        RatePeriod(name, (Tier(None, Decimal(rate)),)) for name, rate in (("Off-peak", "0.1825"), ("On-peak", "0.3050"))
    )
    tiers = (Tier(Decimal(200), Decimal("0.02")), Tier(Decimal(400), Decimal("0.045")), Tier(None, Decimal("0.08")))
    charged = [
        (Kind.ENERGY, "Energy", EnergyTerms(periods, weekday=(busy,) * 12, weekend=((0,) * 24,) * 12)),
        (Kind.ENERGY, "Adder", EnergyTerms((RatePeriod("", tiers),))),
        (Kind.FIXED, "Service", FixedTerms(Decimal("0.2750"), Per.DAY)),
    ]
    for position, (kind, name, terms) in enumerate(charged, start=1):
        TariffComponent.objects.create(version=version, position=position, kind=kind, name=name, terms=encode(terms))


def timed(sql: str) -> float:
    """Run SQL and return how many seconds it took."""
    from django.db import connection

    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(sql)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
