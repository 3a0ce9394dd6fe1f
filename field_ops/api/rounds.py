"""Rounds: work that comes back every few months."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import actor_of, person_of
from field_ops.api.assignments import MayGiveOut
from field_ops.models import Round, RoundRun
from field_ops.selectors.assignments import meters_by_serial
from field_ops.selectors.rounds import round_for, rounds_for
from field_ops.services.rounds import MOST_STOPS, WrongRound, save_round

_REFUSALS: dict[int, Any] = {
    403: OpenApiResponse(description="`missing_role`."),
    409: OpenApiResponse(description="`round_exists`."),
    422: OpenApiResponse(description="`wrong_round`, `invalid`."),
}
_UNKNOWN: dict[int, Any] = {404: OpenApiResponse(description="`no_such_round`.")}


class RoundOut(serializers.ModelSerializer[Round]):
    """Who walks what, how often, and when next."""

    region_id = serializers.UUIDField()
    region = serializers.CharField(source="region.name")
    agent_id = serializers.UUIDField(allow_null=True)
    agent = serializers.CharField(source="agent.user.name", default=None, allow_null=True)
    stop_count = serializers.IntegerField(help_text="0: all active meters of its region.")

    class Meta:
        model = Round
        fields = (
            "id",
            "name",
            "region_id",
            "region",
            "agent_id",
            "agent",
            "every_months",
            "next_on",
            "days_to_finish",
            "is_active",
            "stop_count",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class RoundRunOut(serializers.ModelSerializer[RoundRun]):
    """One time that it made its assignments."""

    class Meta:
        model = RoundRun
        fields = ("on", "made_at", "made", "skipped")
        read_only_fields = fields


class RoundDetailOut(RoundOut):
    """A round with its sequence of meters, and its last runs, the newest first."""

    stops = serializers.SerializerMethodField(help_text="Serials.")
    runs = RoundRunOut(many=True, source="last_runs")

    class Meta:
        model = Round
        fields = (*RoundOut.Meta.fields, "stops", "runs")
        read_only_fields = fields

    def get_stops(self, found: Round) -> list[str]:
        """Return the meters of its sequence."""
        return [stop.meter.serial for stop in found.stops.all()]


class RoundChangeIn(serializers.Serializer[Any]):
    """What is to change; what is not named stays."""

    name = serializers.CharField(max_length=100, required=False)
    region_id = serializers.UUIDField(required=False)
    agent_id = serializers.UUIDField(required=False, allow_null=True, help_text="Null: the agents of its region.")
    every_months = serializers.IntegerField(required=False, min_value=1, max_value=24)
    next_on = serializers.DateField(required=False)
    days_to_finish = serializers.IntegerField(required=False, min_value=1, max_value=365)
    is_active = serializers.BooleanField(required=False)
    stops = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        max_length=MOST_STOPS,
        help_text="Serials in their sequence; empty: all active meters of its region.",
    )


class RoundIn(RoundChangeIn):
    """A new round."""

    name = serializers.CharField(max_length=100)
    region_id = serializers.UUIDField()
    next_on = serializers.DateField()


class RoundFilter(filters.FilterSet):  # type: ignore[misc]
    """By region, agent, and whether they go on."""

    region = filters.UUIDFilter(field_name="region_id")
    agent = filters.UUIDFilter(field_name="agent_id")

    class Meta:
        model = Round
        fields = ("is_active",)


@extend_schema_view(get=extend_schema(operation_id="rounds_list", tags=["field work"]))
class RoundListView(ListAPIView[Round], IdempotentCreate):
    """Rounds, by the day on which they are made next."""

    queryset = Round.objects.none()
    permission_classes = (MayGiveOut,)
    serializer_class = RoundOut
    filterset_class = RoundFilter

    def get_queryset(self) -> QuerySet[Round]:
        return rounds_for(person_of(self.request)).order_by("next_on", "id")

    @extend_schema(
        operation_id="rounds_create",
        tags=["field work"],
        parameters=[IDEMPOTENCY_KEY],
        request=RoundIn,
        responses={201: RoundDetailOut, **_REFUSALS},
        examples=[
            OpenApiExample(
                "every two months",
                request_only=True,
                value={
                    "name": "North",
                    "region_id": "1f0b9c58-54c1-4a43-9d6f-6a1f3b0a7c55",
                    "every_months": 2,
                    "next_on": "2025-03-31",
                },
            )
        ],
    )
    def post(self, request: Request) -> Response:
        asked = RoundIn(data=request.data)
        asked.is_valid(raise_exception=True)
        saved = _save(request, None, asked.validated_data)
        location = reverse("field_ops:api_round", kwargs={"round_id": saved["id"]})
        return Response(saved, status=status.HTTP_201_CREATED, headers={"Location": location})


class RoundDetailView(APIView):
    """One round."""

    permission_classes = (MayGiveOut,)

    @extend_schema(operation_id="rounds_retrieve", tags=["field work"], responses={200: RoundDetailOut, **_UNKNOWN})
    def get(self, request: Request, round_id: UUID) -> Response:
        return Response(RoundDetailOut(round_for(round_id=round_id, user=person_of(request))).data)

    @extend_schema(
        operation_id="rounds_change",
        tags=["field work"],
        request=RoundChangeIn,
        responses={200: RoundDetailOut, **_UNKNOWN, **_REFUSALS},
        description="Holds from its next day on; assignments that it made before stay.",
    )
    def patch(self, request: Request, round_id: UUID) -> Response:
        asked = RoundChangeIn(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(_save(request, round_id, asked.validated_data))


def _save(request: Request, round_id: UUID | None, wanted: dict[str, Any]) -> dict[str, Any]:
    values = dict(wanted)
    stops = values.pop("stops", None)
    meter_ids = None
    if stops is not None:
        known, unknown = meters_by_serial(serials=stops, user=person_of(request))
        if unknown:
            raise WrongRound(f"There is no meter {unknown[0]}.")
        meter_ids = list(known)
    saved = save_round(
        round_id=round_id, values=values, meter_ids=meter_ids, actor=actor_of(request), now=timezone.now()
    )
    return RoundDetailOut(round_for(round_id=saved.pk, user=person_of(request))).data
