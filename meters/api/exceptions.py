"""The queue of exceptions: what waits, and what somebody decides on each."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import HasRole, MayQuery, actor_of, asking_person, person_of
from accounts.roles import Role
from meters.api.fields import NumberField
from meters.models import ReadingException
from meters.selectors.exceptions import exception_for, exceptions_for
from meters.services import remedies
from meters.services.exceptions import is_waiting

MayDecide = HasRole(Role.MANAGER, Role.ADMIN)
_REFUSALS: dict[int, Any] = {
    404: OpenApiResponse(description="`no_such_exception`."),
    409: OpenApiResponse(description="`exception_already_closed`, `not_a_remedy`, `cannot_enter`, `cannot_estimate`."),
    422: OpenApiResponse(description="`reason_missing`."),
}


class ExceptionOut(serializers.ModelSerializer[ReadingException]):
    """What a rule did not simply let pass: a reading's mark, or a stretch that starts at ``time``."""

    meter_id = serializers.CharField(source="register.meter.serial")
    register = serializers.CharField(source="register.code")
    unit = serializers.CharField(source="register.unit")
    offered_value = NumberField(allow_null=True)
    standing_value = NumberField(allow_null=True)
    waiting = serializers.SerializerMethodField(help_text="Whether its value has not entered and waits.")
    closed_by = serializers.SerializerMethodField(help_text="Who decided, for staff to see.")

    class Meta:
        model = ReadingException
        fields = (
            "id",
            "meter_id",
            "register",
            "unit",
            "time",
            "until",
            "code",
            "severity",
            "detail",
            "offered_value",
            "offered_quality",
            "standing_value",
            "waiting",
            "status",
            "opened_at",
            "closed_at",
            "closed_by",
            "note",
        )
        read_only_fields = fields

    def get_waiting(self, exception: ReadingException) -> bool:
        """Tell whether its value waits for a decision."""
        return exception.status == ReadingException.Status.OPEN and is_waiting(exception)

    def get_closed_by(self, exception: ReadingException) -> str | None:
        """Return the address of who decided."""
        user = asking_person(self.context["request"])
        if exception.closed_by is None or user is None or user.role == Role.CUSTOMER:
            return None
        return exception.closed_by.email


class DecisionIn(serializers.Serializer[Any]):
    """A decision."""

    note = serializers.CharField(max_length=1000, help_text="Why.")


