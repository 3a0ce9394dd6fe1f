"""Record what customers pay, take it back by a contrary entry, and pay money back; no entry ever changes."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from accounts.models import CustomerAccount
from accounts.services import audit
from billing.models import Bill, Payment
from billing.selectors.balance import account_balance, currencies_of
from energy_portal.shared.clock import zone
from energy_portal.shared.errors import Conflict, Invalid
from energy_portal.shared.units import to_cents

# A provider's clock, or its zone, may be ahead of the account's.
_AHEAD = timedelta(days=1)
_LONGEST_REFERENCE = 300


class UnknownPayee(Invalid):
    """A payment names an account or a bill that is not there, none at all, or two that do not belong together."""

    code = "unknown_account"


class WrongCurrency(Invalid):
    """Money came in a currency in which the account owes nothing."""

    code = "wrong_currency"


class BadAmount(Invalid):
    """An amount is not above zero, or is finer than a cent."""

    code = "bad_amount"


class BadDay(Invalid):
    """Money is said to have moved on a day that is yet to come."""

    code = "in_future"


class OtherPayment(Conflict):
    """The id belongs to another payment already: of another account, amount, currency, day or kind."""

    code = "payment_conflict"


class CannotReverse(Conflict):
    """The entry was taken back already, or takes another one back itself."""

    code = "cannot_reverse"


class RefundExceedsCredit(Conflict):
    """More would be paid back than the account has left over."""

    code = "refund_exceeds_credit"


@dataclass(frozen=True)
class Payee:
    """Whose money it is, and the bill that the payer named."""

    account: CustomerAccount
    bill: Bill | None = None


@dataclass(frozen=True)
class Money:
    """What moved: an amount above zero, on a local day of the account; ``reference`` in the payer's words."""

    amount: Decimal
    currency: str
    received_on: date
    reference: str = ""


@dataclass(frozen=True)
class Told:
    """Who reports an entry, and by which id they know it; without an id a repeat counts again."""

    origin: Payment.Origin
    external_id: str = ""


@dataclass(frozen=True)
class Recorded:
    """An entry, and whether it was written now or had been reported before."""

    payment: Payment
    created: bool


def find_payee(*, account_number: str = "", bill_number: str = "") -> Payee:
    """Find whom a payment is for by the number of an account, of a bill, or both.

    :raises UnknownPayee: neither is named, one is not there, or the bill is another account's.
    """
    if not account_number and not bill_number:
        raise UnknownPayee("A payment names an account or a bill.", code="no_payee")
    bill = None
    if bill_number:
        known = Bill.objects.filter(number=bill_number, kind=Bill.Kind.BILL).exclude(status=Bill.Status.DRAFT)
        bill = known.select_related("account").first()
        if bill is None:
            raise UnknownPayee(f"There is no bill {bill_number!r}.", code="unknown_bill")
        if account_number and bill.account.number != account_number:
            raise UnknownPayee(f"The bill {bill_number!r} is another account's.", code="bill_of_another_account")
        return Payee(bill.account, bill)
    account = CustomerAccount.objects.filter(number=account_number).first()
    if account is None:
        raise UnknownPayee(f"There is no account {account_number!r}.")
    return Payee(account)


@transaction.atomic
def record_payment(*, payee: Payee, money: Money, told: Told, actor: Actor, now: datetime) -> Recorded:
    """Record money that came in; what was reported under the same id before is recognised and not counted again.

    :raises BadAmount: not above zero, or finer than a cent.
    :raises BadDay: the day is yet to come.
    :raises WrongCurrency: the account, or the bill, is in another currency.
    :raises OtherPayment: the id stands for something else.
    """
    require_money(payee=payee, money=money, now=now)
    return _enter(_entry(payee, money, told, actor, now), actor, now)


@transaction.atomic
def record_refund(*, payee: Payee, money: Money, told: Told, actor: Actor, now: datetime) -> Recorded:
    """Record money that was paid back. What a provider paid back is a fact; by hand no more goes than is left over.

    :raises BadAmount: not above zero, or finer than a cent.
    :raises BadDay: the day is yet to come.
    :raises WrongCurrency: the account is in another currency.
    :raises RefundExceedsCredit: the account has less left over.
    :raises OtherPayment: the id stands for something else.
    """
    account = CustomerAccount.objects.select_for_update(no_key=True).get(pk=payee.account.pk)
    require_money(payee=payee, money=money, now=now)
    entry = _entry(payee, money, told, actor, now)
    entry.kind, entry.amount = Payment.Kind.REFUND, -entry.amount
    if told.origin == Payment.Origin.MANUAL and _standing(entry) is None:
        balances = account_balance(account=account, now=now).balances
        credit = next((each.credit for each in balances if each.currency == money.currency), Decimal(0))
        if credit < money.amount:
            raise RefundExceedsCredit(f"Only {money.currency} {credit:.2f} is left over on {account.number}.")
    return _enter(entry, actor, now)


