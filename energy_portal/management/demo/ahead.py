"""What is expected in the demo's homes: taught by their readings, as anybody's are, and scored by them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from accounts.actors import PORTAL
from energy_portal.shared.clock import local_day
from meters.insights.features import HISTORY_DAYS
from meters.insights.models import Subject
from meters.insights.selectors.surroundings import SurroundingsBook
from meters.insights.services.forecasting import make_all, origin_at
from meters.insights.services.scoring import score_due
from meters.insights.services.training import TooLittleKnown, train_cohort

# Enough for a demo, and taught in some ten seconds; the weekly training takes as many as the settings say.
_MOST_ORIGINS = 160
_DAYS_BACK = 7


def look_ahead(*, zone: ZoneInfo, now: datetime) -> None:
    """Teach a model by the homes as they were a week ago, forecast from each midnight since, and score what came.

    Where too little was known of them there is no model, and no forecast.
    """
    today = now.astimezone(zone).date()
    midnights = [local_day(today - timedelta(days=back), zone).start for back in range(_DAYS_BACK, -1, -1)]
    try:
        train_cohort(cohort=Subject.SERVICE_POINT, actor=PORTAL, now=midnights[0], most_origins=_MOST_ORIGINS)
    except TooLittleKnown:
        return
    for origin in midnights:
        book = SurroundingsBook(known_at=origin, days=HISTORY_DAYS)
        for kind in (Subject.SERVICE_POINT, Subject.PORTAL):
            make_all(kind=kind, zone=zone.key, origin=origin, now=origin, book=book)
    while score_due(now=now):
        pass


def look_ahead_of_batteries(*, zone: ZoneInfo, now: datetime) -> None:
    """Tell how full the batteries will be in the two days from midnight on, from the weeks that they told of."""
    origin, book = origin_at(now, zone), SurroundingsBook(known_at=now, days=HISTORY_DAYS)
    make_all(kind=Subject.BATTERY, zone=zone.key, origin=origin, now=now, book=book)
