"""Anomalies: what does not fit, what somebody does about it, and what it turned out to be."""

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

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import IsPerson, MayQuery, actor_of, asking_person, person_of
from meters.api.telling import ToldByRole
from meters.insights.models import Anomaly
from meters.insights.selectors.anomalies import anomalies_for, anomaly_for
from meters.insights.services import verdicts

_REFUSALS: dict[int, Any] = {
    404: OpenApiResponse(description="`no_such_anomaly`."),
    409: OpenApiResponse(description="`anomaly_over`, `anomaly_already_acknowledged`."),
}


class AnomalyOut(ToldByRole, serializers.ModelSerializer[Anomaly]):
    """A stretch that does not fit, from its first half-hour until the subject was usual again."""

    account = serializers.SerializerMethodField(help_text="Its number; not for operators.")
    region = serializers.CharField(source="region.name", default=None, allow_null=True)
    acknowledged_by = serializers.SerializerMethodField(help_text="Who takes care of it, for staff to see.")
    verdict_by = serializers.SerializerMethodField(help_text="Whose word it is, for staff to see.")
    note = serializers.SerializerMethodField(help_text="What was said about it, for staff to see.")
    alarm_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = Anomaly
        fields = (
            "id",
            "kind",
            "subject_kind",
            "subject",
            "label",
            "account",
            "region",
            "start",
            "end",
            "detected_at",
            "score",
            "detectors",
            "reason",
            "energy_kwh",
            "usual_kwh",
            "money",
            "currency",
            "state",
            "snoozed_until",
            "acknowledged_at",
            "acknowledged_by",
            "closed_at",
            "verdict",
            "verdict_at",
            "verdict_by",
            "note",
            "alarm_id",
        )
        read_only_fields = fields

    def get_verdict_by(self, anomaly: Anomaly) -> str | None:
        """Return the address of whose word the verdict is."""
        return anomaly.verdict_by.email if anomaly.verdict_by is not None and self.is_staff() else None


class AnomalyAcknowledgeIn(serializers.Serializer[Any]):
    """That somebody takes care of it."""

    note = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class AnomalySnoozeIn(serializers.Serializer[Any]):
    """Until when it is put off."""

    until = serializers.DateTimeField(help_text="At most 30 days ahead.")
    note = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class AnomalyVerdictIn(serializers.Serializer[Any]):
    """What it turned out to be."""

    verdict = serializers.ChoiceField(choices=[(each.value, each.label) for each in Anomaly.Verdict if each.value])
    note = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class AnomalyFilter(filters.FilterSet):  # type: ignore[misc]
    """By state, kind, verdict, what they are of and when they began."""

    open = filters.BooleanFilter(method="filter_open", help_text="Whether it is not over.")
    account = filters.CharFilter(field_name="account__number", help_text="Number.")
    region = filters.CharFilter(field_name="region__name", help_text="Name.")
    started_from = filters.IsoDateTimeFilter(field_name="start", lookup_expr="gte")
    started_until = filters.IsoDateTimeFilter(field_name="start", lookup_expr="lt")

    class Meta:
        model = Anomaly
        fields = ("state", "kind", "verdict", "subject_kind", "subject")

    def filter_open(self, rows: QuerySet[Anomaly], name: str, value: bool) -> QuerySet[Anomaly]:
        """Keep those that are not over, or those that are."""
        closed = {"state": Anomaly.State.CLOSED}
        return rows.exclude(**closed) if value else rows.filter(**closed)


@extend_schema_view(get=extend_schema(operation_id="anomalies_list", tags=["insights"]))
class AnomalyListView(ListAPIView[Anomaly]):
    """Anomalies, newest first: operators see those of devices and batteries, customers those of their accounts."""

    queryset = Anomaly.objects.none()
    permission_classes = (MayQuery,)
    serializer_class = AnomalyOut
    filterset_class = AnomalyFilter

    def get_queryset(self) -> QuerySet[Anomaly]:
        return anomalies_for(asking_person(self.request)).order_by("-start", "-id")


class AnomalyDetailView(APIView):
    """One anomaly."""

    permission_classes = (MayQuery,)

    @extend_schema(
        operation_id="anomalies_retrieve", tags=["insights"], responses={200: AnomalyOut, 404: _REFUSALS[404]}
    )
    def get(self, request: Request, anomaly_id: UUID) -> Response:
        found = anomaly_for(anomaly_id=anomaly_id, user=asking_person(request))
        return Response(AnomalyOut(found, context={"request": request}).data)


class _ActView(IdempotentCreate):
    permission_classes = (IsPerson,)
    serializer: type[serializers.Serializer[Any]]

    def act(self, request: Request, anomaly_id: UUID, service: Callable[..., Anomaly]) -> Response:
        """Check what was sent, do it, and answer with the anomaly as it is now."""
        asked = self.serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        user = person_of(request)
        anomaly_for(anomaly_id=anomaly_id, user=user)
        service(anomaly_id=anomaly_id, actor=actor_of(request), now=timezone.now(), **asked.validated_data)
        found = anomaly_for(anomaly_id=anomaly_id, user=user)
        return Response(AnomalyOut(found, context={"request": request}).data)


class AnomalyAcknowledgeView(_ActView):
    """Somebody takes care of it."""

    serializer = AnomalyAcknowledgeIn

    @extend_schema(
        operation_id="anomalies_acknowledge",
        tags=["insights"],
        parameters=[IDEMPOTENCY_KEY],
        request=AnomalyAcknowledgeIn,
        responses={200: AnomalyOut, **_REFUSALS},
        description="Its alarm is acknowledged with it. Said again by the same person it changes nothing.",
    )
    def post(self, request: Request, anomaly_id: UUID) -> Response:
        return self.act(request, anomaly_id, verdicts.acknowledge)


class AnomalySnoozeView(_ActView):
    """It is put off."""

    serializer = AnomalySnoozeIn

    @extend_schema(
        operation_id="anomalies_snooze",
        tags=["insights"],
        parameters=[IDEMPOTENCY_KEY],
        request=AnomalySnoozeIn,
        responses={200: AnomalyOut, **_REFUSALS, 422: OpenApiResponse(description="`wrong_snooze`.")},
        description="Its alarm is put off with it.",
    )
    def post(self, request: Request, anomaly_id: UUID) -> Response:
        return self.act(request, anomaly_id, verdicts.snooze)


class AnomalyVerdictView(_ActView):
    """What it turned out to be."""

    serializer = AnomalyVerdictIn

    @extend_schema(
        operation_id="anomalies_verdict",
        tags=["insights"],
        parameters=[IDEMPOTENCY_KEY],
        request=AnomalyVerdictIn,
        responses={200: AnomalyOut, 404: _REFUSALS[404]},
        description="What was `normal` is over with its alarm, and the like at the same hours of the week alerts "
        "nobody for six weeks. The newest word holds; all count in the precision that is shown.",
        examples=[OpenApiExample("guests", request_only=True, value={"verdict": "normal", "note": "We had guests."})],
    )
    def post(self, request: Request, anomaly_id: UUID) -> Response:
        return self.act(request, anomaly_id, verdicts.judge)