class ReclassificationIn(DecisionIn):
    """What really happened to the dial."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            **super().get_fields(),
            "as": serializers.ChoiceField(choices=["rollover", "exchange"]),
            "new_serial": serializers.CharField(required=False, max_length=64, help_text="Of an exchange."),
            "at": serializers.DateTimeField(required=False, help_text="Of an exchange."),
            "last_read": _read("What the old meter showed then."),
            "first_read": _read("What the new meter showed then."),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wanted = {"new_serial", "at", "last_read", "first_read"} if attrs["as"] == "exchange" else set()
        if missing := wanted - attrs.keys():
            raise serializers.ValidationError(dict.fromkeys(sorted(missing), "An exchange needs it."), code="required")
        return {name: value for name, value in attrs.items() if name in wanted | {"as", "note"}}


def _read(help_text: str) -> serializers.DecimalField:
    return serializers.DecimalField(
        required=False, max_digits=15, decimal_places=6, min_value=0, help_text=f"Of an exchange: {help_text.lower()}"
    )


class ExceptionFilter(filters.FilterSet):  # type: ignore[misc]
    """By status, rule, severity and meter."""

    meter = filters.CharFilter(field_name="register__meter__serial", help_text="Serial.")

    class Meta:
        model = ReadingException
        fields = ("status", "code", "severity")


@extend_schema_view(get=extend_schema(operation_id="exceptions_list", tags=["exceptions"]))
class ExceptionListView(ListAPIView[ReadingException]):
    """What rules did not simply let pass, newest first; customers see those of their own times of supply."""

    queryset = ReadingException.objects.none()
    permission_classes = (MayQuery,)
    serializer_class = ExceptionOut
    filterset_class = ExceptionFilter

    def get_queryset(self) -> QuerySet[ReadingException]:
        return exceptions_for(asking_person(self.request)).order_by("-opened_at", "-id")


class ExceptionDetailView(APIView):
    """One exception."""

    permission_classes = (MayQuery,)

    @extend_schema(operation_id="exceptions_retrieve", tags=["exceptions"], responses=ExceptionOut)
    def get(self, request: Request, exception_id: UUID) -> Response:
        found = exception_for(exception_id=exception_id, user=asking_person(request))
        return Response(ExceptionOut(found, context={"request": request}).data)


class _DecisionView(APIView):
    permission_classes = (MayDecide,)
    serializer: type[DecisionIn] = DecisionIn

    def decide(self, request: Request, exception_id: UUID, act: Callable[..., ReadingException]) -> Response:
        """Check what was sent, do it, and answer with the exception as it is now."""
        asked = self.serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        user = person_of(request)
        exception_for(exception_id=exception_id, user=user)
        decision = {name: value for name, value in asked.validated_data.items() if name != "as"}
        act(exception_id=exception_id, actor=actor_of(request), now=timezone.now(), **decision)
        found = exception_for(exception_id=exception_id, user=user)
        return Response(ExceptionOut(found, context={"request": request}).data)


class ExceptionAcceptView(_DecisionView):
    """It is so."""

    @extend_schema(
        operation_id="exceptions_accept",
        tags=["exceptions"],
        request=DecisionIn,
        responses={200: ExceptionOut, **_REFUSALS},
        description="A waiting value enters, in a conflict the offered value replaces what stands (a correction), and "
        "what was flagged is settled.",
    )
    def post(self, request: Request, exception_id: UUID) -> Response:
        return self.decide(request, exception_id, remedies.accept)


class ExceptionRejectView(_DecisionView):
    """It is not so."""

    @extend_schema(
        operation_id="exceptions_reject",
        tags=["exceptions"],
        request=DecisionIn,
        responses={200: ExceptionOut, **_REFUSALS},
        description="What stands is right; a waiting value never enters. No reading moves by it.",
    )
    def post(self, request: Request, exception_id: UUID) -> Response:
        return self.decide(request, exception_id, remedies.reject)


class ExceptionEstimateView(_DecisionView):
    """Neither can be trusted."""

    @extend_schema(
        operation_id="exceptions_estimate",
        tags=["exceptions"],
        request=DecisionIn,
        responses={200: ExceptionOut, **_REFUSALS},
        description="A waiting value never enters; doubtful readings are withdrawn, and their half-hours estimated.",
    )
    def post(self, request: Request, exception_id: UUID) -> Response:
        return self.decide(request, exception_id, remedies.estimate_instead)


class ExceptionReclassifyView(_DecisionView):
    """The dial turned over, or the meter was exchanged."""

    serializer = ReclassificationIn

    @extend_schema(
        operation_id="exceptions_reclassify",
        tags=["exceptions"],
        request=ReclassificationIn,
        responses={200: ExceptionOut, **_REFUSALS},
        description="`rollover`: the waiting value enters. `exchange`: the meter is exchanged in the chain, and all "
        "that waits of it from `at` on goes to the new meter.",
        examples=[
            OpenApiExample(
                "an exchange",
                request_only=True,
                value={
                    "as": "exchange",
                    "note": "Work order 1234.",
                    "new_serial": "SG-000999",
                    "at": "2025-03-10T14:17:00+08:00",
                    "last_read": "45210.3",
                    "first_read": "12.0",
                },
            )
        ],
    )
    def post(self, request: Request, exception_id: UUID) -> Response:
        is_exchange = isinstance(request.data, dict) and request.data.get("as") == "exchange"
        act = remedies.reclassify_as_exchange if is_exchange else remedies.reclassify_as_rollover
        return self.decide(request, exception_id, act)
