"""Anomalies as somebody may see them."""

from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from energy_portal.shared.errors import NotFound
from meters.insights.models import Anomaly


class NoSuchAnomaly(NotFound):
    """There is no such anomaly, or not for the one who asks."""

    code = "no_such_anomaly"


def anomalies_for(user: User | None) -> QuerySet[Anomaly]:
    """Return the anomalies that somebody may see; ``user`` None means a data source, which may see all."""
    rows = Anomaly.objects.all() if user is None else Anomaly.objects.visible_to(user)
    return rows.select_related("account", "region", "acknowledged_by", "verdict_by")


def anomaly_for(*, anomaly_id: UUID, user: User | None) -> Anomaly:
    """Return an anomaly that somebody may see.

    :raises NoSuchAnomaly: none, or not theirs.
    """
    found: Anomaly | None = anomalies_for(user).filter(pk=anomaly_id).first()
    if found is None:
        raise NoSuchAnomaly("There is no such anomaly.")
    return found
