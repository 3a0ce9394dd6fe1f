"""How long the server takes for each page of customers, each list of the API and each list of the admin.

At ``PAGES_ACCOUNTS`` accounts (10,000 unless told), each with a meter, two months of readings and a bill. The figure is
the 95th percentile of the slowest, in this process, without a network. Against: the same at a tenth of the accounts.
Each one goes to standard error, with how many queries it asks; it fails where their number grows with the accounts.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from tests.benchmarks.harness import portal, report

ACCOUNTS = int(os.environ.get("PAGES_ACCOUNTS", "10000"))
REQUESTS, WARM_UP = 20, 3
DAYS = 62

_WIPE = "TRUNCATE accounts_user, accounts_customeraccount, accounts_premises, meters_meter, meters_servicepoint,"
_WIPE += " meters_registerreading, meters_registerday, meters_readingwork, billing_billrun, billing_billnumberseries,"
_WIPE += " billing_tariff, billing_tax CASCADE"
_SUPPLIED = """
INSERT INTO accounts_customeraccount (id, number, owner_name, email, address, zone, status, created_at, updated_at)
    SELECT gen_random_uuid(), 'B-' || n, 'Customer ' || n, 'b' || n || '@example.org', 'Street ' || n,
        'Asia/Singapore', 'active', now(), now()
    FROM generate_series(%(low)s, %(high)s) AS n;
INSERT INTO accounts_premises (id, address, location_id, zone, created_at, updated_at)
    SELECT gen_random_uuid(), 'Street ' || n, 'L-' || n, 'Asia/Singapore', now(), now()
    FROM generate_series(%(low)s, %(high)s) AS n;
INSERT INTO meters_servicepoint (id, code, premises_id, commodity, service_class, greatest_rate_per_hour,
        volume_correction, status, created_at, updated_at)
    SELECT gen_random_uuid(), 'BP-' || n, premises.id, 'electric', 'residential', 13.8, 1, 'active', now(), now()
    FROM generate_series(%(low)s, %(high)s) AS n JOIN accounts_premises AS premises ON location_id = 'L-' || n;
INSERT INTO meters_meter (id, serial, type, status, priority, address, location_id, owner, estimated_time, metadata,
        created_at, updated_at)
    SELECT gen_random_uuid(), 'BM-' || n, 'electric', 'active', 'medium', '', '', '', 10, '{}', now(), now()
    FROM generate_series(%(low)s, %(high)s) AS n;
INSERT INTO meters_register (meter_id, code, direction, kind, unit, digits, decimals, multiplier, created_at)
    SELECT id, '1.8.0', 'import', 'cumulative', 'kWh', 6, 3, 1, now()
    FROM generate_series(%(low)s, %(high)s) AS n JOIN meters_meter ON serial = 'BM-' || n;
INSERT INTO meters_installation (id, meter_id, service_point_id, valid, created_at)
    SELECT gen_random_uuid(), meter.id, point.id, '[2020-01-01,)', now()
    FROM generate_series(%(low)s, %(high)s) AS n JOIN meters_meter AS meter ON serial = 'BM-' || n
    JOIN meters_servicepoint AS point ON code = 'BP-' || n;
INSERT INTO meters_binding (id, account_id, service_point_id, valid, created_at)
    SELECT gen_random_uuid(), account.id, point.id, '[2020-01-01,)', now()
    FROM generate_series(%(low)s, %(high)s) AS n JOIN accounts_customeraccount AS account ON number = 'B-' || n
    JOIN meters_servicepoint AS point ON code = 'BP-' || n;
INSERT INTO meters_registerreading (register_id, time, value, quality, received_at)
    SELECT register.id, mark, 1000 + 8 * number, 17, mark
    FROM generate_series(%(first)s::timestamptz, %(last)s::timestamptz, '1 day')
        WITH ORDINALITY AS mark (mark, number), generate_series(%(low)s, %(high)s) AS n
    JOIN meters_meter AS meter ON serial = 'BM-' || n JOIN meters_register AS register ON meter_id = meter.id;
INSERT INTO meters_registerstate (register_id, last_time, last_value)
    SELECT register.id, %(last)s, 1000 FROM generate_series(%(low)s, %(high)s) AS n
    JOIN meters_meter AS meter ON serial = 'BM-' || n JOIN meters_register AS register ON meter_id = meter.id;
INSERT INTO meters_readingexception (id, register_id, time, code, severity, detail, raw_stamp, status, opened_at, note)
    SELECT gen_random_uuid(), register.id, %(last)s, 'spike', 'flag', '', '', 'open', %(last)s, ''
    FROM generate_series(%(low)s, %(high)s, 10) AS n
    JOIN meters_meter AS meter ON serial = 'BM-' || n JOIN meters_register AS register ON meter_id = meter.id;
