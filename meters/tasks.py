"""Background work of metering."""

from celery import shared_task
from django.utils import timezone

from meters.services.partitions import make_partitions_ahead


@shared_task
def make_partitions() -> list[str]:
    """Make the partitions that the coming months need; daily, months before they are needed."""
    return make_partitions_ahead(now=timezone.now())
