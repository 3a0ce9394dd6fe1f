"""Tables beside a place or a meter: what its dials showed, and its days."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from energy_portal.shared.admin import moment
from energy_portal.shared.clock import HALF_HOUR
from meters.admin.common import dial_text, quality_text
from meters.consumption import ESTIMATES
from meters.models import Register, RegisterDay
from meters.selectors.desk import ReadingsPage


@dataclass(frozen=True)
class ReadingRow:
    """A reading in words."""

    time: datetime
    when: str
    value: str
    quality: str
    estimated: bool
    source: str


@dataclass(frozen=True)
class ReadingsTable:
    """The readings of a register; ``older_than`` is where the next page begins, None on the last one."""

    register: Register
    readings: tuple[ReadingRow, ...]
    correct_url: str
    older_than: datetime | None


@dataclass(frozen=True)
class DayRow:
    """A day's energy in words; what is not wholly known says how much of it is."""

    day: str
    register: Register
    energy: str
    known: str
    estimated: str
    quality: str
    whole: bool


def readings_table(page: ReadingsPage) -> ReadingsTable:
    """Write a page of readings for people."""
    return ReadingsTable(
        register=page.register,
        readings=tuple(
            ReadingRow(
                time=reading.time,
                when=moment(reading.time),
                value=dial_text(reading.value, page.register),
                quality=quality_text(reading.quality),
                estimated=reading.quality in ESTIMATES,
                source=str(reading.source or "-"),
            )
            for reading in page.readings
        ),
        correct_url=reverse("admin:meters_register_correct_reading", args=[page.register.pk]),
        older_than=page.older_than,
    )


def day_rows(days: Iterable[RegisterDay]) -> Sequence[DayRow]:
    """Write day totals for people."""
    return [_day_row(day) for day in days]


def _day_row(day: RegisterDay) -> DayRow:
    unit, decimals = day.register.unit, day.register.decimals
    known = day.energy if day.energy is not None else day.known_energy
    return DayRow(
        day=date_format(timezone.localtime(day.time), "D j M Y"),
        register=day.register,
        energy="unknown" if known is None else f"{known:.{decimals}f} {unit}",
        known=f"{day.half_hours_known} of {(day.until - day.time) // HALF_HOUR}",
        estimated=f"{day.estimated_energy:.{decimals}f} {unit}" if day.estimated_energy else "-",
        quality=quality_text(day.quality),
        whole=day.energy is not None,
    )
