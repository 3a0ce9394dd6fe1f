"""Run a month's bills: preview and issue, start once, continue where it stopped, by as many processes as there are."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from accounts.actors import PORTAL, Actor
from accounts.models import CustomerAccount
from accounts.services import audit
from billing.models import BillRun, BillRunChunk
from billing.selectors.runs import UNDER_WAY, account_zones, due_accounts, run_counts, stalled_runs
from billing.services import drafting
from billing.services.bills import require_month_over
from energy_portal.shared.clock import YearMonth
from energy_portal.shared.errors import Conflict
from energy_portal.shared.jobs import enqueue_on_commit

CHUNK_ACCOUNTS = 200
PROCESS_TASK = "billing.tasks.run_month_bills"

_Status = BillRun.Status
_PROGRESS = ("issues", "cursor", "status", "accounts_total", "accounts_done", "bills_issued", "bills_held")
_TIMES = ("started_at", "finished_at", "error")


class RunUnderWay(Conflict):
    """A preview is asked for while bills are issued, or the other way round."""

    code = "bill_run_under_way"


@transaction.atomic
def start_month(*, month: YearMonth, actor: Actor, now: datetime, preview: bool = False) -> BillRun:
    """Make a month's run, or make a finished one ready to pick up the accounts that have no issued bill yet.

    A run that is queued or under way is returned as it is, and one that failed goes on where it stopped.

    :param preview: make drafts only; a run that issues rates them anew and issues those that are not held.
    :raises MonthNotOver: the month is not over in the site's zone.
    :raises RunUnderWay: the month's run is under way, and it is a preview where this is none, or the other way round.
    """
    require_month_over(month=month, zone_name=settings.SITE_ZONE, now=now)
    fresh = {"started_by": actor.user, "issues": not preview}
    _, made = BillRun.objects.get_or_create(month=month.first_day, defaults=fresh)
    run = BillRun.objects.select_for_update(of=("self",), no_key=True).get(month=month.first_day)
    same = run.issues is not preview
    if not made and run.status in UNDER_WAY:
        if not same:
            what = "being issued" if run.issues else "in a preview"
            raise RunUnderWay(f"The bills of {month} are {what}: wait until that is done.")
        return run
    goes_on = run.status == _Status.FAILED and same
    if not goes_on:
        _begin_again(run, month, now)
        run.issues = not preview
    run.status, run.error, run.finished_at = _Status.QUEUED, "", None
    run.save(update_fields=(*_PROGRESS, *_TIMES))
    action = "bill_run.continued" if goes_on else "bill_run.started"
    audit.record(action=action, obj=run, actor=actor, now=now, month=str(month), preview=preview)
    return run


@transaction.atomic
def request_month(*, month: YearMonth, actor: Actor, now: datetime, preview: bool = False) -> BillRun:
    """Start a month's run and have workers process it once this transaction commits.

    A run that stands still is asked for again, which continues it; one that is under way is not harmed by it.

    :raises MonthNotOver: the month is not over in the site's zone.
    :raises RunUnderWay: as :func:`start_month` does.
    """
    run = start_month(month=month, actor=actor, now=now, preview=preview)
    for _ in range(settings.BILL_RUN_PROCESSES):
        enqueue_on_commit(PROCESS_TASK, run_id=run.pk)
    return run


@transaction.atomic
def resume_stalled() -> int:
    """Have workers go on with the runs under way that nobody processes; return how many."""
    stalled = stalled_runs()
    for run in stalled:
        enqueue_on_commit(PROCESS_TASK, run_id=run.pk)
    return len(stalled)


def process_run(*, run_id: UUID, now: datetime, chunk_accounts: int = CHUNK_ACCOUNTS) -> BillRun:
    """Bill every account that is due, a chunk a transaction; after a stop it continues with what is left.

    Several processes may call this at once. Each claims chunks in short transactions, and bills a chunk while it holds
    that chunk's row. Once all accounts are dealt out, it waits for the chunks of the others, and bills those whose
    process died. Numbers are taken last in a chunk's transaction, so that they have no gap.

    :raises BillRun.DoesNotExist: there is no such run.
    """
    zones = account_zones()
    try:
        while not _finish(run_id, zones, now):
            while (chunk_id := _claim(run_id, zones, now, chunk_accounts)) is not None:
                _process_one(BillRunChunk.objects.filter(pk=chunk_id).select_for_update(skip_locked=True), zones, now)
            left = BillRunChunk.objects.filter(run=run_id).order_by("pk").select_for_update()
            while _process_one(left, zones, now):
                pass
    except Exception as error:
        BillRun.objects.filter(pk=run_id).exclude(status=_Status.DONE).update(
            status=_Status.FAILED, error=f"{type(error).__name__}: {error}", finished_at=now
        )
        raise
    return BillRun.objects.get(pk=run_id)


def _begin_again(run: BillRun, month: YearMonth, now: datetime) -> None:
    """Forget how far a run was.

    :raises RunUnderWay: it failed, and another process still bills a chunk of it.
    """
    undone = run.chunks.filter(done_at=None)
    if undone.count() != len(undone.select_for_update(skip_locked=True)):
        raise RunUnderWay(f"The bills of {month} are being worked on: wait until that is done.")
    run.chunks.all().delete()
    counts = run_counts(month=month, now=now)
    run.cursor, run.started_at = "", None
    run.accounts_total, run.accounts_done = counts.supplied, counts.billed
    run.bills_issued, run.bills_held = counts.billed, 0


def _locked(run_id: UUID) -> BillRun:
    run: BillRun = BillRun.objects.select_for_update(no_key=True).get(pk=run_id)
    return run


@transaction.atomic
def _claim(run_id: UUID, zones: list[str], now: datetime, size: int) -> int | None:
    """Deal out the next accounts of a run; return the chunk's key, None once all are."""
    run = _locked(run_id)
    if run.status == _Status.DONE:
        return None
    if run.status != _Status.RUNNING:
        run.status, run.started_at, run.finished_at, run.error = _Status.RUNNING, run.started_at or now, None, ""
    due = due_accounts(month=YearMonth.of(run.month), zones=zones, after=run.cursor, now=now)
    numbers = list(due.values_list("number", flat=True)[:size])
    chunk = BillRunChunk.objects.create(run=run, after=run.cursor, upto=numbers[-1]) if numbers else None
    run.cursor = chunk.upto if chunk else run.cursor
    run.save(update_fields=("cursor", "status", *_TIMES))
    return chunk.pk if chunk else None


