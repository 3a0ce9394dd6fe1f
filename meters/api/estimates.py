"""Estimating by hand what a meter's registers are missing."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import HasRole, actor_of, asking_person
from accounts.roles import Role
from meters.api.fields import NumberField
from meters.selectors.access import meter_for
from meters.services.estimating import estimate_meter

Field = serializers.Field[Any, Any, Any, Any]


class EstimatesIn(serializers.Serializer[Any]):
    """A stretch of time, and a register of the meter."""

    register = serializers.CharField(
        required=False, allow_null=True, default=None, max_length=20, help_text="OBIS code; all of them unless told."
    )

    def get_fields(self) -> dict[str, Field]:
        return {
            "from": serializers.DateTimeField(help_text="The first mark."),
            "to": serializers.DateTimeField(help_text="The last mark, included; at most 92 days after the first."),
            **super().get_fields(),
        }


class EstimateOut(serializers.Serializer[Any]):
    """An estimate, as a reading: what the dial shows, or the energy of the half-hour that ends then."""

    timestamp = serializers.DateTimeField(source="time")
    reading = NumberField(source="value")
    quality = serializers.IntegerField(source="method", help_text="8 like day, 9 on a line, 12 projected.")


class EstimatedGapOut(serializers.Serializer[Any]):
    """Half-hours between two true readings, or since the newest one, and what became of them."""

    refused = serializers.CharField(source="refusal.code", default=None, help_text="Why nothing was estimated.")
    detail = serializers.CharField(source="refusal.detail", default=None)
    estimates = EstimateOut(many=True)

    def get_fields(self) -> dict[str, Field]:
        return {
            "from": serializers.DateTimeField(source="gap.start", help_text="The true reading before."),
            "to": serializers.DateTimeField(
                source="gap.end", allow_null=True, help_text="The true reading after; null while none came."
            ),
            **super().get_fields(),
        }


class RegisterEstimatesOut(serializers.Serializer[Any]):
    """What was estimated of one register."""

    register = serializers.CharField(source="register.code")
    entered = serializers.IntegerField(help_text="How many values entered that did not stand already.")
    gaps = EstimatedGapOut(many=True)


class EstimatesOut(serializers.Serializer[Any]):
    """What was estimated of a meter."""

    meter_id = serializers.CharField()
    entered = serializers.IntegerField()
    registers = RegisterEstimatesOut(many=True)


class MeterEstimatesView(APIView):
    """Estimates of a meter's missing half-hours."""

    permission_classes = (HasRole(Role.MANAGER, Role.ADMIN),)

    @extend_schema(
        operation_id="meter_estimates_create",
        tags=["meters"],
        request=EstimatesIn,
        responses={
            200: EstimatesOut,
            404: OpenApiResponse(description="`no_such_meter`, `no_such_register`."),
            422: OpenApiResponse(description="`nothing_to_estimate`."),
        },
        description=(
            "Up to two hours between sound readings lie on a line (quality 9). Longer gaps take after the most recent "
            "days of the same weekday class, scaled to the register's difference (8), or as they were where nothing "
            "came after (12). A known difference without a like day is spread evenly (9). Refused: `no_like_day`, "
            "`failed_neighbours`, `gap_too_long`. Nothing true is touched, and true data undo estimates when they come."
        ),
        examples=[
            OpenApiExample(
                "an afternoon",
                request_only=True,
                value={"from": "2025-03-05T12:00:00+08:00", "to": "2025-03-05T17:00:00+08:00", "register": "1.8.0"},
            )
        ],
    )
    def post(self, request: Request, serial: str) -> Response:
        asked = EstimatesIn(data=request.data)
        asked.is_valid(raise_exception=True)
        meter = meter_for(serial=serial, user=asking_person(request))
        reports = estimate_meter(
            meter=meter,
            start=asked.validated_data["from"],
            end=asked.validated_data["to"],
            code=asked.validated_data["register"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        answer = {"meter_id": meter.serial, "entered": sum(each.entered for each in reports), "registers": reports}
        return Response(EstimatesOut(answer).data)
