"""What an answer about consumption holds, and how it comes from curves."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from energy_portal.shared.clock import HALF_HOUR, Period
from energy_portal.shared.units import round_half_up
from meters.consumption import ESTIMATES, UNKNOWN, Chain, Energy, Step, total
from meters.selectors.flows import Unit, in_one_unit
from meters.selectors.measuring import Question, chains_of
from meters.selectors.periods import Granularity, edges, ended
from meters.selectors.rollups import Amount, Rolled, Stretch, rolled_up, together

_ZERO = Decimal(0)
_KWH_PLACES = 6


class Interval(NamedTuple):
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
class Axis:
    """What is asked of stretches: the period up to the last mark, and the edges of its pieces where a series is."""

    period: Period
    runs: bool
    granularity: Granularity | None
    edges: tuple[datetime, ...]
    known_at: datetime

    @classmethod
    def of(cls, period: Period, granularity: Granularity | None, zone: ZoneInfo, known_at: datetime) -> "Axis":
        """Return the axis of a period on a zone's clock, as it stands at an instant."""
        cut = ended(period, known_at, zone)
        parts = tuple(edges(cut, granularity, zone)) if granularity else ()
        return cls(cut, cut.end < period.end, granularity, parts, known_at)

    @property
    def is_half_hourly(self) -> bool:
        return self.granularity is Granularity.HALF_HOUR

    @property
    def pieces(self) -> list[Period]:
        """The stretches of the series."""
        return [Period.of_utc(start, end) for start, end in pairwise(self.edges)]

    def question(self, stretch: Stretch) -> Question:
        """Return what has to be measured of a stretch."""
        start, end = stretch.period.start, stretch.period.end
        inner = () if self.is_half_hourly else (edge for edge in self.edges if start < edge < end)
        return Question(
            stays=stretch.stays,
            instants=(start, *inner, end),
            fully=self.is_half_hourly,
            partly=True,
        )


@dataclass(frozen=True)
class Asked:
    """One answer that is wanted: stretches on an axis, and the unit where nothing counts.

    ``from_days``: whether days that were summed ahead stand for their readings, where there are any.
    """

    axis: Axis
    stretches: Sequence[Stretch]
    usual_unit: str
    from_days: bool = False


@dataclass(frozen=True)
class _Part:
    """A stretch with its curves, and the energy of one of the answer's unit there, kWh."""

    period: Period
    chain: Chain
    kwh_a_unit: Decimal | None

    def amount(self, energy: Energy) -> Amount:
        kwh = None if energy.amount is None or self.kwh_a_unit is None else energy.amount * self.kwh_a_unit
        return Amount(energy, kwh)


@dataclass(frozen=True)
class _Measured:
    """All that one answer is made of: its unit, what days tell, and the curves of the rest."""

    axis: Axis
    unit: str
    days: Rolled
    parts: Sequence[_Part]


def known_at(now: datetime, as_of: datetime | None) -> datetime:
    """Return when what is asked as of an instant is known: now unless told, and never later."""
    return now if as_of is None else min(now, as_of)


def measure(asked: Sequence[Asked], *, as_of: datetime | None = None) -> list[Consumption]:
    """Answer several questions, in two queries, and one more for the days that were summed ahead an axis.

    :param as_of: when it was known; now unless told. Days tell nothing of what was known once.
    """
    return [_consumption(each) for each in _measured(asked, as_of)]


def measure_together(asked: Sequence[Asked], *, as_of: datetime | None = None) -> tuple[list[Consumption], Consumption]:
    """Answer several questions on one axis, one at least, and what they ask together; see :func:`measure`.

    Together they are in the unit that they share. Where they share none, all is measured once more, in kWh.
    """
    each = _measured(asked, as_of)
    if len({one.unit for one in each}) == 1:
        days = together([one.days for one in each])
        whole = _Measured(each[0].axis, each[0].unit, days, [part for one in each for part in one.parts])
    else:
        stretches = [stretch for one in asked for stretch in one.stretches]
        (whole,) = _measured([replace(asked[0], stretches=stretches)], as_of)
    return [_consumption(one) for one in each], _consumption(whole)


def _measured(asked: Sequence[Asked], as_of: datetime | None) -> list[_Measured]:
    units: list[str] = []
    stretches: list[list[Stretch]] = []
    for each in asked:
        unit, stays = in_one_unit([stretch.stays for stretch in each.stretches], otherwise=each.usual_unit)
        units.append(unit)
        stretches.append(
            [Stretch(stretch.period, scaled) for stretch, scaled in zip(each.stretches, stays, strict=True)]
        )
    days = _days(asked, units, stretches) if as_of is None else [Rolled(rest=own) for own in stretches]
    questions = [each.axis.question(rest) for each, told in zip(asked, days, strict=True) for rest in told.rest]
    chains = iter(chains_of(questions, as_of=as_of))
    return [
        _Measured(each.axis, unit, told, [_part(rest, next(chains), unit) for rest in told.rest])
        for each, unit, told in zip(asked, units, days, strict=True)
    ]


