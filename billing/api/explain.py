"""A bill that explains itself: its lines in words, down to half-hours and reads, and why it differs."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import MayQuery, asking_person
from billing.api.serializers import BillLineOut, EnergyField, MoneyField, MonthField, ReadUsedOut
from billing.explaining import Cause, Unexplained
from billing.models import Bill
from billing.selectors.bills import bill_with_lines
from billing.selectors.explain import explain_bill, line_of
from billing.selectors.explain_hours import line_hours, read_day


class ExplainQuery(serializers.Serializer[Any]):
    """A line by its position, and one of its local days."""

    line = serializers.IntegerField(required=False, min_value=1, max_value=32_767)
    day = serializers.DateField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "day" in attrs and "line" not in attrs:
            raise serializers.ValidationError("A day is one of a line: name the line too.", code="day_without_line")
        return attrs


class LineWordsOut(serializers.Serializer[Any]):
    """What a line says in sentences."""

    version = serializers.CharField(help_text="Whose prices it follows, and when they are in force.")
    charge = serializers.CharField(help_text="What they charge.")
    quantity = serializers.CharField(help_text="Where its quantity comes from.")


class ExplainedLineOut(serializers.Serializer[Any]):
    """A line with its words; ``opens`` where it can be asked for down to its half-hours."""

    line = BillLineOut()
    component = serializers.CharField(source="line.component.name", default=None, allow_null=True)
    words = LineWordsOut()
    opens = serializers.BooleanField()


class DayShareOut(serializers.Serializer[Any]):
    """The half-hours of a line on a local day; ``counted`` is their part of the line's quantity, in its unit."""

    day = serializers.DateField()
    half_hours = serializers.SerializerMethodField()
    missing = serializers.IntegerField(help_text="Half-hours that are not known.")
    energy_kwh = EnergyField()
    estimated_kwh = EnergyField()
    counted = EnergyField()
    highest_kw = EnergyField(allow_null=True, help_text="Of a demand: the day's highest power.")

    def get_half_hours(self, day: Any) -> int:
        """Count them."""
        return len(day.half_hours)


class HalfHourOut(serializers.Serializer[Any]):
    """A half-hour of a line, on the account's clock, and the reads that it was computed from."""

    energy_kwh = EnergyField(source="share.energy_kwh", allow_null=True)
    counted = EnergyField(source="share.counted", help_text="Its part of the line's quantity, in the line's unit.")
    estimated = serializers.BooleanField(source="share.estimated")
    quality = serializers.IntegerField(allow_null=True, help_text="Green Button's, of the least trusted read.")
    quality_words = serializers.CharField()
    reads = ReadUsedOut(many=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        ends = {
            "from": serializers.DateTimeField(source="share.start", format=None),
            "to": serializers.DateTimeField(source="share.end", format=None),
        }
        return {**ends, **super().get_fields()}


class BillBeforeOut(serializers.Serializer[Any]):
    """The bill that was compared."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    month = MonthField()
    total = MoneyField()


class DifferencePartOut(serializers.Serializer[Any]):
    """What one cause adds to the bill, or takes from it."""

    cause = serializers.ChoiceField(choices=[cause.value for cause in Cause])
    name = serializers.CharField()
    words = serializers.CharField()
    amount = MoneyField()


class WhyDifferentOut(serializers.Serializer[Any]):
    """The total less that of the month before; ``parts`` add up to it, and ``price`` to the part of that name."""

    amount = MoneyField(allow_null=True)
    words = serializers.CharField()
    reason = serializers.ChoiceField(
        choices=[reason.value for reason in Unexplained], allow_null=True, help_text="Why there are no parts."
    )
    before = BillBeforeOut(allow_null=True)
    parts = DifferencePartOut(many=True)
    price = DifferencePartOut(many=True)


class ExplanationOut(serializers.Serializer[Any]):
    """A bill in words. ``days`` of the line that was asked for, ``half_hours`` of the day; null unless asked."""

    id = serializers.UUIDField(source="bill.id")
    number = serializers.CharField(source="bill.number", allow_null=True)
    currency = serializers.CharField(source="bill.currency")
    total = MoneyField(source="bill.total", allow_null=True)
    as_of = serializers.DateTimeField(source="bill.as_of", help_text="When the readings behind it were known.")
    lines = ExplainedLineOut(many=True, help_text="All of them, or the one that was asked for.")
    days = DayShareOut(many=True, allow_null=True)
    half_hours = HalfHourOut(many=True, allow_null=True)
    why_different = WhyDifferentOut(source="difference", allow_null=True)


class BillExplainView(APIView):
    """One bill in words, one of its lines by day, or a day of it by half-hour."""

    permission_classes = (MayQuery,)

    @extend_schema(
        operation_id="bills_explain",
        tags=["bills"],
        parameters=[
            OpenApiParameter("line", int, description="The position of a line: adds its days."),
            OpenApiParameter("day", str, description="A local day of that line: adds its half-hours and their reads."),
        ],
        responses=ExplanationOut,
        description="How each line came about, as it was known when the bill was made, and why the bill differs from "
        "that of the month before. What the half-hours of a line count adds up to its quantity.",
    )
    def get(self, request: Request, bill_id: UUID) -> Response:
        query = ExplainQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        person = asking_person(request)
        try:
            bill = bill_with_lines(user=person, bill_id=bill_id)
        except Bill.DoesNotExist as error:
            raise Http404 from error
        explained = explain_bill(bill=bill, user=person)
        answer: dict[str, Any] = {"days": None, "half_hours": None, "lines": explained.lines}
        if "line" in query.validated_data:
            answer |= _opened(bill, query.validated_data)
        return Response(ExplanationOut({**answer, "bill": bill, "difference": explained.difference}).data)


def _opened(bill: Bill, query: dict[str, Any]) -> dict[str, Any]:
    explained = line_of(bill, query["line"])
    opened: dict[str, Any] = {"lines": [explained]}
    if explained.opens:
        hours = line_hours(bill=bill, line=explained.line)
        opened["days"] = hours.days
        if "day" in query:
            opened["half_hours"] = read_day(bill=bill, line=explained.line, day=hours.day(query["day"]))
    return opened
