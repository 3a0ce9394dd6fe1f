"""The running end of an account's readings: how far they reach, and what has been used up to there."""

from datetime import datetime, timedelta

from accounts.models import CustomerAccount
from energy_portal.shared.clock import Period, floor_half_hour
from meters.selectors.consumption import Consumption, Granularity, Interval, account_consumption

LOOK_BACK = timedelta(days=2)


def measured_until(*, account: CustomerAccount, now: datetime) -> datetime | None:
    """Return the end of an account's newest known half-hour; None when the last two days have none."""
    mark = floor_half_hour(now)
    recent = account_consumption(
        account=account, period=Period(mark - LOOK_BACK, mark), granularity=Granularity.HALF_HOUR, now=now
    )
    return last_known_end(recent.series)


def last_known_end(series: tuple[Interval, ...]) -> datetime | None:
    """Return the end of the last interval whose energy is known."""
    return next((interval.end for interval in reversed(series) if interval.energy_kwh is not None), None)


def used_between(
    *, account: CustomerAccount, start: datetime, until: datetime | None, now: datetime
) -> Consumption | None:
    """Return what an account used from an instant up to the end of its readings; None where they end before it."""
    if until is None or until <= start:
        return None
    return account_consumption(account=account, period=Period(start, until), granularity=None, now=now)
