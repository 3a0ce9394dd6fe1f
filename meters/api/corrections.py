"""Corrections: what stood, what stands now, why, and which days and months moved by it."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.permissions import actor_of, asking_person
from accounts.roles import Role
from energy_portal.shared.errors import NotFound
from meters.api.callers import ReadsOrDecides
from meters.api.fields import NumberField
from meters.models import Correction, Register
from meters.selectors.access import meter_for
from meters.selectors.exceptions import corrections_of
from meters.services.corrections import correct_reading

_TOUCHED_PERIODS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "from": {"type": "string", "format": "date-time"},
            "to": {"type": "string", "format": "date-time"},
            "before": {"type": ["string", "null"]},
            "after": {"type": ["string", "null"]},
        },
    },
}


class NoSuchRegister(NotFound):
    """The meter has no such register."""

    code = "unknown_register"


@extend_schema_field(
    {
        "type": "object",
        "properties": {"unit": {"type": "string"}, "days": _TOUCHED_PERIODS, "months": _TOUCHED_PERIODS},
    }
)
class TouchedField(serializers.JSONField):
    """Local days and months whose energy moved; null where nothing was or is known."""


class CorrectionIn(serializers.Serializer[Any]):
    """Another value for the end of a half-hour."""

    register = serializers.CharField(required=False, default="1.8.0", max_length=20)
    timestamp = serializers.DateTimeField()
    reading = serializers.DecimalField(
        max_digits=15, decimal_places=6, allow_null=True, help_text="What it showed; null withdraws what stands."
    )
    reason = serializers.CharField(max_length=1000)


class CorrectionOut(serializers.ModelSerializer[Correction]):
    """A correction and what it touched."""

    register = serializers.CharField(source="register.code")
    timestamp = serializers.DateTimeField(source="time")
    old_value = NumberField(allow_null=True)
    new_value = NumberField(allow_null=True)
    made_by = serializers.SerializerMethodField(help_text="Who, for staff to see.")
    touched = TouchedField()

    class Meta:
        model = Correction
        fields = (
            "id",
            "register",
            "timestamp",
            "old_value",
            "old_quality",
            "new_value",
            "new_quality",
            "reason",
            "made_at",
            "made_by",
            "touched",
        )
        read_only_fields = fields

    def get_made_by(self, correction: Correction) -> str | None:
        """Return the address of who corrected, or the name of the source."""
        user = asking_person(self.context["request"])
        if user is not None and user.role == Role.CUSTOMER:
            return None
        if correction.made_by is not None:
            return correction.made_by.email
        return correction.source.name if correction.source is not None else None


class MeterCorrectionsView(ListAPIView[Correction]):
    """A meter's corrections, newest first; customers see those of their own times of supply."""

    queryset = Correction.objects.none()
    permission_classes = (ReadsOrDecides,)
    serializer_class = CorrectionOut
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Correction]:
        user = asking_person(self.request)
        return corrections_of(serial=meter_for(serial=self.kwargs["serial"], user=user).serial, user=user)

    @extend_schema(operation_id="meter_corrections_list", tags=["meters"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="meter_corrections_create",
        tags=["meters"],
        request=CorrectionIn,
        responses={
            201: CorrectionOut,
            422: OpenApiResponse(description="`cannot_stand`, `nothing_to_correct`, `reason_missing`."),
        },
        description="The only way in which a true value changes. A dial's value must fit between its neighbours; what "
        "stood is kept, and stays the answer to questions as of before.",
    )
    def post(self, request: Request, serial: str) -> Response:
        asked = CorrectionIn(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        meter = meter_for(serial=serial, user=asking_person(request))
        register = Register.objects.select_related("meter").filter(meter=meter, code=wanted["register"]).first()
        if register is None:
            raise NoSuchRegister(f"The meter {serial} has no register {wanted['register']!r}.")
        correction = correct_reading(
            register=register,
            time=wanted["timestamp"],
            value=wanted["reading"],
            reason=wanted["reason"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        return Response(CorrectionOut(correction, context={"request": request}).data, status=status.HTTP_201_CREATED)
