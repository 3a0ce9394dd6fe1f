"""What is expected in the demo's homes: taught by their readings, as anybody's are."""

from datetime import datetime
from zoneinfo import ZoneInfo

from accounts.actors import PORTAL
from meters.insights.features import HISTORY_DAYS
from meters.insights.models import Subject
from meters.insights.selectors.surroundings import SurroundingsBook
from meters.insights.services.forecasting import make_all, origin_at
from meters.insights.services.training import TooLittleKnown, train_cohort

# Enough for a demo, and taught in some ten seconds; the weekly training takes as many as the settings say.
_MOST_ORIGINS = 160


def look_ahead(*, zone: ZoneInfo, now: datetime) -> None:
    """Teach a model by the homes, unless too little is known of them, and forecast the two days from midnight on."""
    try:
        train_cohort(cohort=Subject.SERVICE_POINT, actor=PORTAL, now=now, most_origins=_MOST_ORIGINS)
    except TooLittleKnown:
        return
    origin, book = origin_at(now, zone), SurroundingsBook(known_at=now, days=HISTORY_DAYS)
    for kind in (Subject.SERVICE_POINT, Subject.PORTAL):
        make_all(kind=kind, zone=zone.key, origin=origin, now=now, book=book)
