"""Homes whose meters have reported, for tests of pages: every reading goes through the door."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.actors import PORTAL
from accounts.models import CustomerAccount, User
from energy_portal.shared.clock import half_hours
from meters.models import Register
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import AccountAccessFactory, CustomerAccountFactory, supplied_register

HALF_HOURLY_KWH = Decimal("0.25")


def everything(_: datetime) -> bool:
    return True


def home_of(user: User, **account: object) -> tuple[CustomerAccount, Register]:
    """Make an account that a user may see, supplied through one meter."""
    made: CustomerAccount = CustomerAccountFactory(**account)
    AccountAccessFactory(account=made, user=user)
    return made, supplied_register(account=made)


def report(
    register: Register, *, start: datetime, until: datetime, keep: Callable[[datetime], bool] = everything
) -> None:
    """Let a meter report a steady quarter of a kWh each half-hour, up to ``until``; only marks to keep arrive."""
    shown, offered = Decimal(1000), []
    for mark in half_hours(start, until + timedelta.resolution):
        if keep(mark):
            offered.append(OfferedReading(meter_id=register.meter.serial, timestamp=mark, value=shown))
        shown += HALF_HOURLY_KWH
    outcome = receive_readings(readings=offered, actor=PORTAL, now=until)
    assert outcome.stored == len(offered)
