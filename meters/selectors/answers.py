"""What an answer about consumption holds, and how it comes from curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from energy_portal.shared.clock import Period
from energy_portal.shared.units import round_half_up
from meters.consumption import ESTIMATES, UNKNOWN, Chain, Energy, total
from meters.selectors.flows import Stay, Unit, in_one_unit
from meters.selectors.measuring import Question, chains_of
from meters.selectors.periods import Granularity, ended, pieces

_ZERO = Decimal(0)
_KWH_PLACES = 6


@dataclass(frozen=True)
class Interval:
    """One stretch of a series; what is not known of it is None.

    ``energy_kwh`` is also None where what was counted has no energy, as water; ``quantity`` is in the answer's unit.
    """

    start: datetime
    end: datetime
    energy_kwh: Decimal | None
    quality: int | None
    estimated: bool
    quantity: Decimal | None = None


@dataclass(frozen=True)
class Consumption:
    """What was used in a period: ``quantity`` in ``unit``, and its energy in kWh where it has one.

    ``period`` ends with the last half-hour that has ended. Quantity and energy are of its known part, None where
    nothing is known; ``complete`` tells whether the known part is all of it. ``estimated_share`` is 0 to 1, of the
    quantity. ``as_of`` is when this was known.
    """

    period: Period
    energy_kwh: Decimal | None
    complete: bool
    estimated_share: Decimal
    as_of: datetime
    series: tuple[Interval, ...]
    unit: str = Unit.KWH.value
    quantity: Decimal | None = None


@dataclass(frozen=True)
class Stretch:
    """A part of a period in which a chain of stays at one place counts."""

    period: Period
    stays: Sequence[Stay]


@dataclass(frozen=True)
class Axis:
    """What is asked of stretches: the period up to the last mark, and its pieces where a series is wanted."""

    period: Period
    runs: bool
    granularity: Granularity | None
    pieces: Sequence[Period]
    known_at: datetime

    @classmethod
    def of(cls, period: Period, granularity: Granularity | None, zone: ZoneInfo, known_at: datetime) -> "Axis":
        """Return the axis of a period on a zone's clock, as it stands at an instant."""
        cut = ended(period, known_at, zone)
        parts = pieces(cut, granularity, zone) if granularity else ()
        return cls(cut, cut.end < period.end, granularity, parts, known_at)

    @property
    def is_half_hourly(self) -> bool:
        return self.granularity is Granularity.HALF_HOUR

    def question(self, stretch: Stretch) -> Question:
        """Return what has to be measured of a stretch."""
        inner = (piece.start for piece in self.pieces if stretch.period.start < piece.start < stretch.period.end)
        return Question(
            stays=stretch.stays,
            instants=(stretch.period.start, *inner, stretch.period.end),
            fully=self.is_half_hourly,
            partly=True,
        )


@dataclass(frozen=True)
class Asked:
    """One answer that is wanted: stretches on an axis, and the unit where nothing counts."""

    axis: Axis
    stretches: Sequence[Stretch]
    usual_unit: str


@dataclass(frozen=True)
class _Part:
    """A stretch with its curves, and the energy of one of the answer's unit there, kWh."""

    period: Period
    chain: Chain
    kwh_a_unit: Decimal | None


def measure(asked: Sequence[Asked], *, as_of: datetime | None = None) -> list[Consumption]:
    """Answer several questions, in three queries.

    :param as_of: when it was known; now unless told.
    """
    units: list[str] = []
    stretches: list[list[Stretch]] = []
    for each in asked:
        unit, stays = in_one_unit([stretch.stays for stretch in each.stretches], otherwise=each.usual_unit)
        units.append(unit)
        stretches.append(
            [Stretch(stretch.period, scaled) for stretch, scaled in zip(each.stretches, stays, strict=True)]
        )
    questions = [each.axis.question(stretch) for each, own in zip(asked, stretches, strict=True) for stretch in own]
    chains = iter(chains_of(questions, as_of=as_of))
    return [
        _consumption(each.axis, unit, [_part(stretch, next(chains), unit) for stretch in own])
        for each, unit, own in zip(asked, units, stretches, strict=True)
    ]


def _part(stretch: Stretch, chain: Chain, unit: str) -> _Part:
    return _Part(stretch.period, chain, stretch.stays[0].kwh_a_unit(unit) if stretch.stays else None)


def _consumption(axis: Axis, unit: str, parts: Sequence[_Part]) -> Consumption:
    known = [part.chain.known_within(part.period.start, part.period.end) for part in parts]
    whole = total(known)
    return Consumption(
        period=axis.period,
        energy_kwh=_kwh(unit, whole, known, parts),
        complete=whole.complete,
        estimated_share=whole.estimated_share,
        as_of=axis.known_at,
        series=tuple(
            _interval(piece, axis, unit, parts, running=axis.runs and piece.end == axis.period.end)
            for piece in axis.pieces
        ),
        unit=unit,
        quantity=whole.amount,
    )


def _kwh(unit: str, whole: Energy, energies: Sequence[Energy], parts: Sequence[_Part]) -> Decimal | None:
    """Return the energy of a quantity that parts make up; None where it is not known of one of them."""
    if unit == Unit.KWH or whole.amount is None:
        return whole.amount
    kwh = _ZERO
    for energy, part in zip(energies, parts, strict=True):
        if energy.amount is None:
            continue
        if part.kwh_a_unit is None:
            return None
        kwh += energy.amount * part.kwh_a_unit
    return round_half_up(kwh, _KWH_PLACES)


def _interval(piece: Period, axis: Axis, unit: str, parts: Sequence[_Part], *, running: bool) -> Interval:
    energies: list[Energy] = []
    of_parts: list[_Part] = []
    for part in parts:
        start, end = max(piece.start, part.period.start), min(piece.end, part.period.end)
        if start >= end:
            continue
        of_parts.append(part)
        if running and not axis.is_half_hourly:
            energies.append(part.chain.known_within(start, end))
        else:
            energies.append(part.chain.between(start, end, estimate=not axis.is_half_hourly))
    energy = energies[0] if len(energies) == 1 else total(energies)
    if not (energy.complete or running):
        energy = UNKNOWN
    return Interval(
        start=piece.start,
        end=piece.end,
        energy_kwh=_kwh(unit, energy, energies, of_parts),
        quality=energy.quality,
        estimated=energy.estimated_amount > _ZERO or energy.quality in ESTIMATES,
        quantity=energy.amount,
    )
