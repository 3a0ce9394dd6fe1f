"""Series for tests of insights: dials that count a course of half-hours."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from django.db import connection

from energy_portal.shared.clock import HALF_HOUR
from meters.models import Register
from meters.series.partitions import ensure_partitions
from meters.series.spec import SeriesSpec
from meters.store import REGISTER_READINGS

_INSERT = """
    INSERT INTO meters_registerreading (register_id, time, value, quality, received_at)
    SELECT %(register)s, %(start)s + number * interval '30 minutes', value, quality, %(start)s
    FROM unnest(%(numbers)s::int4[], %(values)s::numeric[], %(qualities)s::int2[]) AS told (number, value, quality)
"""


def count(register: Register, start: datetime, energies: Sequence[float], *, first=100.0, missing=(), estimated=()):
    """Let a register show what it would while half-hours (kWh) pass; ``missing`` and ``estimated`` name its reads."""
    shown = first + np.concatenate([[0.0], np.cumsum(energies)])
    tell(register, start, shown, missing=missing, estimated=estimated)


def tell(register: Register, start: datetime, shown: Sequence[float], *, missing=(), estimated=()):
    """Store what a register showed at half-hours from a start on."""
    end = start + len(shown) * HALF_HOUR
    make_room(REGISTER_READINGS, start, end)
    kept = [number for number in range(len(shown)) if number not in missing]
    parameters = {
        "register": register.pk,
        "start": start,
        "numbers": kept,
        "values": [round(float(shown[number]), 6) for number in kept],
        "qualities": [8 if number in estimated else 17 for number in kept],
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, parameters)


def make_room(series: SeriesSpec, start: datetime, end: datetime) -> None:
    """Make the partitions of a series from a start to an end."""
    days = [start + timedelta(days=day) for day in range((end - start).days + 1)]
    ensure_partitions(series, [*days, end], floor=start, ceiling=end)


def daily_course(days: int, *, seed: int = 0, level: float = 0.3) -> np.ndarray:
    """Return half-hours (kWh) of a home: a course of the day, louder at weekends, with noise."""
    random = np.random.default_rng(seed)
    slots = np.arange(days * 48)
    course = 1 + 0.6 * np.sin((slots % 48 - 16) * 2 * np.pi / 48) + 0.3 * (slots // 48 % 7 >= 5)
    return np.round(level * course * random.lognormal(0, 0.15, len(slots)), 3)
