"""Partitions of what batteries tell, made before they are needed."""

from datetime import datetime, timedelta

from energy_portal.shared.clock import as_utc
from meters.batteries import store
from meters.series.partitions import ensure_partitions

# From any day of a month into the next one, and never beyond it.
_AHEAD = timedelta(days=28)


def make_months_ahead(*, now: datetime) -> list[str]:
    """Make the partitions of readings and quarters that the coming four weeks need (UTC); return those made."""
    month = as_utc(now)
    times = [month, month + _AHEAD]
    return [
        name for spec in store.ALL_SERIES for name in ensure_partitions(spec, times, floor=times[0], ceiling=times[1])
    ]
