"""Trends of batteries, daily."""

from celery import shared_task
from django.utils import timezone

from meters.batteries.models import Battery
from meters.insights.services import trends


@shared_task
def measure_batteries() -> int:
    """Measure the closed days of all batteries in service; daily, several workers may at once."""
    now = timezone.now()
    active = Battery.objects.filter(status=Battery.Status.ACTIVE).order_by("pk").values_list("pk", flat=True)
    return sum(trends.measure_battery(battery_pk=pk, now=now) for pk in list(active))
