"""What the demo's households paid: most of them each bill some days after its issue, and some not quite."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from accounts.actors import Actor
from billing.models import Bill, Payment
from billing.services.payments import Money, Payee, Told, record_payment

_FASTEST_DAYS, _DIFFERENT_PACES = 6, 11
# One household in so many has not paid its newest bill but one; the first, whose pages people look at, has.
_ONE_LATE_IN = 9
_TOLD = Told(Payment.Origin.MANUAL)


def pay_bills(*, zone: ZoneInfo, actor: Actor, now: datetime) -> int:
    """Record a payment of each issued bill that would have been paid by now; return how many."""
    bills = Bill.objects.bills().filter(status=Bill.Status.ISSUED, total__gt=0).select_related("account")
    newest = max(bills.values_list("month", flat=True), default=None)
    today, paid = now.astimezone(zone).date(), 0
    for bill in bills.order_by("month", "account__number"):
        number = int("".join(filter(str.isdigit, bill.account.number)) or 0)
        day = _paid_on(bill, number, zone)
        is_late = number % _ONE_LATE_IN == 0 and newest is not None and bill.month >= _month_before(newest)
        if day > today or is_late:
            continue
        record_payment(
            payee=Payee(bill.account, bill),
            money=Money(bill.total, bill.currency, day, f"Bill {bill.number}"),
            told=_TOLD,
            actor=actor,
            now=datetime(day.year, day.month, day.day, 12, tzinfo=zone),
        )
        paid += 1
    return paid


def _paid_on(bill: Bill, number: int, zone: ZoneInfo) -> date:
    if bill.issued_at is None:
        raise ValueError(f"{bill} was not issued.")
    pace = _FASTEST_DAYS + (number * 7 + bill.month.month) % _DIFFERENT_PACES
    return bill.issued_at.astimezone(zone).date() + timedelta(days=pace)


def _month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)
