"""A household to try prices on: made up, the same on every day of its kind, and it says so."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from energy_portal.shared.clock import HALF_HOUR, Period
from meters.halfhours import HalfHours

TYPICAL_KWH_A_DAY = Decimal(12)
_SATURDAY = 5
# Shares of a day's energy by the local hour: a quiet night, a small morning, a large evening; more by day at weekends.
_WEEKDAY = (30, 27, 25, 24, 24, 27, 38, 45, 38, 31, 30, 31, 34, 33, 32, 33, 38, 48, 62, 70, 72, 68, 54, 40)
_WEEKEND = (34, 30, 27, 25, 24, 25, 30, 40, 48, 50, 50, 52, 56, 54, 51, 50, 52, 56, 62, 66, 67, 64, 54, 43)
_UKWH = 1_000_000


def typical_household(*, period: Period, zone: ZoneInfo) -> HalfHours:
    """Return the half-hours of a home that uses 12 kWh a day, most of it in the evening.

    :param period: on half-hours of the zone's clock.
    """
    daily_ukwh = float(TYPICAL_KWH_A_DAY) * _UKWH
    tables = [np.array(shares) / sum(shares) / 2 * daily_ukwh for shares in (_WEEKDAY, _WEEKEND)]
    energy = np.empty(period.half_hour_count, dtype=np.int64)
    instant = period.start
    for place in range(energy.size):
        local = instant.astimezone(zone)
        energy[place] = round(tables[local.weekday() >= _SATURDAY][local.hour])
        instant += HALF_HOUR
    every = np.ones(energy.size, dtype=np.bool_)
    return HalfHours(period.start, energy, every, ~every)
