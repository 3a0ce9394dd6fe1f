"""Rate anew what a revised tariff version touches: drafts at once, issued bills by proposals to correct them."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange
from django.db.models import Q, QuerySet

from accounts.actors import PORTAL
from accounts.models import CustomerAccount
from accounts.services import audit
from billing.models import Bill, Hold, Rerating, TariffVersion
from billing.selectors.evidence import of_version
from billing.services import corrections, drafting
from billing.services.proposing import Verdict

CHUNK_ACCOUNTS = 100
_Status = Rerating.Status


def rerate_version(*, version_id: UUID, now: datetime, chunk_accounts: int = CHUNK_ACCOUNTS) -> Rerating:
    """Rate anew the bills that a version of a tariff touches, a chunk of accounts a transaction.

    Each chunk locks the row of this work, reads how far it is, and moves it on with what it proposed, so that it goes
    on where it stopped and several processes may call it at once. Done, it does nothing.

    :raises TariffVersion.DoesNotExist: there is no such version.
    """
    version = TariffVersion.objects.select_related("tariff", "supersedes").get(pk=version_id)
    Rerating.objects.get_or_create(version=version, defaults={"started_at": now})
    while _rerate_chunk(version, now, chunk_accounts):
        pass
    return Rerating.objects.get(version=version)


def resume_reratings(*, now: datetime) -> int:
    """Go on with what was left unfinished, or never begun; return how many versions that were."""
    never_begun = Q(rerating__isnull=True, supersedes__isnull=False)
    revised = TariffVersion.objects.filter(Q(rerating__status=_Status.RUNNING) | never_begun)
    keys = list(revised.order_by("created_at", "pk").values_list("pk", flat=True))
    for version_id in keys:
        rerate_version(version_id=version_id, now=now)
    return len(keys)


def touched_bills(version: TariffVersion) -> QuerySet[Bill]:
    """Filter the drafts and issued bills that a version may price otherwise than they were.

    They name a version of the same tariff, or are held for want of one, and lie in its days; or they name it or the
    version that it supersedes, whichever days these had then.
    """
    rated = Q(lines__tariff_version__tariff=version.tariff_id) | Q(held_because=Hold.NO_TARIFF)
    named = Q(lines__tariff_version__in=[key for key in (version.pk, version.supersedes_id) if key])
    wanted = Bill.objects.bills().filter(
        (_in_months(version.effective) & rated) | named, status__in=(Bill.Status.DRAFT, Bill.Status.ISSUED)
    )
    return Bill.objects.filter(pk__in=wanted.values("pk"))


@transaction.atomic
def _rerate_chunk(version: TariffVersion, now: datetime, size: int) -> bool:
    """Rate the next accounts' bills anew; tell whether there may be more."""
    work = Rerating.objects.select_for_update().get(version=version)
    if work.status == _Status.DONE:
        return False
    concerned = CustomerAccount.objects.filter(
        pk__in=touched_bills(version).values("account"), number__gt=work.cursor
    ).order_by("number")
    accounts = list(concerned.select_for_update(of=("self",), no_key=True)[:size])
    if accounts:
        _rerate(version, accounts, work, now)
        work.cursor = accounts[-1].number
    if len(accounts) < size:
        work.status, work.finished_at = _Status.DONE, now
        audit.record(
            action="tariff_version.rerated",
            obj=version,
            actor=PORTAL,
            now=now,
            bills=work.bills_rated,
            corrections=work.corrections_proposed,
        )
    work.save()
    return work.status != _Status.DONE


def _rerate(version: TariffVersion, accounts: list[CustomerAccount], work: Rerating, now: datetime) -> None:
    rows = touched_bills(version).filter(account__in=accounts).select_related("account").order_by("pk")
    bills = list(rows.select_for_update(of=("self",)))
    drafts = [bill for bill in bills if bill.status == Bill.Status.DRAFT]
    drafting.redraft(drafts=drafts, accounts=accounts, now=now)
    issued = [bill for bill in bills if bill.status == Bill.Status.ISSUED]
    evidence = of_version(version, now=now)
    findings = corrections.propose_all(
        bills=issued, evidence={bill.pk: evidence for bill in issued}, actor=PORTAL, now=now
    )
    work.bills_rated += len(findings)
    work.corrections_proposed += sum(found.verdict in {Verdict.PROPOSED, Verdict.DRAFTED_ANEW} for found in findings)
    for verdict in Verdict:
        audit.record_all(
            action="bill.touched",
            objects=[found.bill for found in findings if found.verdict == verdict],
            actor=PORTAL,
            now=now,
            because="tariff_revised",
            version=version.pk,
            outcome=verdict,
        )


def _in_months(days: DateRange) -> Q:
    """Keep the months that share a day with a range; both are local to the account."""
    condition = Q()
    if days.lower is not None:
        condition &= Q(month__gte=days.lower.replace(day=1))
    if days.upper is not None:
        condition &= Q(month__lt=days.upper)
    return condition
