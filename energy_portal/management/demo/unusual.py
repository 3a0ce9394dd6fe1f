"""What was unusual in the demo's homes: found in their readings as in anybody's."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from energy_portal.shared.clock import local_day
from meters.insights.services.baselines import refresh_baselines
from meters.insights.services.watching import score_arrivals

_DAYS_LOOKED_AT = 6


def find_unusual(*, zone: ZoneInfo, now: datetime) -> None:
    """Learn what was usual until some days ago, and score the half-hours since."""
    first = now.astimezone(zone).date() - timedelta(days=_DAYS_LOOKED_AT)
    refresh_baselines(now=now, until=local_day(first, zone).start)
    while score_arrivals(now=now):
        pass