"""


def main() -> None:
    """Seed a tenth, ask everything, seed the rest, ask again, and report the slowest."""
    os.environ.update(THROTTLE_USER="1000000/min", ALLOWED_HOSTS="testserver", LOG_LEVEL="ERROR", DEBUG="false")
    with portal():
        from django.utils import timezone

        now = timezone.now()
        customer, desk = people(now)
        seed(1, ACCOUNTS // 10, now)
        few = dict(measured(customer, desk))
        seed(ACCOUNTS // 10 + 1, ACCOUNTS, now)
        many = dict(measured(customer, desk))
    grown = []
    for path, (p95, queries) in sorted(many.items(), key=lambda each: -each[1][0]):
        before = few.get(path, (p95, queries))
        told = {"page": path, "p95_ms": p95, "queries": queries, "p95_ms_at_a_tenth": before[0]}
        print(json.dumps(told), file=sys.stderr)
        if queries > before[1]:
            grown.append(f"{path}: {before[1]} queries became {queries}")
    worst = max(many, key=lambda path: many[path][0])
    value, tenth = many[worst][0], few[worst][0]
    figures = {"over_60_ms": sum(p95 > 60 for p95, _ in many.values()), "pages": len(many)}
    against = "a tenth of the accounts"
    report("pages", value, "ms p95", ratio=round(value / tenth, 4), against=against, n=ACCOUNTS, **figures)
    if grown:
        raise SystemExit("\n".join(grown))


def people(now: datetime) -> tuple[Any, Any]:
    """Empty the database; return a customer whose meter reports by the half-hour, and an administrator."""
    from billing.services.tariffs import load_singapore_tariff
    from tests.factories import AdminFactory, TariffVersionFactory, UserFactory
    from tests.households import home_of
    from tests.households import report as report_readings

    run(_WIPE)
    tariff = load_singapore_tariff()
    tariff.versions.all().delete()
    TariffVersionFactory(tariff=tariff)
    customer = UserFactory(role="customer")
    _, register = home_of(customer)
    last = now.replace(minute=0, second=0, microsecond=0)
    report_readings(register, start=last - timedelta(days=DAYS), until=last)
    return customer, AdminFactory()


def seed(low: int, high: int, now: datetime) -> None:
    """Add accounts by their numbers, and bill them all."""
    from accounts.actors import PORTAL
    from billing.services.runs import process_run, start_month
    from energy_portal.shared.clock import YearMonth, local_day, zone

    site = zone("Asia/Singapore")
    today = local_day(now.astimezone(site).date(), site).start
    run(_SUPPLIED, low=low, high=high, first=today - timedelta(days=DAYS), last=today)
    bills = start_month(month=YearMonth.of(now, site).previous(), actor=PORTAL, now=now)
    process_run(run_id=bills.pk, now=now)
    run("VACUUM ANALYZE")


def run(sql: str, **parameters: object) -> None:
    """Run SQL."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)


def measured(customer: Any, desk: Any) -> Iterator[tuple[str, tuple[float, int]]]:
    """Yield each path that answers, with its 95th percentile, ms, and its number of queries."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    # As a web process keeps its collector once it has started.
    gc.collect()
    gc.freeze()
    gc.set_threshold(25_000, 10, 10)
    for user, paths in ((customer, customer_paths(customer)), (desk, [*api_paths(), *admin_paths()])):
        client = Client()
        client.force_login(user)
        for path in paths:
            if client.get(path).status_code != 200:
                continue
            took = []
            for _ in range(WARM_UP + REQUESTS):
                started = time.perf_counter()
                answer = client.get(path)
                b"".join(answer) if answer.streaming else answer.content
                took.append(1000 * (time.perf_counter() - started))
            with CaptureQueriesContext(connection) as asked:
                client.get(path)
            yield path, (round(sorted(took[WARM_UP:])[REQUESTS * 95 // 100 - 1], 1), len(asked))


def customer_paths(customer: Any) -> Iterator[str]:
    """Yield the pages of customers: those without a row in their path, and those of a bill and a meter of theirs."""
    from django.urls import NoReverseMatch, reverse

    from billing import urls
    from billing.models import Bill

    account = customer.accesses.get().account
    place = account.bindings.get().service_point
    rows = {
        "bill_id": Bill.objects.get(account=account).pk,
        "meter_id": place.installations.get().meter_id,
        "serial": place.installations.get().meter.serial,
        "number": account.number,
    }
    for pattern in urls.urlpatterns:
        name = getattr(pattern, "name", None)
        if name is None:
            continue
        wanted = {key: rows[key] for key in pattern.pattern.converters if key in rows}
        try:
            yield reverse(f"billing:{name}", kwargs=wanted)
        except NoReverseMatch:
            continue


def api_paths() -> list[str]:
    """Return the lists of the API that are not of one row's own."""
    from drf_spectacular.generators import EndpointEnumerator
    from rest_framework.mixins import ListModelMixin

    asked = EndpointEnumerator().get_api_endpoints()
    lists = {path for path, _, method, view in asked if method == "GET" and issubclass(view.cls, ListModelMixin)}
    return sorted(path for path in lists if "{" not in path)


def admin_paths() -> list[str]:
    """Return the lists of the admin, and its first page."""
    from django.contrib import admin
    from django.urls import reverse

    lists = (f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry)
    return [reverse("admin:index"), *map(reverse, lists)]


if __name__ == "__main__":
    main()
