"""What devices used: the published report, and statistics."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import asking_person
from meters.api.fields import InstantField
from meters.devices.api.callers import MayAskOfDevices
from meters.devices.selectors.reports import (
    MOST_DAYS,
    USUAL_DAYS,
    HourlyReport,
    HourSum,
    hourly_report,
    statistics,
    want,
)

COMPLETE_HEADER = "X-Complete-Until"
_OF_WHAT = (
    "Of one device, of a group or a region, otherwise of all devices that the caller may see; the last "
    f"{USUAL_DAYS} days unless told, at most {MOST_DAYS}. A device's power is held until it tells another one, and no "
    "longer than its hold time after its last word; energy increments count where a device tells no power. Groups and "
    "regions are those that the devices had in each hour; a customer's own devices count by what they belong to now."
)
_HOURS = {
    "type": "object",
    "description": "By local day.",
    "additionalProperties": {
        "type": "object",
        "description": "Wh by local hour, as 00:00.",
        "additionalProperties": {"type": "integer"},
    },
}
_NOT_FOUND = OpenApiResponse(OpenApiTypes.OBJECT, description="`no_such_device`, `no_such_group`, `no_such_region`.")


class ReportQuery(serializers.Serializer[Any]):
    """What a report is of, and when."""

    device = serializers.CharField(required=False, max_length=64, help_text="As it names itself.")
    group = serializers.CharField(required=False, max_length=100, help_text="A group's name or number.")
    region = serializers.CharField(required=False, max_length=100, help_text="A region's name or id.")
    tz = serializers.CharField(
        required=False, max_length=64, help_text="IANA; the device's own zone or the portal's unless told."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            **super().get_fields(),
            "from": InstantField(required=False, help_text="Naive on the clock of tz."),
            "to": InstantField(required=False, help_text="Not included; the end of today unless told."),
        }


class HourOut(serializers.Serializer[Any]):
    """An hour's energy; needs ``zone`` in its context."""

    energy_wh = serializers.FloatField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"from": serializers.DateTimeField(source="time"), **super().get_fields()}

    def to_representation(self, instance: HourSum) -> dict[str, Any]:
        at = instance.time.astimezone(self.context["zone"])
        return {"from": at.isoformat(), "energy_wh": round(instance.energy_wh, 2)}


class StatisticsOut(serializers.Serializer[Any]):
    """What the hours of a period come to."""

    energy_wh = serializers.FloatField()
    hours = serializers.IntegerField(help_text="Hours of which anything is known.")
    devices = serializers.IntegerField(help_text="The most of which anything is known in an hour.")
    coverage = serializers.FloatField(
        allow_null=True, help_text="0 to 1: the known part of the devices' hours of which anything is known."
    )
    mean_power_w = serializers.FloatField(allow_null=True, help_text="Of a device, while it is known.")
    highest = HourOut(allow_null=True)
    lowest = HourOut(allow_null=True)
    complete_until = serializers.DateTimeField(
        allow_null=True, help_text="All hours before it are rolled up; late data still enter."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        instants = {name: serializers.DateTimeField() for name in ("from", "to")}
        return {**instants, **super().get_fields()}

    def to_representation(self, instance: HourlyReport) -> dict[str, Any]:
        zone, period, found = instance.wanted.zone, instance.wanted.period, statistics(instance)
        hour = HourOut(context={"zone": zone}).to_representation
        reached = instance.complete_until
        return {
            "from": period.start.astimezone(zone).isoformat(),
            "to": period.end.astimezone(zone).isoformat(),
            "energy_wh": round(found.energy_wh, 2),
            "hours": found.hours,
            "devices": found.devices,
            "coverage": None if found.coverage is None else round(found.coverage, 4),
            "mean_power_w": None if found.mean_power_w is None else round(found.mean_power_w, 2),
            "highest": None if found.highest is None else hour(found.highest),
            "lowest": None if found.lowest is None else hour(found.lowest),
            "complete_until": None if reached is None else reached.astimezone(zone).isoformat(),
        }


class ReportView(APIView):
    """Energy by local day and hour: the published path."""

    permission_classes = (MayAskOfDevices,)

    @extend_schema(
        operation_id="report",
        tags=["published paths"],
        parameters=[
            ReportQuery,
            OpenApiParameter(
                COMPLETE_HEADER,
                OpenApiTypes.DATETIME,
                OpenApiParameter.HEADER,
                response=True,
                description="All hours before it are rolled up; late data still enter.",
            ),
        ],
        responses={200: _HOURS, 404: _NOT_FOUND},
        description=(
            f"Wh by local day and hour. {_OF_WHAT} An hour that a clock change repeats is summed, an hour without "
            "data left out: missing is never zero."
        ),
        examples=[
            OpenApiExample("two hours", response_only=True, value={"2024-12-18": {"00:00": 24577, "01:00": 42304}})
        ],
    )
    def get(self, request: Request) -> Response:
        report = _report(request)
        response = Response(report.by_day())
        if report.complete_until is not None:
            response[COMPLETE_HEADER] = report.complete_until.astimezone(report.wanted.zone).isoformat()
        return response


class EnergyStatsView(APIView):
    """Statistics of the energy of devices."""

    permission_classes = (MayAskOfDevices,)

    @extend_schema(
        operation_id="energy_stats",
        tags=["devices"],
        parameters=[ReportQuery],
        responses={200: StatisticsOut, 404: _NOT_FOUND},
        description=f"What the hours of a period come to. {_OF_WHAT}",
    )
    def get(self, request: Request) -> Response:
        return Response(StatisticsOut(_report(request)).data)


def _report(request: Request) -> HourlyReport:
    query = ReportQuery(data=request.query_params)
    query.is_valid(raise_exception=True)
    asked = dict(query.validated_data)
    from_, to = asked.pop("from", None), asked.pop("to", None)
    return hourly_report(want(user=asking_person(request), now=timezone.now(), from_=from_, to=to, **asked))
