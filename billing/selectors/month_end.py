"""Where an account's month is heading, and what that would cost."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np

from billing.forecasting import Projection, project_total
from billing.selectors.pricing import NotPriced, PriceBook, Priced, price_by
from energy_portal.shared.clock import HALF_HOUR, Period
from meters.halfhours import HalfHours, Ints
from meters.selectors.consumption import Interval
from meters.selectors.half_hours import PointProfile
from meters.selectors.quantities import MeteredQuantity

_A_WEEK = timedelta(days=7)
_HALF_HOURS_A_WEEK = 336
_MICROS_A_KWH = 1_000_000


@dataclass(frozen=True)
class Metered:
    """What passed at an account's service points, and when, where its prices ask for that."""

    quantities: Sequence[MeteredQuantity]
    profiles: Sequence[PointProfile] = ()

    @property
    def energy_kwh(self) -> Decimal | None:
        """The sum; None where a part is not known, or nothing is metered."""
        energies = [item.energy_kwh for item in self.quantities]
        known = [energy for energy in energies if energy is not None]
        return sum(known, Decimal(0)) if energies and len(known) == len(energies) else None

    def priced(self, book: PriceBook) -> Priced | None:
        """Return what it costs; None where that is not known."""
        if self.energy_kwh is None:
            return None
        try:
            return price_by(book, self.quantities, self.profiles)
        except NotPriced:
            return None


@dataclass(frozen=True)
class MonthEnd:
    """Where the month is heading, and what its three energies would cost in all; None without a price."""

    projection: Projection
    low: Decimal | None
    likely: Decimal | None
    high: Decimal | None


def month_end(measured: Metered, rest: Period, days: Sequence[Interval], book: PriceBook) -> MonthEnd | None:
    """Add to what is measured what the rest of the month may take; None where too little is known to tell."""
    energy = measured.energy_kwh
    if energy is None:
        return None
    projection = project_total(
        measured_kwh=energy,
        recent_days=[day.energy_kwh for day in days],
        days_left=Decimal(rest.duration // timedelta(minutes=1)) / (24 * 60),
    )
    if projection is None:
        return None
    outcomes = (projection.low_kwh, projection.likely_kwh, projection.high_kwh)
    low, likely, high = (_total_at(measured, rest, outcome - energy, book) for outcome in outcomes)
    return MonthEnd(projection, low, likely, high)


def _total_at(measured: Metered, rest: Period, energy_kwh: Decimal, book: PriceBook) -> Decimal | None:
    """Price a month whose rest takes an energy, shared by the service points as what is measured."""
    quantities = list(measured.quantities)
    profiles = {profile.service_point_id: profile for profile in measured.profiles}
    for last, share in _shares(measured.quantities) if rest.duration else ():
        to_come = energy_kwh * share
        profile = profiles.get(last.service_point_id)
        if profile is not None:
            profile = profiles[last.service_point_id] = _lengthened(profile, rest, to_come)
        quantities += (
            replace(
                last,
                period=piece,
                energy_kwh=_energy_of(piece, rest, to_come, profile),
                complete=False,
                estimated_share=Decimal(1),
                reads=(),
            )
            for piece in rest.split_at(*book.cuts)
        )
    priced = Metered(quantities, tuple(profiles.values())).priced(book)
    return priced.total if priced else None


def _shares(quantities: Sequence[MeteredQuantity]) -> list[tuple[MeteredQuantity, Decimal]]:
    """Return the last quantity of each service point, with the share that the point has of all energy."""
    last: dict[UUID, MeteredQuantity] = {}
    energies: dict[UUID, Decimal] = defaultdict(Decimal)
    for quantity in quantities:
        last[quantity.service_point_id] = quantity
        energies[quantity.service_point_id] += quantity.energy_kwh or 0
    total = sum(energies.values(), Decimal(0))
    return [(each, energies[key] / total if total else Decimal(1) / len(last)) for key, each in last.items()]


def _energy_of(piece: Period, rest: Period, energy_kwh: Decimal, profile: PointProfile | None) -> Decimal:
    """Return a piece's part of the rest: what its half-hours come to, its share of the time without any."""
    if profile is not None:
        return profile.imported.between(piece.start, piece.end).total_kwh
    return energy_kwh * Decimal(piece.duration / rest.duration)


def _lengthened(profile: PointProfile, rest: Period, energy_kwh: Decimal) -> PointProfile:
    """Let a profile go on as its last week went: what comes in scaled to an energy, what goes out as it was."""
    count = math.ceil(rest.duration / HALF_HOUR)
    shape = _last_week(profile.imported, rest, count)
    if shape is None or not shape.sum():
        shape = np.ones(count, dtype=np.int64)
    # The sums from the start are rounded, not each half-hour, so that they add up to the energy.
    heights = np.rint(np.cumsum(shape) / shape.sum() * float(energy_kwh * _MICROS_A_KWH)).astype(np.int64)
    imported = _joined(profile.imported, rest, np.diff(heights, prepend=0))
    given = _last_week(profile.exported, rest, count) if profile.exported else None
    exported = _joined(profile.exported, rest, given) if profile.exported and given is not None else profile.exported
    period = Period(profile.period.start, rest.end)
    return replace(profile, period=period, imported=imported, exported=exported)


def _last_week(half_hours: HalfHours, rest: Period, count: int) -> Ints | None:
    """Return the half-hours of the week before an instant, over and over; None where they are not all known."""
    last = half_hours.between(rest.start - _A_WEEK, rest.start)
    return np.resize(last.energy_ukwh, count) if len(last) == _HALF_HOURS_A_WEEK and last.is_complete else None


def _joined(half_hours: HalfHours, rest: Period, energy_ukwh: Ints) -> HalfHours:
    before = half_hours.between(half_hours.start, rest.start)
    added = np.ones(len(energy_ukwh), dtype=np.bool_)
    return HalfHours(
        before.start,
        np.concatenate([before.energy_ukwh, energy_ukwh]),
        np.concatenate([before.known, added]),
        np.concatenate([before.estimated, added]),
    )
