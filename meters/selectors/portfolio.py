"""What many meters used together: days that were summed ahead, and curves only for what these do not tell yet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings

from accounts.models import CustomerAccount
from energy_portal.shared.clock import Period, local_day
from energy_portal.shared.clock import zone as zone_named
from energy_portal.shared.errors import Invalid
from meters import store
from meters.models import Meter
from meters.selectors.answers import Asked, Axis, Consumption, known_at, measure, measure_together
from meters.selectors.flows import Direction, Unit, stays_of_class, usual_unit
from meters.selectors.periods import Granularity, InvalidPeriod
from meters.selectors.rollups import Stretch
from meters.selectors.stretches import meter_stretches, supply_stretches

MOST_MEMBERS = 100


class MixedUnits(Invalid):
    """What was asked for together is counted in several units."""

    code = "mixed_units"


@dataclass(frozen=True)
class Portfolio:
    """What members used, by their serial or number, in the order asked for, and all of them together.

    The total is complete when every member is; one that hung nowhere in the period is not.
    """

    total: Consumption
    members: Mapping[str, Consumption]


@dataclass(frozen=True)
class Wanted:
    """What is asked of a portfolio; see :func:`meters.selectors.consumption.meter_consumption`."""

    period: Period
    granularity: Granularity | None
    now: datetime
    zone: ZoneInfo
    direction: str = Direction.IMPORT
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        if self.granularity is Granularity.HALF_HOUR:
            raise InvalidPeriod("Half-hours are told of one meter or account at a time.", code="too_fine")

    @property
    def axis(self) -> Axis:
        return Axis.of(self.period, self.granularity, self.zone, known_at(self.now, self.as_of))


def meters_portfolio(
    *, meters: Sequence[Meter], wanted: Wanted, within: Mapping[UUID, Sequence[Period]] | None = None
) -> Portfolio:
    """Return what meters counted, each wherever it hung, and together. Four queries.

    :param meters: one at least.
    :param within: keep to these periods of each meter, by its id; all unless told.
    :raises InvalidPeriod: more intervals than an answer may hold.
    :raises MixedUnits: they are not counted in one unit.
    """
    axis = wanted.axis
    seen = {meter.pk: None if within is None else within.get(meter.pk, ()) for meter in meters}
    stretches = meter_stretches(seen, axis.period, direction=wanted.direction)
    asked = [Asked(axis, stretches[meter.pk], usual_unit(meter.type), from_days=True) for meter in meters]
    return _portfolio([meter.serial for meter in meters], asked, wanted)


def accounts_portfolio(*, accounts: Sequence[CustomerAccount], commodity: str, wanted: Wanted) -> Portfolio:
    """Return what accounts used of a commodity where they were supplied, each and together. Five queries.

    :param accounts: one at least.
    :raises InvalidPeriod: more intervals than an answer may hold.
    :raises MixedUnits: they are not counted in one unit.
    """
    axis = wanted.axis
    periods = {account.pk: axis.period for account in accounts}
    stretches = supply_stretches(periods, axis.period, commodity=commodity, direction=wanted.direction)
    unit = usual_unit(commodity)
    asked = [Asked(axis, stretches.get(account.pk, ()), unit, from_days=True) for account in accounts]
    return _portfolio([account.number for account in accounts], asked, wanted)


def class_consumption(*, commodity: str, service_class: str | None, wanted: Wanted) -> Consumption:
    """Return what all places of a commodity, and of a class unless all, used together. Four queries.

    It ends with the last local day that has ended, so that days tell nearly all of it.

    :raises InvalidPeriod: more intervals than an answer may hold.
    """
    today = local_day(wanted.now.astimezone(wanted.zone).date(), wanted.zone)
    period = Period(wanted.period.start, max(wanted.period.start, min(wanted.period.end, today.start)))
    axis = Axis.of(period, wanted.granularity, wanted.zone, known_at(wanted.now, wanted.as_of))
    stays = stays_of_class(commodity, service_class, period, direction=wanted.direction)
    stretches = [
        Stretch(part, (stay,)) for stay in stays if (part := stay.period.intersect(axis.period)) and stay.registers
    ]
    return measure([Asked(axis, stretches, usual_unit(commodity), from_days=True)], as_of=wanted.as_of)[0]


def zones_of(*, meters: Sequence[Meter]) -> list[str]:
    """Return the zones of the places where meters hang or hung. One query."""
    return store.reads.zones_of_meters(meter.pk for meter in meters)


def common_zone(names: Iterable[str]) -> ZoneInfo:
    """Return the zone that all share, otherwise the portal's own."""
    found = set(names)
    return zone_named(found.pop() if len(found) == 1 else settings.SITE_ZONE)


def _portfolio(names: Sequence[str], asked: Sequence[Asked], wanted: Wanted) -> Portfolio:
    """Measure members, and what they used together.

    :raises MixedUnits: volumes are among them, and something else.
    """
    found, total = measure_together(asked, as_of=wanted.as_of)
    units = {each.unit for each in found}
    if len(units) > 1 and Unit.M3 in units:
        raise MixedUnits(f"They are counted in {', '.join(sorted(units))}: ask for one commodity at a time.")
    complete = total.complete and all(each.complete for each in found)
    return Portfolio(replace(total, complete=complete), dict(zip(names, found, strict=True)))
