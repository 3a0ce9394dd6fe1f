from celery import shared_task
from django.utils import timezone

from meters.insights.services.faults import diagnose_due

_AT_ONCE = 100
# A run ends before the next one begins; what is left is due then.
_ROUNDS = 200


@shared_task
def diagnose_appliances() -> int:
    """Look at the appliances behind devices; hourly, harmless when several workers do so at once."""
    looked_at = 0
    for _ in range(_ROUNDS):
        some = diagnose_due(now=timezone.now(), limit=_AT_ONCE)
        looked_at += some
        if some < _AT_ONCE:
            break
    return looked_at
