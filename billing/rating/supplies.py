"""What passed at a service point, and the parts of it that one version and one tax rate cover. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.rating.versions import RatingError, TaxRate, Version, tax_in_force, version_in_force
from energy_portal.shared.clock import HALF_HOUR
from meters.halfhours import HalfHours


class HalfHoursMissing(RatingError):
    """A price asks when energy passed, and that is not known: it is never taken for zero."""


@dataclass(frozen=True)
class Stretch:
    """Energy that passed at one service point over ``[start, end)``; ``reads`` are carried, not read."""

    start: datetime
    end: datetime
    energy_kwh: Decimal
    reads: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Supply:
    """What an account got, and gave, at one service point.

    ``zone`` is the clock of its tables of hours, ``billing_zone`` the one whose days and months are billed, the same
    unless told. ``imported`` None: the versions do not ask for half-hours; ``exported`` None: nothing can go out.
    """

    service_point_id: UUID
    service_point_code: str
    zone: ZoneInfo
    stretches: tuple[Stretch, ...]
    imported: HalfHours | None = None
    exported: HalfHours | None = None
    billing_zone: ZoneInfo | None = None

    @property
    def days_on(self) -> ZoneInfo:
        """The clock whose days and months are billed."""
        return self.billing_zone or self.zone


@dataclass(frozen=True, eq=False)
class Part:
    """An unbroken time of a supply at the same prices and the same tax rate."""

    supply: Supply
    version: Version
    tax: TaxRate | None
    start: datetime
    end: datetime
    energy_kwh: Decimal
    reads: tuple[Any, ...]


def parts_of(supply: Supply, versions: Sequence[Version], taxes: Sequence[TaxRate]) -> list[Part]:
    """Put each stretch to what is in force in it, and join neighbours of the same.

    :returns: in the order of time.
    :raises RatingError: as :func:`version_in_force` and :func:`tax_in_force` do.
    """
    parts: list[Part] = []
    for stretch in sorted(supply.stretches, key=lambda stretch: stretch.start):
        version = version_in_force(versions, stretch.start, stretch.end)
        tax = tax_in_force(taxes, version.tax_code, stretch.start, stretch.end)
        last = parts[-1] if parts else None
        if last and last.version is version and last.tax is tax and last.end == stretch.start:
            parts[-1] = replace(
                last,
                end=stretch.end,
                energy_kwh=last.energy_kwh + stretch.energy_kwh,
                reads=tuple(dict.fromkeys((*last.reads, *stretch.reads))),
            )
        else:
            parts.append(
                Part(supply, version, tax, stretch.start, stretch.end, stretch.energy_kwh, tuple(stretch.reads))
            )
    return parts


def known_between(half_hours: HalfHours | None, start: datetime, end: datetime) -> HalfHours:
    """Return the half-hours of ``[start, end)``, which are all known.

    :raises HalfHoursMissing: they are not.
    """
    found = half_hours.between(start, end) if half_hours is not None else None
    if found is None or found.start - start >= HALF_HOUR or found.end < end or not found.is_complete:
        raise HalfHoursMissing(f"Half-hours are missing in {start:%Y-%m-%d} to {end:%Y-%m-%d}.")
    return found
