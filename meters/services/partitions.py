"""Partitions of the register readings, made before they are needed."""

from datetime import datetime

from energy_portal.shared.clock import YearMonth
from meters import store
from meters.series.partitions import ensure_partitions

MONTHS_AHEAD = 3


def make_partitions_ahead(*, now: datetime) -> list[str]:
    """Make the partitions of the current and the next three months (UTC); return the names of those made."""
    months = [now]
    for _ in range(MONTHS_AHEAD):
        first_day = YearMonth.of(months[-1]).next().first_day
        months.append(datetime(first_day.year, first_day.month, 1, tzinfo=now.tzinfo))
    return ensure_partitions(store.REGISTER_READINGS, months, floor=months[0], ceiling=months[-1])