def _days(asked: Sequence[Asked], units: Sequence[str], stretches: Sequence[list[Stretch]]) -> list[Rolled]:
    """Return what days tell of each answer, which is nothing of half-hours."""
    told = [Rolled(rest=own) for own in stretches]
    places: dict[Axis, list[int]] = defaultdict(list)
    for place, each in enumerate(asked):
        if each.from_days and not each.axis.is_half_hourly and stretches[place]:
            places[each.axis].append(place)
    for axis, own in places.items():
        found = rolled_up(
            [stretches[place] for place in own], [units[place] for place in own], axis.pieces or (axis.period,)
        )
        for place, rolled in zip(own, found, strict=True):
            told[place] = rolled
    return told


def _part(stretch: Stretch, chain: Chain, unit: str) -> _Part:
    return _Part(stretch.period, chain, stretch.stays[0].kwh_a_unit(unit) if stretch.stays else None)


def _consumption(measured: _Measured) -> Consumption:
    axis, unit, days = measured.axis, measured.unit, measured.days
    amounts = [days.whole] if days.whole else []
    amounts += (part.amount(part.chain.known_within(part.period.start, part.period.end)) for part in measured.parts)
    whole = total([amount.energy for amount in amounts])
    return Consumption(
        period=axis.period,
        energy_kwh=_kwh(unit, whole, amounts),
        complete=whole.complete,
        estimated_share=whole.estimated_share,
        as_of=axis.known_at,
        series=tuple(_series(measured)),
        unit=unit,
        quantity=whole.amount,
    )


def _series(measured: _Measured) -> Iterator[Interval]:
    """Return the series; most half-hours of one meter are simply the steps from read to read."""
    axis, parts = measured.axis, measured.parts
    alone = parts[0] if axis.is_half_hourly and measured.unit == Unit.KWH and len(parts) == 1 else None
    steps = alone.chain.half_hours(alone.period.start, alone.period.end) if alone else []
    if steps and axis.edges == (*(step[0] for step in steps), steps[-1][0] + HALF_HOUR):
        starts, amounts, qualities, estimates = zip(*steps, strict=True)
        return map(Interval, starts, axis.edges[1:], amounts, qualities, estimates, amounts)
    return _series_of_pieces(measured, steps)


def _series_of_pieces(measured: _Measured, known: Sequence[Step]) -> Iterator[Interval]:
    """Yield the series piece by piece: the step from read to read where there is one, or else what is measured."""
    axis = measured.axis
    steps = iter(known)
    step = next(steps, None)
    for place, (start, end) in enumerate(pairwise(axis.edges)):
        while step and step[0] < start:
            step = next(steps, None)
        if step and step[0] == start and end - start == HALF_HOUR:
            _, amount, quality, estimated = step
            yield Interval(start, end, amount, quality, estimated, amount)
        else:
            running = axis.runs and end == axis.period.end
            yield _interval(place, Period.of_utc(start, end), measured, running=running)


def _kwh(unit: str, whole: Energy, amounts: Sequence[Amount]) -> Decimal | None:
    """Return the energy of a quantity that amounts make up; None where it is not known of one of them."""
    if unit == Unit.KWH or whole.amount is None:
        return whole.amount
    known = [amount.kwh for amount in amounts if amount.energy.amount is not None]
    kwh = [each for each in known if each is not None]
    return round_half_up(sum(kwh, _ZERO), _KWH_PLACES) if len(kwh) == len(known) else None


def _interval(place: int, piece: Period, measured: _Measured, *, running: bool) -> Interval:
    half_hourly = measured.axis.is_half_hourly
    days = measured.days.pieces.get(place)
    amounts = [days] if days else []
    for part in measured.parts:
        start, end = max(piece.start, part.period.start), min(piece.end, part.period.end)
        if start >= end:
            continue
        if running and not half_hourly:
            amounts.append(part.amount(part.chain.known_within(start, end)))
        else:
            amounts.append(part.amount(part.chain.between(start, end, estimate=not half_hourly)))
    energy = amounts[0].energy if len(amounts) == 1 else total([amount.energy for amount in amounts])
    if not (energy.complete or running):
        energy = UNKNOWN
    return Interval(
        start=piece.start,
        end=piece.end,
        energy_kwh=_kwh(measured.unit, energy, amounts),
        quality=energy.quality,
        estimated=energy.estimated_amount > _ZERO or energy.quality in ESTIMATES,
        quantity=energy.amount,
    )
