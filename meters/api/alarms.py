"""Alarms: what is wrong anywhere, and what somebody does about it."""

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
from accounts.api.permissions import HasRole, MayQuery, actor_of, asking_person, person_of
from accounts.roles import Role
from meters.api.telling import ToldByRole
from meters.models import Alarm
from meters.selectors.alarms import alarm_for, alarms_for
from meters.services import alarms

MayAct = HasRole(Role.OPERATOR, Role.MANAGER, Role.ADMIN)
_REFUSALS: dict[int, Any] = {
    404: OpenApiResponse(description="`no_such_alarm`."),
    409: OpenApiResponse(description="`alarm_over`, `alarm_already_acknowledged`."),
}


class AlarmOut(ToldByRole, serializers.ModelSerializer[Alarm]):
    """Something that somebody has to know of, from when it was raised until it was cleared."""

    account = serializers.SerializerMethodField(help_text="Its number; not for operators.")
    region = serializers.CharField(source="region.name", default=None, allow_null=True)
    acknowledged_by = serializers.SerializerMethodField(help_text="Who takes care of it, for staff to see.")
    note = serializers.SerializerMethodField(help_text="What they said, for staff to see.")

    class Meta:
        model = Alarm
        fields = (
            "id",
            "kind",
            "subject_kind",
            "subject",
            "label",
            "account",
            "region",
            "severity",
            "state",
            "text",
            "value",
            "raised_at",
            "acknowledged_at",
            "acknowledged_by",
            "snoozed_until",
            "escalated_at",
            "cleared_at",
            "note",
        )
        read_only_fields = fields


class AcknowledgeIn(serializers.Serializer[Any]):
    """That somebody takes care of it."""

    note = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class SnoozeIn(serializers.Serializer[Any]):
    """Until when it is put off, and why."""

    until = serializers.DateTimeField(help_text="At most 30 days ahead.")
    note = serializers.CharField(max_length=1000, help_text="Why.")


class AlarmFilter(filters.FilterSet):  # type: ignore[misc]
    """By state, severity, kind and what they are about."""

    open = filters.BooleanFilter(method="filter_open", help_text="Whether it has not been cleared.")
    account = filters.CharFilter(field_name="account__number", help_text="Number.")
    region = filters.CharFilter(field_name="region__name", help_text="Name.")
    raised_from = filters.IsoDateTimeFilter(field_name="raised_at", lookup_expr="gte")
    raised_until = filters.IsoDateTimeFilter(field_name="raised_at", lookup_expr="lt")

    class Meta:
        model = Alarm
        fields = ("state", "severity", "kind", "subject_kind", "subject")

    def filter_open(self, rows: QuerySet[Alarm], name: str, value: bool) -> QuerySet[Alarm]:
        """Keep those that have not been cleared, or those that have."""
        cleared = {"state": Alarm.State.CLEARED}
        return rows.exclude(**cleared) if value else rows.filter(**cleared)


@extend_schema_view(get=extend_schema(operation_id="alarms_list", tags=["alarms"]))
class AlarmListView(ListAPIView[Alarm]):
    """Alarms, newest first: operators see those of devices and batteries, customers those of their accounts."""

    queryset = Alarm.objects.none()
    permission_classes = (MayQuery,)
    serializer_class = AlarmOut
    filterset_class = AlarmFilter

    def get_queryset(self) -> QuerySet[Alarm]:
        return alarms_for(asking_person(self.request)).order_by("-raised_at", "-id")


class AlarmDetailView(APIView):
    """One alarm."""

    permission_classes = (MayQuery,)

    @extend_schema(operation_id="alarms_retrieve", tags=["alarms"], responses={200: AlarmOut, 404: _REFUSALS[404]})
    def get(self, request: Request, alarm_id: UUID) -> Response:
        found = alarm_for(alarm_id=alarm_id, user=asking_person(request))
        return Response(AlarmOut(found, context={"request": request}).data)


class _ActView(IdempotentCreate):
    permission_classes = (MayAct,)
    serializer: type[serializers.Serializer[Any]]

    def act(self, request: Request, alarm_id: UUID, service: Callable[..., Alarm]) -> Response:
        """Check what was sent, do it, and answer with the alarm as it is now."""
        asked = self.serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        user = person_of(request)
        alarm_for(alarm_id=alarm_id, user=user)
        service(alarm_id=alarm_id, actor=actor_of(request), now=timezone.now(), **asked.validated_data)
        found = alarm_for(alarm_id=alarm_id, user=user)
        return Response(AlarmOut(found, context={"request": request}).data)


class AlarmAcknowledgeView(_ActView):
    """Somebody takes care of it."""

    serializer = AcknowledgeIn

    @extend_schema(
        operation_id="alarms_acknowledge",
        tags=["alarms"],
        parameters=[IDEMPOTENCY_KEY],
        request=AcknowledgeIn,
        responses={200: AlarmOut, **_REFUSALS},
        description="It is not escalated any more. Said again by the same person it changes nothing.",
        examples=[OpenApiExample("on the way", request_only=True, value={"note": "On my way."})],
    )
    def post(self, request: Request, alarm_id: UUID) -> Response:
        return self.act(request, alarm_id, alarms.acknowledge)


class AlarmSnoozeView(_ActView):
    """It is put off."""

    serializer = SnoozeIn

    @extend_schema(
        operation_id="alarms_snooze",
        tags=["alarms"],
        parameters=[IDEMPOTENCY_KEY],
        request=SnoozeIn,
        responses={200: AlarmOut, **_REFUSALS, 422: OpenApiResponse(description="`wrong_snooze`, `reason_missing`.")},
        description="Until then it is told nowhere but on pages, however often it comes and goes; then it is told "
        "again, unless it is over or somebody takes care of it.",
        examples=[
            OpenApiExample(
                "being repaired",
                request_only=True,
                value={"until": "2025-03-01T18:00:00+08:00", "note": "The electrician comes at six."},
            )
        ],
    )
    def post(self, request: Request, alarm_id: UUID) -> Response:
        return self.act(request, alarm_id, alarms.snooze)
