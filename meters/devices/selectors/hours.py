"""How far the hours of devices are rolled up."""

from datetime import datetime

from meters.devices.models import RollupMark, TouchedHour


def rolled_until() -> datetime | None:
    """Return the mark that was moved past the hours that closed, some of which may yet wait to be rolled up."""
    return RollupMark.objects.values_list("until", flat=True).first()


def complete_until() -> datetime | None:
    """Return up to when every hour is rolled up; data that come later still enter. None where none ever was."""
    waiting = TouchedHour.objects.filter(device_ids=[]).order_by("low").values_list("low", flat=True).first()
    return rolled_until() if waiting is None else waiting