@transaction.atomic
def reverse_payment(
    *, payment_id: UUID, reason: str, told: Told, actor: Actor, now: datetime, received_on: date | None = None
) -> Recorded:
    """Take an entry back by its contrary, which names it; the entry itself stands as it was written.

    :param received_on: the local day on which the money moved back; today unless told.
    :raises Payment.DoesNotExist: there is no such entry.
    :raises BadDay: the day is yet to come.
    :raises CannotReverse: it was taken back already, or takes another one back itself.
    :raises OtherPayment: the id stands for something else.
    """
    # Entries never change: the lock makes whoever takes the same one back at the same time wait.
    rows = Payment.objects.select_related("account").select_for_update(of=("self",), no_key=True)
    payment = rows.get(pk=payment_id)
    day = received_on or now.astimezone(zone(payment.account.zone)).date()
    _require_day(payment.account, day, now)
    money = Money(-payment.amount, payment.currency, day, reason)
    entry = _entry(Payee(payment.account, payment.bill), money, told, actor, now)
    entry.kind, entry.reverses = Payment.Kind.REVERSAL, payment
    if _standing(entry) is None:
        if payment.kind == Payment.Kind.REVERSAL:
            raise CannotReverse("A reversal stands; record the payment anew instead.")
        if Payment.objects.filter(reverses=payment).exists():
            raise CannotReverse("It was taken back already.")
    return _enter(entry, actor, now)


def reverse_reported(
    *, reverses: str, reason: str, received_on: date, told: Told, actor: Actor, now: datetime
) -> Recorded:
    """Take back an entry that the same reporter reported, named by their own id; see :func:`reverse_payment`.

    :raises UnknownPayee: they reported nothing under that id.
    :raises BadDay: the day is yet to come.
    :raises CannotReverse: it was taken back already, or takes another one back itself.
    :raises OtherPayment: the id stands for something else.
    """
    own = Payment.objects.filter(origin=told.origin, source=actor.source, external_id=reverses)
    payment_id = own.values_list("pk", flat=True).first()
    if payment_id is None:
        raise UnknownPayee(f"No payment was reported as {reverses!r}.", code="unknown_payment")
    return reverse_payment(
        payment_id=payment_id, reason=reason, told=told, actor=actor, now=now, received_on=received_on
    )


def require_money(*, payee: Payee, money: Money, now: datetime) -> None:
    """Refuse what cannot be a payment to an account.

    :raises BadAmount: not above zero, or finer than a cent.
    :raises BadDay: the day is yet to come.
    :raises WrongCurrency: the account, or the bill, is in another currency.
    """
    if money.amount <= 0 or money.amount != to_cents(money.amount):
        raise BadAmount("An amount is above zero, to the cent.")
    _require_day(payee.account, money.received_on, now)
    currencies = {payee.bill.currency} if payee.bill else currencies_of([payee.account])[payee.account.pk]
    if money.currency not in currencies:
        raise WrongCurrency(f"{payee.account.number} is billed in {' and '.join(sorted(currencies)) or 'nothing yet'}.")


def _require_day(account: CustomerAccount, day: date, now: datetime) -> None:
    if day > now.astimezone(zone(account.zone)).date() + _AHEAD:
        raise BadDay(f"{day} is yet to come.")


def _entry(payee: Payee, money: Money, told: Told, actor: Actor, now: datetime) -> Payment:
    return Payment(
        account=payee.account,
        bill=payee.bill,
        kind=Payment.Kind.PAYMENT,
        amount=money.amount,
        currency=money.currency,
        received_on=money.received_on,
        booked_at=now,
        origin=told.origin,
        source=actor.source,
        external_id=told.external_id,
        reference=money.reference[:_LONGEST_REFERENCE],
        recorded_by=actor.user,
    )


def _enter(entry: Payment, actor: Actor, now: datetime) -> Recorded:
    """Write an entry, or find the one that was reported under its id before, also while another call writes it."""
    if entry.external_id:
        # Waits for whoever is writing the same id, and then writes nothing.
        Payment.objects.bulk_create([entry], ignore_conflicts=True)
        standing = _standing(entry)
        if standing is None:
            raise OtherPayment("The id, or the entry that it takes back, belongs to another entry.")
        if standing.pk != entry.pk:
            _require_same(standing, entry)
            return Recorded(standing, created=False)
    else:
        entry.save(force_insert=True)
    audit.record(
        action=f"payment.{entry.kind}",
        obj=entry,
        actor=actor,
        now=now,
        account=entry.account.number,
        amount=str(entry.amount),
        currency=entry.currency,
        origin=entry.origin,
        external_id=entry.external_id,
        reverses=str(entry.reverses_id or ""),
    )
    return Recorded(entry, created=True)


def _standing(entry: Payment) -> Payment | None:
    """Return the entry that stands under the id of another."""
    if not entry.external_id:
        return None
    same = Payment.objects.filter(origin=entry.origin, source=entry.source, external_id=entry.external_id)
    return same.select_related("account").first()


def _require_same(standing: Payment, entry: Payment) -> None:
    differing = [
        name
        for name in ("account_id", "kind", "amount", "currency", "received_on", "reverses_id")
        if getattr(standing, name) != getattr(entry, name)
    ]
    if differing:
        words = ", ".join(name.removesuffix("_id") for name in differing)
        raise OtherPayment(f"The id {entry.external_id!r} stands for an entry with another {words}.")
