"""What is usual of the demo's homes, and what has not been since yesterday."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from energy_portal.shared.clock import local_day
from meters.insights.services.baselines import refresh_baselines
from meters.insights.services.watching import score_arrivals


def find_unusual(*, now: datetime, zone: ZoneInfo) -> None:
    """Learn what is usual of all homes before yesterday, and score what was used since."""
    yesterday = now.astimezone(zone).date() - timedelta(days=1)
    refresh_baselines(now=now, until=local_day(yesterday, zone).start)
    while score_arrivals(now=now):
        pass
