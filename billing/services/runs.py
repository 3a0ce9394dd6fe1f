"""Run a month's bills: start once, continue where it stopped."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.actors import PORTAL, Actor
from accounts.models import CustomerAccount
from accounts.services import audit
from billing.models import BillRun
from billing.selectors.runs import account_zones, due_accounts, run_counts
from billing.services import drafting
from billing.services.bills import require_month_over
from energy_portal.shared.clock import YearMonth
from energy_portal.shared.jobs import enqueue_on_commit

CHUNK_ACCOUNTS = 200
PROCESS_TASK = "billing.tasks.run_month_bills"

_Status = BillRun.Status
_PROGRESS = ("cursor", "status", "accounts_total", "accounts_done", "bills_issued", "bills_held")
_TIMES = ("started_at", "finished_at", "error")


@transaction.atomic
def start_month(*, month: YearMonth, actor: Actor, now: datetime) -> BillRun:
    """Make a month's run, or make a finished one ready to pick up the accounts that have no issued bill yet.

    A run that is queued or under way is returned as it is.

    :raises MonthNotOver: the month is not over in the site's zone.
    """
    require_month_over(month=month, zone_name=settings.SITE_ZONE, now=now)
    _, made = BillRun.objects.get_or_create(month=month.first_day, defaults={"started_by": actor.user})
    run = BillRun.objects.select_for_update(of=("self",)).get(month=month.first_day)
    if not made and run.status in {_Status.QUEUED, _Status.RUNNING}:
        return run
    counts = run_counts(month=month, now=now)
    run.status, run.cursor, run.error = _Status.QUEUED, "", ""
    run.started_at = run.finished_at = None
    run.accounts_total, run.accounts_done = counts.supplied, counts.billed
    run.bills_issued, run.bills_held = counts.billed, 0
    run.save(update_fields=(*_PROGRESS, *_TIMES))
    audit.record(action="bill_run.started", obj=run, actor=actor, now=now, month=str(month))
    return run


@transaction.atomic
def request_month(*, month: YearMonth, actor: Actor, now: datetime) -> BillRun:
    """Start a month's run and have a worker process it once this transaction commits.

    A run that stands still is asked for again, which continues it; one that is under way is not harmed by it.

    :raises MonthNotOver: the month is not over in the site's zone.
    """
    run = start_month(month=month, actor=actor, now=now)
    enqueue_on_commit(PROCESS_TASK, run_id=run.pk)
    return run


def process_run(*, run_id: UUID, now: datetime, chunk_accounts: int = CHUNK_ACCOUNTS) -> BillRun:
    """Bill every account that is due, a chunk a transaction; after a stop it continues with the next chunk.

    Each chunk locks the run's row, reads how far it is, and moves it on together with the bills it made, so that
    several processes may call this at once and every account is billed by one of them.

    :raises BillRun.DoesNotExist: there is no such run.
    """
    zones = account_zones()
    try:
        while _process_chunk(run_id, zones, now, chunk_accounts):
            pass
    except Exception as error:
        BillRun.objects.filter(pk=run_id).exclude(status=_Status.DONE).update(
            status=_Status.FAILED, error=f"{type(error).__name__}: {error}", finished_at=now
        )
        raise
    return BillRun.objects.get(pk=run_id)


@transaction.atomic
def _process_chunk(run_id: UUID, zones: list[str], now: datetime, size: int) -> bool:
    """Bill the next accounts of a run; tell whether there may be more."""
    run = BillRun.objects.select_for_update().get(pk=run_id)
    if run.status == _Status.DONE:
        return False
    if run.status != _Status.RUNNING:
        run.status, run.started_at, run.finished_at, run.error = _Status.RUNNING, run.started_at or now, None, ""
    accounts = _lock_next_accounts(run, zones, now, size)
    if accounts:
        _bill(run, accounts, now)
    if len(accounts) < size:
        run.status, run.finished_at = _Status.DONE, now
        run.accounts_total = run.accounts_done
    run.save(update_fields=(*_PROGRESS, *_TIMES))
    return run.status != _Status.DONE


def _lock_next_accounts(run: BillRun, zones: list[str], now: datetime, size: int) -> list[CustomerAccount]:
    due = due_accounts(month=YearMonth.of(run.month), zones=zones, after=run.cursor, now=now)
    return list(due.select_for_update(of=("self",), no_key=True)[:size])


def _bill(run: BillRun, accounts: list[CustomerAccount], now: datetime) -> None:
    month = YearMonth.of(run.month)
    drafts = drafting.draft_bills(accounts=accounts, month=month, run=run, now=now)
    issued = drafting.issue_drafts(bills=drafts, month=month, now=now)
    run.cursor = accounts[-1].number
    run.accounts_done += len(accounts)
    run.bills_issued += len(issued)
    run.bills_held += len(drafts) - len(issued)
    if issued:
        audit.record(
            action="bill_run.issued",
            obj=run,
            actor=Actor(user=run.started_by) if run.started_by_id else PORTAL,
            now=now,
            first=issued[0].number,
            last=issued[-1].number,
            bills=len(issued),
        )
