"""What tests of the door share: how rows are offered, and what became of them."""

from datetime import UTC, datetime, timedelta

from accounts.actors import PORTAL
from meters.models import Quality, RegisterReading, SupersededReading
from meters.services.readings import OfferedReading, receive_readings

START = datetime(2025, 3, 1, tzinfo=UTC)
NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
LIKE_DAY, LINEAR, VERIFIED = Quality.REFERENCE_DAY, Quality.LINEAR, Quality.VERIFIED


def mark(n):
    return START + n * timedelta(minutes=30)


def offer(register, *rows, now=NOW, actor=PORTAL, overrides=frozenset(), unit=None):
    """Offer rows of (mark's number, value[, quality]) to the door."""
    offered = [
        OfferedReading(register.meter.serial, mark(n), value, register.code, *(more or [None]), unit)
        for n, value, *more in rows
    ]
    return receive_readings(readings=offered, actor=actor, now=now, overrides=overrides)


def stored(register):
    rows = RegisterReading.objects.filter(register=register).order_by("time").values_list("time", "value", "quality")
    return [((time - START) // timedelta(minutes=30), value, quality) for time, value, quality in rows]


def superseded(register):
    rows = SupersededReading.objects.filter(register=register).values_list("time", "value", "quality", "reason")
    return [((time - START) // timedelta(minutes=30), *rest) for time, *rest in rows]


def codes(rejections):
    return [(each.index, each.code) for each in rejections]