@transaction.atomic
def _process_one(chunks: QuerySet[BillRunChunk], zones: list[str], now: datetime) -> bool:
    """Bill the first of some chunks that is not done; tell whether there was one.

    :param chunks: with how their rows are to be locked.
    """
    chunk = chunks.filter(done_at=None).first()
    if chunk is None:
        return False
    run = BillRun.objects.select_related("started_by").get(pk=chunk.run_id)
    due = due_accounts(month=YearMonth.of(run.month), zones=zones, after=chunk.after, upto=chunk.upto, now=now)
    accounts = list(due.select_for_update(of=("self",), no_key=True))
    issued, held = _bill(run, accounts, now)
    chunk.done_at = now
    chunk.save(update_fields=("done_at",))
    BillRun.objects.filter(pk=run.pk).update(
        accounts_done=F("accounts_done") + len(accounts),
        bills_issued=F("bills_issued") + issued,
        bills_held=F("bills_held") + held,
    )
    return True


@transaction.atomic
def _finish(run_id: UUID, zones: list[str], now: datetime) -> bool:
    """Close a run of which nothing is left; tell whether it is done."""
    run = _locked(run_id)
    if run.status == _Status.DONE:
        return True
    due = due_accounts(month=YearMonth.of(run.month), zones=zones, after=run.cursor, now=now)
    if run.chunks.filter(done_at=None).exists() or due.exists():
        return False
    run.status, run.finished_at, run.error = _Status.DONE, now, ""
    run.started_at = run.started_at or now
    run.accounts_total = run.accounts_done
    run.save(update_fields=("status", "accounts_total", *_TIMES))
    return True


def _bill(run: BillRun, accounts: list[CustomerAccount], now: datetime) -> tuple[int, int]:
    """Draft accounts' bills, and issue those that are not held unless it is a preview; count both."""
    month = YearMonth.of(run.month)
    drafts = drafting.draft_bills(accounts=accounts, month=month, run=run, now=now)
    held = sum(bool(draft.held_because) for draft in drafts)
    issued = drafting.issue_drafts(bills=drafts, month=month, now=now) if run.issues else []
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
    return len(issued), held
