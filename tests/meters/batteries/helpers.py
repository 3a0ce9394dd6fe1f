"""What tests of batteries share: readings put in as the door does it."""

from datetime import UTC, datetime, timedelta

import numpy as np

from meters.batteries.models import Battery
from meters.batteries.quantities import System
from meters.batteries.services.readings import Readings, store_readings
from meters.series.columns import EPOCH
from meters.series.writer import Outcome

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(hours=2)


def readings(battery: Battery, *rows: tuple[datetime, dict[str, float]]) -> Readings:
    """Return readings, each a time and its values by column."""
    names = sorted({name for _, values in rows for name in values})
    return Readings(
        np.full(len(rows), battery.pk, dtype=np.int64),
        np.array([(at - EPOCH) // timedelta(microseconds=1) for at, _ in rows], dtype=np.int64),
        {name: np.array([values.get(name, np.nan) for _, values in rows]) for name in names},
    )


def put(
    battery: Battery,
    *rows: tuple[datetime, dict[str, float]],
    system: System = System.BMS,
    is_live: bool = True,
    now: datetime = NOW,
) -> list[Outcome]:
    """Store readings."""
    return store_readings(system=system, readings=readings(battery, *rows), is_live=is_live, now=now)
