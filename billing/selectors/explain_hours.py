"""A bill's line down to its half-hours and the reads behind them, as they were known when the bill was made."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from django.db.models import prefetch_related_objects

from billing.models import Bill, BillLine, TariffComponent
from billing.rating.calendar import Hours
from billing.rating.shares import Counted, counted_as, tier_shares
from billing.rating.terms import Component, decode
from billing.rating.terms import Kind as TermsKind
from billing.selectors.explain_words import quality_in_words, terms_of
from energy_portal.shared.clock import HALF_HOUR, Period, zone
from energy_portal.shared.errors import NotFound
from meters.halfhours import HalfHours
from meters.models import Register
from meters.selectors.half_hours import PointProfile, ProfileRequest, metered_half_hours
from meters.selectors.quantities import ReadUsed
from meters.selectors.reads_behind import reads_behind

_KWH = -6
_HALF_HOURS_AN_HOUR = 2
_NOTHING = Decimal(0)


class NoSuchDay(NotFound):
    """A line has no half-hours on a day."""

    code = "unknown_day"


@dataclass(frozen=True)
class HalfHourShare:
    """One half-hour ``[start, end)`` of a line, on the account's clock.

    ``energy_kwh`` None: not known. ``counted`` is its part of the line's quantity, in the line's unit: of a demand only
    the highest half-hour's power, of a tier what lies in it.
    """

    start: datetime
    end: datetime
    energy_kwh: Decimal | None
    counted: Decimal
    estimated: bool


@dataclass(frozen=True)
class ReadHalfHour:
    """A half-hour with what it was computed from; ``quality`` is that of the least trusted read."""

    share: HalfHourShare
    quality: int | None
    quality_words: str
    reads: tuple[ReadUsed, ...]


@dataclass(frozen=True)
class DayShare:
    """The half-hours of a line on a local day; ``highest_kw`` is the day's highest power, of a demand only."""

    day: date
    half_hours: tuple[HalfHourShare, ...]
    energy_kwh: Decimal
    estimated_kwh: Decimal
    counted: Decimal
    highest_kw: Decimal | None = None

    @property
    def missing(self) -> int:
        """The half-hours that are not known."""
        return sum(each.energy_kwh is None for each in self.half_hours)


@dataclass(frozen=True)
class LineHours:
    """The days of a line in their order; what they count adds up to ``counted``, which is the line's quantity."""

    line: BillLine
    days: tuple[DayShare, ...]
    counted: Decimal

    def day(self, day: date) -> DayShare:
        """Return one of its days.

        :raises NoSuchDay: none of its half-hours lies on it.
        """
        for found in self.days:
            if found.day == day:
                return found
        raise NoSuchDay(f"Line {self.line.position} has no half-hours on {day}.")


def line_hours(*, bill: Bill, line: BillLine) -> LineHours:
    """Divide a metered line among its half-hours, as they were known when the bill was made.

    :param bill: with its lines, as :func:`billing.selectors.bills.bill_with_lines` returns it.
    :param line: one of them, of energy, export or demand, of a bill that is no credit note.
    """
    site = zone(bill.account.zone)
    shares = [share for profile in _profiles(bill, line) for share in _shares(bill, line, profile, site)]
    days = tuple(
        _day(day, list(of_day), demand=line.kind == BillLine.Kind.DEMAND)
        for day, of_day in groupby(shares, key=lambda share: share.start.date())
    )
    return LineHours(line, days, sum((day.counted for day in days), _NOTHING))


def read_day(*, bill: Bill, line: BillLine, day: DayShare) -> list[ReadHalfHour]:
    """Put the reads behind a day's half-hours beside them. Three queries.

    :param day: one of the line's, from :func:`line_hours`.
    :raises NoSuchDay: the line is of no service point.
    """
    if line.service_point_id is None:
        raise NoSuchDay(f"Line {line.position} is of no service point.")
    found = reads_behind(
        service_point_id=line.service_point_id,
        starts=[share.start for share in day.half_hours],
        within=Period(bill.period.lower, bill.period.upper),
        as_of=bill.as_of,
        direction=_direction(line),
    )
    return [
        ReadHalfHour(share, behind.quality, quality_in_words(behind.quality, estimated=share.estimated), behind.reads)
        for share, behind in zip(day.half_hours, found, strict=True)
    ]


