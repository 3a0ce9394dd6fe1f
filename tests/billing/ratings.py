"""What tests of rating are made of: versions, components and half-hours in few words."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np

from billing.rating import Hours, Rating, Stretch, Supply, TaxRate, Version, cuts, rate
from billing.rating.terms import Component, EnergyTerms, Kind, RatePeriod, Terms, Tier, flat_terms
from energy_portal.shared.clock import HALF_HOUR
from meters.halfhours import HalfHours

SINGAPORE = ZoneInfo("Asia/Singapore")
BERLIN = ZoneInfo("Europe/Berlin")
POINT = UUID(int=1)
# One for all tests: what it works out for a zone and a stretch of time does not change.
HOURS = Hours()


def midnight(day: date, zone: ZoneInfo = SINGAPORE) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def component(kind: Kind | str, terms: Terms, name: str = "") -> Component:
    return Component(uuid4(), Kind(kind), name or Kind(kind).value.title(), terms)


def version(
    first: date,
    after: date | None,
    *components: Component,
    name: str = "v1",
    tax_code: str | None = None,
    zone: ZoneInfo = SINGAPORE,
) -> Version:
    end = midnight(after, zone) if after else None
    return Version(uuid4(), name, midnight(first, zone), end, components, tax_code, "SGD")


def flat_version(
    name: str, first: date, after: date | None, rate_per_kwh: str, tax_code: str | None = "GST"
) -> Version:
    energy = component(Kind.ENERGY, flat_terms(Decimal(rate_per_kwh)), "Electricity")
    return version(first, after, energy, name=name, tax_code=tax_code)


def gst(first: date, after: date | None, percent: str) -> TaxRate:
    end = midnight(after) if after else None
    return TaxRate(uuid4(), "GST", f"GST {percent} %", midnight(first), end, Decimal(percent) / 100)


def tiers(*limits_and_rates: tuple[str | None, str]) -> tuple[Tier, ...]:
    return tuple(Tier(None if limit is None else Decimal(limit), Decimal(price)) for limit, price in limits_and_rates)


def tiered(*limits_and_rates: tuple[str | None, str]) -> EnergyTerms:
    return EnergyTerms((RatePeriod("", tiers(*limits_and_rates)),))


def day_and_night(
    night: tuple[Tier, ...], day: tuple[Tier, ...], first_hour: int = 7, end_hour: int = 23
) -> EnergyTerms:
    """Return terms of two periods: the second from the first hour to the end hour of weekdays, the first otherwise."""
    row = tuple(int(first_hour <= hour < end_hour) for hour in range(24))
    return EnergyTerms((RatePeriod("Night", night), RatePeriod("Day", day)), (row,) * 12, ((0,) * 24,) * 12)


def half_hours(start: datetime, energy_kwh: Sequence[float | int | str | Decimal]) -> HalfHours:
    energy = np.array([int(Decimal(str(each)).scaleb(6)) for each in energy_kwh], dtype=np.int64)
    return HalfHours(start, energy, np.ones(len(energy), dtype=np.bool_), np.zeros(len(energy), dtype=np.bool_))


def constant(start: datetime, end: datetime, kwh_each: str = "0.5") -> HalfHours:
    return half_hours(start, [kwh_each] * ((end - start) // HALF_HOUR))


def stretch(start: datetime, end: datetime, kwh: str | Decimal) -> Stretch:
    return Stretch(start, end, Decimal(kwh))


def supply(*stretches: Stretch, zone: ZoneInfo = SINGAPORE, point: UUID = POINT) -> Supply:
    return Supply(point, f"SP-{point.int}", zone, stretches)


def metered(
    imported: HalfHours,
    edges: Sequence[datetime],
    *,
    exported: HalfHours | None = None,
    zone: ZoneInfo = SINGAPORE,
    point: UUID = POINT,
) -> Supply:
    """Return a supply whose stretches between the edges are the sums of its half-hours."""
    stretches = tuple(
        Stretch(start, end, imported.between(start, end).total_kwh) for start, end in pairwise(sorted(edges))
    )
    return Supply(point, f"SP-{point.int}", zone, stretches, imported, exported)


def rated(*supplies: Supply, versions: Sequence[Version], taxes: Sequence[TaxRate] = ()) -> Rating:
    return rate(supplies, {each.service_point_id: versions for each in supplies}, taxes, hours=HOURS)


def rated_profile(
    imported: HalfHours,
    *versions: Version,
    taxes: Sequence[TaxRate] = (),
    exported: HalfHours | None = None,
    zone: ZoneInfo = SINGAPORE,
) -> Rating:
    edges = cuts(imported.start, imported.end, versions, taxes)
    return rated(metered(imported, edges, exported=exported, zone=zone), versions=versions, taxes=taxes)
