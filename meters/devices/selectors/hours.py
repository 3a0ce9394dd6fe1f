"""How far the hours of devices are rolled up."""

from datetime import datetime

from meters.devices.models import RollupMark, TouchedHour


def complete_until() -> datetime | None:
    """Return up to when every hour is rolled up; data that come later still enter. None where none ever was."""
    waiting = TouchedHour.objects.filter(device_ids=[]).order_by("low").values_list("low", flat=True).first()
    return RollupMark.objects.get().until if waiting is None else waiting
