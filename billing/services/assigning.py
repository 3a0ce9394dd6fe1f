"""Put accounts on tariffs of their own."""

from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange

from accounts.actors import Actor
from accounts.models import CustomerAccount
from accounts.services import audit
from billing.models import Tariff, TariffAssignment
from energy_portal.shared.errors import Conflict, Invalid


class TariffAssigned(Conflict):
    """The account has a tariff of its own on some of the days."""

    code = "tariff_assigned"


class NoDays(Invalid):
    """An assignment would end before it starts."""

    code = "tariff_assignment_without_days"


@transaction.atomic
def assign_tariff(
    *, account_id: UUID, tariff_id: UUID, start: date, actor: Actor, now: datetime, after: date | None = None
) -> TariffAssignment:
    """Put an account on a tariff from a local day on; the open-ended one that it had ends there.

    A repeat, or an assignment to the tariff that the account is on through all of the days, changes nothing.

    :param after: first local day on which it holds no more; None: until further notice.
    :raises CustomerAccount.DoesNotExist: there is no such account.
    :raises Tariff.DoesNotExist: there is no such tariff.
    :raises TariffAssigned: another assignment that begins later, or ends by itself, holds some of the days.
    :raises NoDays: it would end before it starts.
    """
    account = CustomerAccount.objects.select_for_update(no_key=True).get(pk=account_id)
    tariff = Tariff.objects.get(pk=tariff_id)
    if after is not None and after <= start:
        raise NoDays(f"It would end on {after}, and start on {start}.")
    days = DateRange(start, after)
    standing: list[TariffAssignment] = list(
        account.tariffs.select_for_update(of=("self",)).filter(effective__overlap=days).select_related("tariff")
    )
    for assignment in standing:
        if assignment.tariff_id == tariff.pk and _holds(assignment.effective, days):
            return assignment
    for assignment in standing:
        own = assignment.effective
        if own.upper is not None or (own.lower is not None and own.lower >= start):
            until = f" until {own.upper}" if own.upper else ""
            raise TariffAssigned(f"{account} is on {assignment.tariff} from {own.lower or 'ever'}{until}.")
        assignment.effective = DateRange(own.lower, start)
        assignment.save(update_fields=["effective"])
        audit.record(action="tariff.left", obj=assignment, actor=actor, now=now, account=account.number, before=start)
    assigned = TariffAssignment.objects.create(account=account, tariff=tariff, effective=days)
    audit.record(
        action="tariff.assigned", obj=assigned, actor=actor, now=now, account=account.number, tariff=tariff.code
    )
    return assigned


def _holds(own: DateRange, days: DateRange) -> bool:
    starts = own.lower is None or own.lower <= days.lower
    return starts and (own.upper is None or (days.upper is not None and days.upper <= own.upper))
