"""How many meters a second one process scores as their half-hours arrive, in the way of the log of writes.

Each meter has weeks of ordinary half-hours behind it, what is usual of it is learnt, the two learnt detectors are
taught, and a share has an unusual half-hour. Against: how many send within a minute where 33,000 send every half-hour
within that minute. ``ANOMALY_METERS`` sets the size.
"""

import os
import time
from datetime import UTC, datetime, timedelta

from tests.benchmarks.harness import portal, report

METERS = int(os.environ.get("ANOMALY_METERS", "1500"))
NOW = datetime(2025, 3, 31, 3, 30, tzinfo=UTC)
LEARNT_UNTIL = datetime(2025, 3, 30, 16, tzinfo=UTC)
FIRST_MARK = LEARNT_UNTIL - timedelta(weeks=5)
CITY_A_SECOND = 33_000 / 60
_WIPE = "TRUNCATE accounts_customeraccount, accounts_premises, meters_meter, meters_servicepoint, insights_baseline,"
_WIPE += " insights_anomaly, insights_detectormodel, meters_readingwork, meters_registerreading CASCADE"
# A home's day, twice as high in the evening, noise that comes with the register and the half-hour.
_READINGS = """
INSERT INTO meters_registerreading (register_id, time, value, quality)
SELECT register.id, mark, 1000 + round((sum(
    0.2 + 0.15 * (1 + sin(number * pi() / 24 - 2)) + 0.1 * abs(hashint8(number * 7919 + register.id) %% 1000) / 1000
    + CASE WHEN mark = %(last)s AND register.id %% 100 = 0 THEN 4 ELSE 0 END
) OVER (PARTITION BY register.id ORDER BY mark))::numeric, 6), 17
FROM generate_series(%(first)s::timestamptz, %(last)s, '30 minutes') WITH ORDINALITY AS mark (mark, number),
     meters_register AS register
"""


def main() -> None:
    """Seed, learn, let a half-hour arrive, and report meters a second."""
    with portal():
        from django.db import connection

        from meters.insights.models import Anomaly, Baseline
        from meters.insights.services.baselines import refresh_baselines
        from meters.insights.services.detectors import teach_detectors
        from meters.insights.services.watching import score_arrivals
        from meters.models import Register
        from meters.services.worklog import log_work

        seed()
        started = time.perf_counter()
        refresh_baselines(now=NOW, until=LEARNT_UNTIL)
        learnt = Baseline.objects.count() / (time.perf_counter() - started)
        started = time.perf_counter()
        teach_detectors(now=NOW, most=100)
        taught = time.perf_counter() - started
        with connection.cursor() as cursor:
            cursor.execute("UPDATE insights_baseline SET scored_until = %s", [NOW - timedelta(minutes=30)])
            cursor.execute("VACUUM ANALYZE")
        keys = list(Register.objects.order_by("pk").values_list("pk", flat=True))
        log_work(register_ids=keys, low=NOW, high=NOW, now=NOW)
        started = time.perf_counter()
        while score_arrivals(now=NOW):
            pass
        rate = METERS / (time.perf_counter() - started)
        found = Anomaly.objects.count()
        print(f"learnt {learnt:.0f} meters/s, taught in {taught:.0f} s, {found} anomalies")
        report(
            "anomaly_arrivals",
            round(rate, 1),
            "meters/s",
            ratio=round(rate / CITY_A_SECOND, 3),
            against="a city's half-hour within a minute",
            n=METERS,
        )


def seed() -> None:
    """Replace what is there by meters with weeks of half-hours."""
    from django.db import connection

    from meters.series.partitions import ensure_partitions
    from meters.store import REGISTER_READINGS
    from tests.factories import supplied_register

    with connection.cursor() as cursor:
        cursor.execute(_WIPE)
        for _ in range(METERS):
            supplied_register()
        ensure_partitions(REGISTER_READINGS, [FIRST_MARK, NOW], floor=FIRST_MARK, ceiling=NOW)
        cursor.execute(_READINGS, {"first": FIRST_MARK, "last": NOW})


if __name__ == "__main__":
    main()
