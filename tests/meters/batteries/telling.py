"""What tests of batteries share: having a battery tell something."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np

from meters.batteries.models import Battery, BatteryQuarter
from meters.batteries.quantities import System
from meters.batteries.rollup import FIELDS
from meters.batteries.services.quarters import close_quarters, roll_up_next
from meters.batteries.services.readings import Readings, store_readings
from meters.series.columns import EPOCH

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
QUARTER = 15 * MINUTE

Row = tuple[datetime, dict[str, float]]


def tell(
    battery: Battery,
    rows: Iterable[Row],
    *,
    system: System = System.BMS,
    now: datetime | None = None,
    is_live: bool = True,
) -> None:
    """Store rows of a battery (time, value by column), by default at the instant of the newest of them."""
    told = list(rows)
    names = sorted({name for _, values in told for name in values})
    readings = Readings(
        np.full(len(told), battery.pk, dtype=np.int64),
        np.array([(at - EPOCH) // timedelta(microseconds=1) for at, _ in told], dtype=np.int64),
        {name: np.array([values.get(name, np.nan) for _, values in told]) for name in names},
    )
    at = now or max(at for at, _ in told)
    store_readings(system=system, readings=readings, is_live=is_live, now=at)


def power(*minutes: float, kw: float = 80.0, start: datetime = NOON) -> list[Row]:
    """Return rows of the BMS that tell a power at so many minutes after the start."""
    return [(start + minute * MINUTE, {"voltage_v": 800.0, "current_a": kw * 1000 / 800}) for minute in minutes]


def roll_up(now: datetime) -> None:
    """Close what has closed, and work off all that waits."""
    close_quarters(now=now)
    while roll_up_next():
        pass


def quarters_of(battery: Battery) -> dict[datetime, dict[str, float | None]]:
    """Return all that is known of a battery's quarters, by their start."""
    return {row["time"]: row for row in BatteryQuarter.objects.filter(battery=battery).values("time", *FIELDS)}
