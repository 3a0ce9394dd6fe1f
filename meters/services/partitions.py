"""Partitions of the register readings, made before they are needed."""

from datetime import UTC, datetime

from energy_portal.shared.clock import YearMonth, as_utc
from meters import store
from meters.series.partitions import ensure_partitions

MONTHS_AHEAD = 3


def make_partitions_ahead(*, now: datetime) -> list[str]:
    """Make the partitions of the current and the next three months (UTC); return the names of those made."""
    month = YearMonth.of(as_utc(now).date())
    starts = []
    for _ in range(1 + MONTHS_AHEAD):
        starts.append(datetime(month.year, month.month, 1, tzinfo=UTC))
        month = month.next()
    return ensure_partitions(store.REGISTER_READINGS, starts, floor=starts[0], ceiling=starts[-1])
