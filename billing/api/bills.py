"""Bills, as data and as documents."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import MayQuery, asking_person
from billing.api.serializers import BillDetailOut, BillOut, LastMonthBillOut, LastMonthBillQuery
from billing.documents import bill_pdf
from billing.models import Bill
from billing.selectors.bills import (
    account_for_query,
    bill_document,
    bill_with_lines,
    bills_visible_to,
    last_month_bill,
)
from energy_portal.shared import strict_json
from energy_portal.shared.api import ProblemAwareJSONRenderer, SafeCSVRenderer
from energy_portal.shared.clock import YearMonth


class PDFRenderer(BaseRenderer):
    """Let a client ask for a document, which the view hands out itself; an error stays a problem document."""

    media_type = "application/pdf"
    format = "pdf"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return strict_json.dumps(data)


class BillFilter(filters.FilterSet):  # type: ignore[misc]
    """By account number, month and status."""

    account_id = filters.CharFilter(field_name="account__number")
    month = filters.CharFilter(method="in_month", help_text="Such as 2025-02.")
    status = filters.ChoiceFilter(choices=Bill.Status.choices)

    def in_month(self, bills: QuerySet[Bill], name: str, value: str) -> QuerySet[Bill]:
        """Keep a month's bills."""
        return bills.filter(month=YearMonth.parse(value).first_day)


class LastMonthBillView(APIView):
    """Last month's energy and money."""

    permission_classes = (MayQuery,)

    @extend_schema(
        operation_id="get_last_month_bill",
        tags=["published paths"],
        parameters=[
            OpenApiParameter("account_id", str, description="The account's number."),
            OpenApiParameter("meter_id", str, description="The serial of a meter that supplied it last month."),
        ],
        responses=LastMonthBillOut,
        description="The month before this one in the account's zone. Amounts are null until a bill is issued.",
    )
    def get(self, request: Request) -> Response:
        query = LastMonthBillQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        now = timezone.now()
        account = account_for_query(
            number=query.validated_data.get("account_id"),
            serial=query.validated_data.get("meter_id"),
            user=asking_person(request),
            now=now,
        )
        return Response(LastMonthBillOut(last_month_bill(account=account, now=now)).data)


@extend_schema_view(get=extend_schema(operation_id="bills_list", tags=["bills"]))
class BillListView(ListAPIView[Bill]):
    """The bills that the caller may see, newest first; ``?format=csv`` for a file."""

    queryset = Bill.objects.none()
    permission_classes = (MayQuery,)
    serializer_class = BillOut
    filterset_class = BillFilter
    renderer_classes = (ProblemAwareJSONRenderer, SafeCSVRenderer)
    csv_columns = tuple(BillOut.Meta.fields)
    csv_name = "bills"

    def get_queryset(self) -> QuerySet[Bill]:
        return bills_visible_to(asking_person(self.request))


class BillDetailView(APIView):
    """One bill with its lines."""

    permission_classes = (MayQuery,)

    @extend_schema(operation_id="bills_retrieve", tags=["bills"], responses=BillDetailOut)
    def get(self, request: Request, bill_id: UUID) -> Response:
        return Response(BillDetailOut(_bill(request, bill_id)).data)


class BillPDFView(APIView):
    """One bill as a document."""

    permission_classes = (MayQuery,)
    renderer_classes = (PDFRenderer, ProblemAwareJSONRenderer)

    @extend_schema(
        operation_id="bills_pdf",
        tags=["bills"],
        responses={(200, "application/pdf"): OpenApiResponse(OpenApiTypes.BINARY, description="One A4 page.")},
    )
    def get(self, request: Request, bill_id: UUID) -> HttpResponse:
        bill = _bill(request, bill_id)
        content = bill_pdf(bill_document(bill, now=timezone.now()))
        name = f'inline; filename="bill-{bill.number or "draft"}.pdf"'
        return HttpResponse(content, headers={"Content-Disposition": name}, content_type=PDFRenderer.media_type)


def _bill(request: Request, bill_id: UUID) -> Bill:
    try:
        return bill_with_lines(user=asking_person(request), bill_id=bill_id)
    except Bill.DoesNotExist as error:
        raise Http404 from error
