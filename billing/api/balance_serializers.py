"""Balances, statements and payments as they come in and go out: amounts as strings to the cent, days as dates."""

import re
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.serializers import MoneyField, MonthField
from billing.models import Payment
from billing.selectors.balance import Standing
from billing.selectors.statements import Entry

_CENTS = re.compile(r"\d{1,12}\.\d{2}", re.ASCII)


@extend_schema_field({"type": "string", "pattern": r"^\d{1,12}\.\d{2}$", "example": "96.47"})
class AmountIn(serializers.Field[Decimal, Any, str, Any]):
    """An amount above zero as a string to the cent, so that no number of any machine rounds it."""

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or _CENTS.fullmatch(data) is None or not Decimal(data):
            raise serializers.ValidationError("Write an amount above zero as a string, such as '96.47'.", "bad_amount")
        return Decimal(data)


class StatementQuery(serializers.Serializer[Any]):
    """Which days, the last one included, and which currency."""

    currency = serializers.CharField(required=False, min_length=3, max_length=3)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        days = {name: serializers.DateField(required=False) for name in ("from", "to")}
        return {**super().get_fields(), **days}


class BillStandingOut(serializers.Serializer[Any]):
    """A bill with something to pay."""

    id = serializers.UUIDField(source="bill_id")
    number = serializers.CharField()
    month = MonthField()
    total = MoneyField()
    open = MoneyField(source="open_amount")
    due_on = serializers.DateField()
    standing = serializers.ChoiceField(choices=[each.value for each in Standing])
    pay_link = serializers.CharField(allow_null=True, help_text="Null where no provider is attached.")


class CurrencyBalanceOut(serializers.Serializer[Any]):
    """What is owed in one currency."""

    currency = serializers.CharField()
    billed = MoneyField()
    paid = MoneyField()
    balance = MoneyField(help_text="Billed less paid; below zero where something is left over.")
    credit = MoneyField(help_text="Left over.")
    owed_besides = MoneyField(help_text="Owed for no bill.")
    overdue = MoneyField()
    next_due_on = serializers.DateField(allow_null=True)
    bills = BillStandingOut(many=True, help_text="What is open, the first due at the head.")


class BalanceOut(serializers.Serializer[Any]):
    """An account's balance in each of its currencies."""

    account_id = serializers.CharField()
    as_of = serializers.DateTimeField()
    balances = CurrencyBalanceOut(many=True)


class EntryOut(serializers.Serializer[Entry]):
    """A movement of a statement."""

    position = serializers.IntegerField()
    day = serializers.DateField(help_text="Local day on which it was booked.")
    kind = serializers.ChoiceField(choices=["bill", "credit_note", *Payment.Kind.values])
    id = serializers.UUIDField()
    number = serializers.CharField(help_text="Of the bill, or of the one that the payer named.")
    received_on = serializers.DateField(allow_null=True)
    text = serializers.CharField()
    amount = MoneyField(help_text="Above zero for what is owed more.")
    balance = MoneyField(help_text="After it.")


class StatementOut(serializers.Serializer[Any]):
    """A page of a statement."""

    account_id = serializers.CharField()
    currency = serializers.CharField()
    opening = MoneyField()
    closing = MoneyField()
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = EntryOut(many=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "from": serializers.DateField(), "to": serializers.DateField()}


class PaymentIn(serializers.Serializer[Any]):
    """Money that moved, as whoever took it reports it.

    A reversal names in ``reverses`` the id of the payment or refund that it takes back whole; everything else names
    an account, a bill or both.
    """

    id = serializers.CharField(max_length=100, help_text="The provider's own; a repeat counts once.")
    kind = serializers.ChoiceField(choices=Payment.Kind.choices, default=Payment.Kind.PAYMENT)
    account_id = serializers.CharField(max_length=40, required=False, default="", help_text="The account's number.")
    bill_number = serializers.CharField(max_length=40, required=False, default="")
    reverses = serializers.CharField(max_length=100, required=False, default="")
    amount = AmountIn(required=False)
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False)
    received_on = serializers.DateField()
    reference = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["kind"] == Payment.Kind.REVERSAL:
            needed, others = {"reverses"}, {"account_id", "bill_number", "amount", "currency"}
        else:
            needed, others = {"amount", "currency"}, {"reverses"}
        wrong = {name: ["This is needed."] for name in sorted(needed) if not attrs.get(name)}
        wrong |= {name: [f"A {attrs['kind']} does not have this."] for name in sorted(others) if attrs.get(name)}
        if wrong:
            raise serializers.ValidationError(wrong)
        return attrs


class PaymentOut(serializers.ModelSerializer[Payment]):
    """An entry of the ledger."""

    account_id = serializers.CharField(source="account.number")
    bill_number = serializers.CharField(source="bill.number", default=None, allow_null=True)
    amount = MoneyField(help_text="What came in; below zero what went out.")
    provider_id = serializers.CharField(source="external_id")
    reverses = serializers.UUIDField(source="reverses_id", allow_null=True)

    class Meta:
        model = Payment
        fields = (
            "id",
            "provider_id",
            "kind",
            "account_id",
            "bill_number",
            "amount",
            "currency",
            "received_on",
            "booked_at",
            "origin",
            "reverses",
            "reference",
        )
        read_only_fields = fields
