"""What workers do for bills."""

from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from accounts.actors import PORTAL
from billing.services import runs
from energy_portal.shared.clock import YearMonth, zone


@shared_task(name=runs.PROCESS_TASK)
def run_month_bills(*, run_id: str) -> None:
    """Process a bill run; harmless when it is done or under way elsewhere."""
    runs.process_run(run_id=UUID(run_id), now=timezone.now())


@shared_task(name="billing.tasks.run_last_month")
def run_last_month() -> None:
    """Request the bills of the month that is over, as the site's clock has it."""
    now = timezone.now()
    month = YearMonth.of(now, zone(settings.SITE_ZONE)).previous()
    runs.request_month(month=month, actor=PORTAL, now=now)
