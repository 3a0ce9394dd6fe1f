"""How much energy was used, when, and how well that is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from accounts.models import CustomerAccount
from energy_portal.shared.clock import Period
from energy_portal.shared.errors import Invalid
from meters.models import Meter


class InvalidPeriod(Invalid):
    """A period is not one that can be asked for."""

    code = "invalid_period"


class PeriodName(StrEnum):
    LAST_30_MINUTES = "last_30_minutes"
    TODAY = "today"
    WEEK = "week"
    MONTH = "month"
    LAST_MONTH = "last_month"
    CUSTOM = "custom"


class Granularity(StrEnum):
    HALF_HOUR = "half_hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True)
class Interval:
    """The energy of one stretch of a series, kWh; ``energy_kwh`` and ``quality`` are None where it is not known."""

    start: datetime
    end: datetime
    energy_kwh: Decimal | None
    quality: int | None
    estimated: bool


@dataclass(frozen=True)
class Consumption:
    """What was used in a period, kWh.

    ``energy_kwh`` is the energy of the known part of the period, None where nothing is known; ``complete`` tells
    whether the known part is all of it. ``estimated_share`` is 0 to 1, of ``energy_kwh``.
    """

    period: Period
    energy_kwh: Decimal | None
    complete: bool
    estimated_share: Decimal
    as_of: datetime
    series: tuple[Interval, ...]


def account_consumption(
    *, account: CustomerAccount, period: Period, granularity: Granularity | None, now: datetime
) -> Consumption:
    """Return what an account used in a period, at all places where it was supplied, while it was."""
    raise NotImplementedError


def accounts_consumption(
    *, accounts: Sequence[CustomerAccount], period: Period, granularity: Granularity | None, now: datetime
) -> dict[CustomerAccount, Consumption]:
    """Return what each of several accounts used, in a constant number of queries."""
    raise NotImplementedError


def meter_consumption(
    *,
    meter: Meter,
    period: Period,
    granularity: Granularity | None,
    now: datetime,
    zone: ZoneInfo | None = None,
    within: Sequence[Period] | None = None,
) -> Consumption:
    """Return what one meter counted in a period, while it hung anywhere and, where given, ``within`` periods."""
    raise NotImplementedError


def named_period(
    name: PeriodName | str, *, now: datetime, zone: ZoneInfo, from_: datetime | None = None, to: datetime | None = None
) -> Period:
    """Return the period that a name means at an instant, on a zone's clock.

    :raises InvalidPeriod: no such name, or a custom period without two instants in order.
    """
    raise NotImplementedError
