from celery import shared_task
from django.utils import timezone

from meters.insights.services.rollback import judge_models
from meters.insights.services.scoring import score_due

# A run ends before the next one begins; what is left is due then.
_ROUNDS = 400


@shared_task
def score_forecasts() -> int:
    """Score the forecasts whose truth has come; hourly, harmless when several workers do so at once."""
    looked_at = 0
    for _ in range(_ROUNDS):
        some = score_due(now=timezone.now())
        looked_at += some
        if not some:
            break
    return looked_at


@shared_task
def judge_forecast_models() -> int:
    """Take back the models that do worse than what was there before them; daily."""
    return judge_models(now=timezone.now())
