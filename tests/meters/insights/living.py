"""Homes that live by the clock: registers with weeks of half-hours, as tests of what does not fit need them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection

from meters.insights.models import Subject
from meters.insights.selectors.subjects import series_named
from meters.insights.services.baselines import learn_usual
from meters.models import Register, ServicePoint
from meters.series.partitions import ensure_partitions
from meters.services.worklog import log_work
from meters.store import REGISTER_READINGS
from tests.factories import supplied_register

SGT = ZoneInfo("Asia/Singapore")
HALF_HOUR = timedelta(minutes=30)
WEEKS = 5
# A Monday, 00:00 in Singapore.
TODAY = datetime(2025, 4, 6, 16, tzinfo=UTC)
START = TODAY - timedelta(weeks=WEEKS)


def home(seed: int = 1) -> Register:
    """Return a register that counted an ordinary home for five weeks, up to today's midnight."""
    register = supplied_register()
    rng = np.random.default_rng(seed)
    hours = (np.arange(WEEKS * 336) % 48) / 2
    usual = 0.2 + 0.3 * np.exp(-((hours - 20) ** 2) / 8) + 0.15 * np.exp(-((hours - 7.5) ** 2) / 2)
    write(register, START, usual * rng.lognormal(0, 0.15, len(usual)), first=True, log=False)
    return register


def place_of(register: Register) -> str:
    """Return the code of the service point where a register hangs."""
    return ServicePoint.objects.get(installations__meter=register.meter).code


def learn(*registers: Register, at: datetime = TODAY) -> None:
    """Learn what is usual of the places of registers up to an instant."""
    codes = [place_of(register) for register in registers]
    learn_usual(series=series_named(kind=Subject.SERVICE_POINT, subjects=codes, at=at), until=at, now=at)


def usual_day(half_hours: int = 48) -> np.ndarray:
    """Return what a home uses from midnight on, kWh a half-hour, with a little noise."""
    hours = np.arange(half_hours) / 2 % 24
    usual = 0.2 + 0.3 * np.exp(-((hours - 20) ** 2) / 8) + 0.15 * np.exp(-((hours - 7.5) ** 2) / 2)
    return usual * np.random.default_rng(7).lognormal(0, 0.1, half_hours)


def write(register, start, energies, *, first=False, log=True, now=None) -> datetime:
    """Let a register count energies (kWh a half-hour) from an instant on; returns where they end.

    Marks that stand are replaced; NaN leaves the mark at its end out.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT value FROM meters_registerreading WHERE register_id = %s AND time = %s", (register.pk, start)
        )
        known = cursor.fetchone()
        shown = float(known[0]) if known else 1000.0
        rows = [(start, shown)] if first else []
        for place, energy in enumerate(energies, 1):
            shown += 0 if np.isnan(energy) else float(energy)
            if not np.isnan(energy):
                rows.append((start + place * HALF_HOUR, shown))
        times = [time for time, _ in rows]
        ensure_partitions(REGISTER_READINGS, times, floor=min(times), ceiling=max(times))
        cursor.execute(
            "INSERT INTO meters_registerreading (register_id, time, value, quality, received_at)"
            " SELECT %s, at, shown, 17, at FROM unnest(%s::timestamptz[], %s::numeric[]) AS new (at, shown)"
            " ON CONFLICT (register_id, time) DO UPDATE SET value = excluded.value",
            (register.pk, times, [round(value, 6) for _, value in rows]),
        )
    if log:
        log_work(register_ids=[register.pk], low=min(times), high=max(times), now=now or max(times))
    return max(times)