def _direction(line: BillLine) -> str:
    return Register.Direction.EXPORT if line.kind == BillLine.Kind.EXPORT else Register.Direction.IMPORT


def _profiles(bill: Bill, line: BillLine) -> list[PointProfile]:
    """Return the half-hours of a line's place that share time with it."""
    period = Period(bill.period.lower, bill.period.upper)
    found = metered_half_hours(
        requests=[ProfileRequest(account_id=bill.account_id, period=period)],
        now=bill.as_of,
        as_of=bill.as_of,
        exports=line.kind == BillLine.Kind.EXPORT,
    )
    own = Period(line.period.lower, line.period.upper)
    return [
        profile
        for profile in found.get(bill.account_id, [])
        if profile.service_point_id == line.service_point_id and profile.period.intersect(own)
    ]


def _shares(bill: Bill, line: BillLine, profile: PointProfile, site: ZoneInfo) -> Iterator[HalfHourShare]:
    flow = profile.exported if line.kind == BillLine.Kind.EXPORT else profile.imported
    if flow is None:
        return
    part = flow.between(line.period.lower, line.period.upper)
    places = _places(line, part, zone(profile.zone))
    energies = [Decimal(int(part.energy_ukwh[place])).scaleb(_KWH) for place in places]
    for place, energy, counted in zip(places, energies, _counted(bill, line, part, places, energies), strict=True):
        start = (part.start + place * HALF_HOUR).astimezone(site)
        yield HalfHourShare(
            start=start,
            end=(part.start + (place + 1) * HALF_HOUR).astimezone(site),
            energy_kwh=energy if part.known[place] else None,
            counted=counted,
            estimated=bool(part.estimated[place]),
        )


def _places(line: BillLine, part: HalfHours, clock: ZoneInfo) -> list[int]:
    """Return which of some half-hours belong to a line's rate period."""
    terms = terms_of(line)
    if terms is None or terms.weekday is None:
        return list(range(len(part)))
    periods = Hours().places(terms, clock, part.start, len(part))
    return [int(place) for place in periods[line.detail.get("period", 0)]]


def _counted(
    bill: Bill, line: BillLine, part: HalfHours, places: Sequence[int], energies: Sequence[Decimal]
) -> Iterable[Decimal]:
    detail = line.detail
    if line.kind == BillLine.Kind.DEMAND:
        highest = (datetime.fromisoformat(detail["at"]) - part.start) // HALF_HOUR
        return [line.quantity if place == highest else _NOTHING for place in places]
    if detail.get("tiers", 1) <= 1:
        return energies
    return tier_shares(
        energies,
        reached=_reached_before(bill, line),
        lower=Decimal(detail.get("tier_from") or 0),
        upper=None if detail.get("tier_up_to") is None else Decimal(detail["tier_up_to"]),
    )


def _reached_before(bill: Bill, line: BillLine) -> Decimal:
    """Return what had been counted towards a line's tiers when its part of the bill began: the lines before tell."""
    lines = [each for each in bill.lines.all() if each.service_point_id == line.service_point_id]
    prefetch_related_objects(lines, "tariff_version__components")
    like = next(_like(each) for each in lines if each.pk == line.pk)
    return sum(
        (each.quantity for each in lines if each.period.upper <= line.period.lower and _like(each) == like),
        _NOTHING,
    )


def _like(line: BillLine) -> Counted | None:
    if line.component is None or line.tariff_version is None:
        return None
    components = [_component(item) for item in line.tariff_version.components.all()]
    own = next(item for item in components if item.id == line.component_id)
    return counted_as(components, own, line.detail.get("period", 0))


def _component(stored: TariffComponent) -> Component:
    return Component(stored.pk, TermsKind(stored.kind), stored.name, decode(stored.kind, stored.terms))


def _day(day: date, shares: Sequence[HalfHourShare], *, demand: bool) -> DayShare:
    known = [share.energy_kwh for share in shares if share.energy_kwh is not None]
    return DayShare(
        day=day,
        half_hours=tuple(shares),
        energy_kwh=sum(known, _NOTHING),
        estimated_kwh=sum((share.energy_kwh or _NOTHING for share in shares if share.estimated), _NOTHING),
        counted=sum((share.counted for share in shares), _NOTHING),
        highest_kw=_HALF_HOURS_AN_HOUR * max(known) if demand and known else None,
    )
