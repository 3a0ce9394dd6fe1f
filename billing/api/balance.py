"""Balances, statements and payments; and the door at which a payment provider reports what it took."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import HasRole, HasScope, MayQuery, actor_of, asking_person
from accounts.models import CustomerAccount
from accounts.roles import Role, Scope
from billing.api.balance_serializers import (
    BalanceOut,
    PaymentIn,
    PaymentOut,
    StatementOut,
    StatementQuery,
)
from billing.models import Payment
from billing.selectors.balance import BillStanding, account_balance
from billing.selectors.bills import account_for_query
from billing.selectors.paying import link_to_pay
from billing.selectors.statements import EntryPages, statement, statement_currency, statement_days
from billing.services.payments import (
    Money,
    Recorded,
    Told,
    find_payee,
    record_payment,
    record_refund,
    reverse_reported,
)
from energy_portal.shared.api import KeysetPagination, ProblemAwareJSONRenderer, SafeCSVRenderer


class BalanceView(APIView):
    """What an account owes."""

    permission_classes = (MayQuery,)

    @extend_schema(operation_id="account_balance_retrieve", tags=["payments"], responses=BalanceOut)
    def get(self, request: Request, number: str) -> Response:
        account = _account(request, number)
        found = account_balance(account=account, now=timezone.now())
        balances = [
            {
                **vars(balance),
                "next_due_on": balance.next_due_on,
                "bills": [_bill(account, each) for each in balance.bills],
            }
            for balance in found.balances
        ]
        return Response(BalanceOut({"account_id": account.number, "as_of": found.as_of, "balances": balances}).data)


class StatementView(APIView):
    """An account's movements, oldest first, with the running balance; ``?format=csv`` for a file."""

    permission_classes = (MayQuery,)
    renderer_classes = (ProblemAwareJSONRenderer, SafeCSVRenderer)
    csv_columns = ("day", "kind", "number", "received_on", "text", "amount", "balance")
    csv_name = "statement"

    @extend_schema(
        operation_id="account_statement_retrieve",
        tags=["payments"],
        parameters=[
            OpenApiParameter("from", str, description="First local day; a year before the last unless told."),
            OpenApiParameter("to", str, description="Last local day, included; today unless told."),
            OpenApiParameter("currency", str, description="Needed where the account has several."),
            OpenApiParameter("cursor", str),
            OpenApiParameter("page_size", int),
        ],
        responses=StatementOut,
    )
    def get(self, request: Request, number: str) -> Response:
        account = _account(request, number)
        query = StatementQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        first, last = statement_days(account=account, first=asked.get("from"), last=asked.get("to"), now=timezone.now())
        currency = statement_currency(account=account, currency=asked.get("currency"))
        found = statement(account=account, currency=currency, first=first, last=last)
        pages = KeysetPagination()
        rows = pages.paginate_queryset(EntryPages(found.entries), request, view=self)
        response = pages.get_paginated_response(rows)
        sums = {"account_id": number, "from": first, "to": last, "currency": currency}
        response.data = StatementOut({**sums, "opening": found.opening, "closing": found.closing, **response.data}).data
        return response


@extend_schema_view(get=extend_schema(operation_id="account_payments_list", tags=["payments"]))
class AccountPaymentListView(ListAPIView[Payment]):
    """An account's payments, refunds and reversals, newest first; ``?format=csv`` for a file."""

    queryset = Payment.objects.none()
    permission_classes = (MayQuery,)
    serializer_class = PaymentOut
    filter_backends = ()
    renderer_classes = (ProblemAwareJSONRenderer, SafeCSVRenderer)
    csv_columns = tuple(PaymentOut.Meta.fields)
    csv_name = "payments"

    def get_queryset(self) -> QuerySet[Payment]:
        account = _account(self.request, self.kwargs["number"])
        payments = Payment.objects.filter(account=account).select_related("account", "bill")
        return payments.order_by("-booked_at", "pk")


class PaymentListView(APIView):
    """Where payments are reported: by a provider's key, or by a manager for what came in by hand."""

    permission_classes = (HasScope(Scope.PAYMENTS) | HasRole(Role.MANAGER, Role.ADMIN),)

    @extend_schema(
        operation_id="payments_create",
        tags=["payments"],
        request=PaymentIn,
        responses={
            201: PaymentOut,
            200: OpenApiResponse(PaymentOut, description="It was reported before and is not counted again."),
            409: OpenApiResponse(description="The id stands for something else, or the payment was taken back."),
            422: OpenApiResponse(description="No such account or bill, another currency, or no amount."),
        },
    )
    def post(self, request: Request) -> Response:
        told = PaymentIn(data=request.data)
        told.is_valid(raise_exception=True)
        recorded = _record(request, told.validated_data)
        return Response(PaymentOut(recorded.payment).data, status=201 if recorded.created else 200)


def _account(request: Request, number: str) -> CustomerAccount:
    return account_for_query(number=number, serial=None, user=asking_person(request), now=timezone.now())


def _bill(account: CustomerAccount, bill: BillStanding) -> dict[str, Any]:
    link = link_to_pay(account=account, amount=bill.open_amount, currency=bill.currency, number=bill.number)
    return {**vars(bill), "pay_link": link}


def _record(request: Request, said: dict[str, Any]) -> Recorded:
    actor, now = actor_of(request), timezone.now()
    origin = Payment.Origin.MANUAL if actor.user else Payment.Origin.PROVIDER
    told = Told(origin, said["id"])
    if said["kind"] == Payment.Kind.REVERSAL:
        return reverse_reported(
            reverses=said["reverses"],
            reason=said["reference"],
            received_on=said["received_on"],
            told=told,
            actor=actor,
            now=now,
        )
    payee = find_payee(account_number=said["account_id"], bill_number=said["bill_number"])
    money = Money(said["amount"], said["currency"], said["received_on"], said["reference"])
    record = record_refund if said["kind"] == Payment.Kind.REFUND else record_payment
    return record(payee=payee, money=money, told=told, actor=actor, now=now)
