"""Background work of field operations."""

from asgiref.sync import async_to_sync
from celery import shared_task
from channels.layers import get_channel_layer
from django.utils import timezone

from field_ops.services import shifts


@shared_task(ignore_result=True)
def tell(*, groups: list[str]) -> None:
    """Let pages that stay open look again; what is not told now is seen at their next look."""
    layer = get_channel_layer()
    for group in groups:
        async_to_sync(layer.group_send)(group, {"type": "changed"})


@shared_task(ignore_result=True)
def forget_positions() -> None:
    """Forget where agents were longer ago than is stated."""
    shifts.forget_positions(now=timezone.now())
