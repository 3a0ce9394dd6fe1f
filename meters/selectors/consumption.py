"""How much energy was used, when, and how well that is known.

Missing is never zero. The energy of a period is that of its known part, from the first to the last instant at which
the curve is known; ``complete`` tells whether that is all of it. So "today" shows what was used so far although the
newest half-hours may still be on their way, and a month with a missing edge shows what is certain. An edge between
two reads at most two hours apart is taken from the line between them and counts as estimated. Intervals of a series
are stricter: each is wholly known or None, half-hours from reads at both their ends alone; only the last interval of
a period that still runs shows its part so far. Of an interval register a half-hour that is missing is unknown, and what
is known of a period is the sum of its other half-hours.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from accounts.models import CustomerAccount
from energy_portal.shared.clock import Period
from energy_portal.shared.clock import zone as zone_named
from meters import store
from meters.models import Meter
from meters.models.places import Commodity
from meters.selectors.answers import Asked, Axis, Consumption, Interval, known_at, measure
from meters.selectors.flows import Direction, usual_unit
from meters.selectors.periods import Granularity, InvalidPeriod, PeriodName, named_period
from meters.selectors.rollups import Stretch
from meters.selectors.stretches import meter_stretches, supply_stretches

__all__ = [
    "Consumption",
    "Direction",
    "Granularity",
    "Interval",
    "InvalidPeriod",
    "PeriodName",
    "account_consumption",
    "account_period",
    "accounts_consumption",
    "meter_consumption",
    "meter_period",
    "meter_zone",
    "named_period",
]

LATEST_LOOK_BACK = timedelta(hours=24)


def account_consumption(
    *,
    account: CustomerAccount,
    period: Period,
    granularity: Granularity | None,
    now: datetime,
    as_of: datetime | None = None,
    direction: str = Direction.IMPORT,
    commodity: str = Commodity.ELECTRIC,
) -> Consumption:
    """Return what an account used in a period: at all places where it was supplied, while it was.

    Energy that its meters sent out is not subtracted. Series follow the account's clock.

    :param as_of: when it was known; now unless told.
    :param direction: what came in, or what went out.
    :raises InvalidPeriod: more intervals than an answer may hold.
    """
    found = accounts_consumption(
        accounts=[account],
        period=period,
        granularity=granularity,
        now=now,
        as_of=as_of,
        direction=direction,
        commodity=commodity,
    )
    return found[account]


def accounts_consumption(
    *,
    accounts: Sequence[CustomerAccount],
    period: Period,
    granularity: Granularity | None,
    now: datetime,
    as_of: datetime | None = None,
    direction: str = Direction.IMPORT,
    commodity: str = Commodity.ELECTRIC,
) -> dict[CustomerAccount, Consumption]:
    """Return what each of several accounts used, in four queries.

    :param as_of: when it was known; now unless told.
    :raises InvalidPeriod: more intervals than an answer may hold.
    """
    latest = known_at(now, as_of)
    axes = {account.pk: Axis.of(period, granularity, zone_named(account.zone), latest) for account in accounts}
    periods = {account_id: axis.period for account_id, axis in axes.items()}
    stretches = supply_stretches(periods, period, commodity=commodity, direction=direction)
    unit = usual_unit(commodity)
    from_days = _by_half_hours(stretch for own in stretches.values() for stretch in own)
    measured = measure(
        [Asked(axes[account.pk], stretches.get(account.pk, ()), unit, from_days) for account in accounts], as_of=as_of
    )
    return dict(zip(accounts, measured, strict=True))


def meter_consumption(
    *,
    meter: Meter,
    period: Period,
    granularity: Granularity | None,
    now: datetime,
    zone: ZoneInfo | None = None,
    within: Sequence[Period] | None = None,
    as_of: datetime | None = None,
    direction: str = Direction.IMPORT,
) -> Consumption:
    """Return what one meter counted in a period, while it hung anywhere and, where given, ``within`` periods.

    It follows the meter, not the place: what was counted before or after an exchange is another meter's. A meter that
    has both dials and interval registers is counted once: by its dials, and by its half-hours where they do not tell.

    :param zone: whose clock the series follow; by default that of the place where the meter hangs.
    :param as_of: when it was known; now unless told.
    :param direction: what came in, or what went out.
    :raises InvalidPeriod: more intervals than an answer may hold.
    """
    axis = Axis.of(period, granularity, zone or meter_zone(meter=meter), known_at(now, as_of))
    stretches = meter_stretches({meter.pk: within}, axis.period, direction=direction)[meter.pk]
    return measure([Asked(axis, stretches, usual_unit(meter.type), _by_half_hours(stretches))], as_of=as_of)[0]


def account_period(
    *,
    account: CustomerAccount,
    name: PeriodName | str,
    now: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    **which: Any,
) -> Period:
    """Return the period that a name means for an account; the last 30 minutes are the newest known ones of a day.

    A name means what it means now, also of what was known at an earlier instant.

    :param which: what more :func:`account_consumption` is asked with: ``as_of``, ``direction``, ``commodity``.
    :raises InvalidPeriod: see :func:`named_period`.
    """
    period = named_period(name, now=now, zone=zone_named(account.zone), from_=from_, to=to)
    if name != PeriodName.LAST_30_MINUTES:
        return period
    return _newest_half_hour(
        period,
        lambda day: account_consumption(
            account=account, period=day, granularity=Granularity.HALF_HOUR, now=now, **which
        ),
    )


def meter_period(
    *,
    meter: Meter,
    name: PeriodName | str,
    now: datetime,
    zone: ZoneInfo,
    from_: datetime | None = None,
    to: datetime | None = None,
    **which: Any,
) -> Period:
    """Return the period that a name means for a meter; the last 30 minutes are the newest known ones of a day.

    A name means what it means now, also of what was known at an earlier instant.

    :param which: what more :func:`meter_consumption` is asked with: ``within``, ``as_of``, ``direction``.
    :raises InvalidPeriod: see :func:`named_period`.
    """
    period = named_period(name, now=now, zone=zone, from_=from_, to=to)
    if name != PeriodName.LAST_30_MINUTES:
        return period
    return _newest_half_hour(
        period,
        lambda day: meter_consumption(
            meter=meter, period=day, granularity=Granularity.HALF_HOUR, now=now, zone=zone, **which
        ),
    )


def meter_zone(*, meter: Meter) -> ZoneInfo:
    """Return the zone of the place where a meter hangs, or hung last."""
    zones = store.reads.zones_of_meters([meter.pk])
    return zone_named(zones[0] if zones else settings.SITE_ZONE)


def _newest_half_hour(last: Period, consumption_of: Callable[[Period], Consumption]) -> Period:
    """Return the newest half-hour whose energy is known within a day before the end of ``last``, otherwise ``last``."""
    series = consumption_of(Period(last.end - LATEST_LOOK_BACK, last.end)).series
    known = (each for each in reversed(series) if each.quantity is not None)
    return next((Period(each.start, each.end) for each in known), last)


def _by_half_hours(stretches: Iterable[Stretch]) -> bool:
    """Tell whether all half-hours would have to be read: of dials the reads around the edges are enough."""
    stays = (stay for stretch in stretches for stay in stretch.stays)
    return any(register.is_interval for stay in stays for register in stay.registers)
