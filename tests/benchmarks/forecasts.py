"""How many meters a second one process forecasts 48 h ahead: their half-hours read, features made, all of it stored.

A model is taught first, by the same meters; that is not in the figure. Libraries of numbers have one thread. Against:
the same half-hours only read. ``FORECAST_METERS`` sets the size.
"""

import os
import time
from datetime import UTC, datetime, timedelta

from tests.benchmarks.harness import portal, report

METERS = int(os.environ.get("FORECAST_METERS", "600"))
ORIGIN = datetime(2025, 3, 31, 16, tzinfo=UTC)
NOW = ORIGIN + timedelta(hours=1)
DAYS = 84
# How a model is taught does not change how long it takes to speak.
MOST_ORIGINS = 200
FIRST = ORIGIN - timedelta(days=DAYS)
HISTORY = timedelta(days=56)

_WIPE = "TRUNCATE accounts_customeraccount, accounts_premises, meters_meter, meters_servicepoint,"
_WIPE += " meters_registerreading, insights_forecast, insights_forecastmodel CASCADE"
# A course of the day and of the week, each meter of its own size, with noise; dials only grow.
_READINGS = """
INSERT INTO meters_registerreading (register_id, time, value, quality)
SELECT register_id, mark, 1000 + round(sum(energy) OVER (PARTITION BY register_id ORDER BY mark), 3), 17
FROM (
    SELECT register.id AS register_id, mark,
           ((0.1 + 0.05 * (register.id %% 7)) * (1.2 + sin((number + register.id) * pi() / 24)
            + 0.3 * (number / 48 %% 7 / 5) + random() * 0.6))::numeric AS energy
    FROM generate_series(%(first)s::timestamptz, %(last)s, '30 minutes') WITH ORDINALITY AS mark (mark, number),
         meters_register AS register
) AS told
"""


def main() -> None:
    """Seed, teach, forecast, and report meters a second."""
    with portal():
        from accounts.actors import PORTAL
        from meters.insights.features import HISTORY_DAYS
        from meters.insights.models import Forecast, Subject
        from meters.insights.selectors.surroundings import SurroundingsBook
        from meters.insights.services.forecasting import make_all
        from meters.insights.services.training import train_cohort

        seed()
        started = time.perf_counter()
        train_cohort(cohort=Subject.SERVICE_POINT, actor=PORTAL, now=NOW, most_origins=MOST_ORIGINS)
        teaching = time.perf_counter() - started
        book = SurroundingsBook(known_at=NOW, days=HISTORY_DAYS)
        started, spent = time.perf_counter(), time.process_time()
        make_all(kind=Subject.SERVICE_POINT, zone="Asia/Singapore", origin=ORIGIN, now=NOW, book=book)
        rate, own = METERS / (time.perf_counter() - started), METERS / (time.process_time() - spent)
        told = Forecast.objects.filter(forecaster="blend", reason="").count()
        if told != METERS:
            raise SystemExit(f"{told} of {METERS} meters were forecast by the model.")
        bare = METERS / read_only()
        figures = {"ratio": round(rate / bare, 4), "teaching_s": round(teaching, 1), "meters_a_cpu_s": round(own, 1)}
        report("forecasts", round(rate, 1), "meters/s", against="the same half-hours only read", n=METERS, **figures)


def seed() -> None:
    """Replace what is there by meters with twelve weeks of half-hours each."""
    from django.db import connection

    from meters.series.partitions import ensure_partitions
    from meters.store import REGISTER_READINGS
    from tests.factories import supplied_register

    with connection.cursor() as cursor:
        cursor.execute(_WIPE)
    for _ in range(METERS):
        supplied_register()
    days = [FIRST + timedelta(days=day) for day in range(DAYS + 1)]
    ensure_partitions(REGISTER_READINGS, days, floor=FIRST, ceiling=ORIGIN)
    with connection.cursor() as cursor:
        cursor.execute(_READINGS, {"first": FIRST, "last": ORIGIN})
        cursor.execute("VACUUM ANALYZE")


def read_only() -> float:
    """Read the same half-hours and nothing more; return how many seconds that took."""
    from meters import store
    from meters.models import Register

    registers = list(Register.objects.values_list("pk", flat=True))
    started = time.perf_counter()
    for first in range(0, len(registers), 300):
        some = registers[first : first + 300]
        store.profiles.dial_columns([store.Window(register, ORIGIN - HISTORY, ORIGIN) for register in some])
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
