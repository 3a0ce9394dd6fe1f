"""What workers do for bills."""

from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from accounts.actors import PORTAL
from billing.services import archiving, bank, deliveries, reminders, rerating, runs
from energy_portal.shared.clock import YearMonth, zone

_PREVIEW_BY_CALENDAR = {"issue": False, "preview": True, "never": None}
_MAIL_TRIES = 8
_FIRST_WAIT_SECONDS = 30


@shared_task(name=runs.PROCESS_TASK)
def run_month_bills(*, run_id: str) -> None:
    """Process a bill run; harmless when it is done or under way elsewhere."""
    runs.process_run(run_id=UUID(run_id), now=timezone.now())


@shared_task(name="billing.tasks.run_last_month")
def run_last_month() -> None:
    """Request the bills, or the preview, of the month that is over on the site's clock; never, if settings say so."""
    preview = _PREVIEW_BY_CALENDAR[settings.BILL_RUN_BY_CALENDAR]
    if preview is None:
        return
    now = timezone.now()
    month = YearMonth.of(now, zone(settings.SITE_ZONE)).previous()
    runs.request_month(month=month, actor=PORTAL, now=now, preview=preview)


@shared_task(name="billing.tasks.resume_runs")
def resume_runs() -> None:
    """Go on with runs whose processes died."""
    runs.resume_stalled()


@shared_task
def mail_bills() -> int:
    """Mail what is due of the bills that were issued, a minute's share; several workers may do so at once."""
    return deliveries.send_due(now=timezone.now(), most=settings.BILL_MAILS_A_MINUTE)


@shared_task(name="billing.tasks.rerate_version")
def rerate_version(*, version_id: str) -> None:
    """Rate anew the bills that a tariff version touches; harmless when it is done or under way elsewhere."""
    rerating.rerate_version(version_id=UUID(version_id), now=timezone.now())


@shared_task(name="billing.tasks.resume_reratings")
def resume_reratings() -> None:
    """Go on with what a stop left unfinished of rating anew after a tariff's revision."""
    rerating.resume_reratings(now=timezone.now())


@shared_task(name="billing.tasks.archive_bills")
def archive_bills() -> None:
    """Archive the bills that are older than is set."""
    archiving.archive_bills(now=timezone.now())


@shared_task(name=bank.BOOK_TASK)
def book_bank_import(*, import_id: str) -> None:
    """Book a bank's file; harmless when it is booked or under way elsewhere."""
    bank.book_import(import_id=UUID(import_id), now=timezone.now())


@shared_task(name="billing.tasks.resume_bank_imports")
def resume_bank_imports() -> int:
    """Go on with banks' files whose worker died."""
    return bank.resume_imports()


@shared_task(name="billing.tasks.remind_overdue")
def remind_overdue() -> int:
    """Remind of the bills that are overdue; daily."""
    return reminders.remind_overdue(now=timezone.now())


@shared_task(
    name=reminders.SEND_TASK, autoretry_for=(OSError,), retry_backoff=_FIRST_WAIT_SECONDS, max_retries=_MAIL_TRIES
)
def send_reminder(*, reminder_id: str) -> None:
    """Mail one reminder; harmless when it was mailed."""
    reminders.send_reminder(reminder_id=UUID(reminder_id), now=timezone.now())
