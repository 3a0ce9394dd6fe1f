"""Faults of appliances, and what hangs behind devices."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import IsPerson, MayQuery, actor_of, asking_person, person_of
from meters.api.telling import ToldByRole
from meters.devices.api.callers import MayUseDevices
from meters.insights.models import Appliance, Fault
from meters.insights.selectors.appliances import appliance_of
from meters.insights.selectors.faults import fault_for, faults_for
from meters.insights.services.appliances import remove_appliance, set_appliance
from meters.insights.services.faults import acknowledge_fault

_NONE: dict[int, Any] = {404: OpenApiResponse(description="`no_such_fault`.")}
_REFUSALS: dict[int, Any] = {
    403: OpenApiResponse(description="`not_administrator`: sees the device, but may not say what hangs behind it."),
    404: OpenApiResponse(description="`unknown_device`."),
}


class FaultOut(ToldByRole, serializers.ModelSerializer[Fault]):
    """Something that is wrong with an appliance, from when it began until it was over."""

    device_id = serializers.CharField(source="subject")
    appliance = serializers.CharField(source="appliance.kind", help_text="What hangs there.")
    account = serializers.SerializerMethodField(help_text="Its number; not for operators.")
    region = serializers.CharField(source="region.name", default=None, allow_null=True)
    acknowledged_by = serializers.SerializerMethodField(help_text="Who takes care of it, for staff to see.")
    note = serializers.SerializerMethodField(help_text="What was said about it, for staff to see.")
    alarm_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = Fault
        fields = (
            "id",
            "kind",
            "severity",
            "device_id",
            "appliance",
            "label",
            "account",
            "region",
            "began_at",
            "detected_at",
            "cause",
            "advice",
            "evidence",
            "cost_kwh_a_day",
            "cost_a_month",
            "currency",
            "state",
            "acknowledged_at",
            "acknowledged_by",
            "closed_at",
            "note",
            "alarm_id",
        )
        read_only_fields = fields


class FaultAcknowledgeIn(serializers.Serializer[Any]):
    """That somebody takes care of it."""

    note = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class ApplianceIn(serializers.Serializer[Any]):
    """What hangs behind a device."""

    kind = serializers.ChoiceField(choices=Appliance.Kind.choices)


class ApplianceOut(serializers.ModelSerializer[Appliance]):
    """What hangs behind a device, what is usual of it, and which faults can be told."""

    device_id = serializers.CharField(source="device.device_id")

    class Meta:
        model = Appliance
        fields = (
            "device_id",
            "kind",
            "standing",
            "standing_text",
            "baseline",
            "learnt_until",
            "diagnosed_until",
            "judged",
            "not_judged",
        )
        read_only_fields = fields


class FaultFilter(filters.FilterSet):  # type: ignore[misc]
    """By state, kind, severity, appliance, device and when they were found."""

    open = filters.BooleanFilter(method="filter_open", help_text="Whether it is not over.")
    account = filters.CharFilter(field_name="account__number", help_text="Number.")
    region = filters.CharFilter(field_name="region__name", help_text="Name.")
    device_id = filters.CharFilter(field_name="subject", help_text="As it names itself.")
    appliance = filters.ChoiceFilter(field_name="appliance__kind", choices=Appliance.Kind.choices)
    detected_from = filters.IsoDateTimeFilter(field_name="detected_at", lookup_expr="gte")
    detected_until = filters.IsoDateTimeFilter(field_name="detected_at", lookup_expr="lt")

    class Meta:
        model = Fault
        fields = ("state", "kind", "severity")

    def filter_open(self, rows: QuerySet[Fault], name: str, value: bool) -> QuerySet[Fault]:
        """Keep those that are not over, or those that are."""
        closed = {"state": Fault.State.CLOSED}
        return rows.exclude(**closed) if value else rows.filter(**closed)


@extend_schema_view(get=extend_schema(operation_id="faults_list", tags=["insights"]))
class FaultListView(ListAPIView[Fault]):
    """Faults, newest first: customers see those of their accounts' devices."""

    queryset = Fault.objects.none()
    permission_classes = (MayQuery,)
    serializer_class = FaultOut
    filterset_class = FaultFilter

    def get_queryset(self) -> QuerySet[Fault]:
        return faults_for(asking_person(self.request)).order_by("-detected_at", "-id")


class FaultDetailView(APIView):
    """One fault, with the figures and the chart that show it."""

    permission_classes = (MayQuery,)

    @extend_schema(operation_id="faults_retrieve", tags=["insights"], responses={200: FaultOut, **_NONE})
    def get(self, request: Request, fault_id: UUID) -> Response:
        found = fault_for(fault_id=fault_id, user=asking_person(request))
        return Response(FaultOut(found, context={"request": request}).data)


class FaultAcknowledgeView(IdempotentCreate):
    """Somebody takes care of it."""

    permission_classes = (IsPerson,)

    @extend_schema(
        operation_id="faults_acknowledge",
        tags=["insights"],
        parameters=[IDEMPOTENCY_KEY],
        request=FaultAcknowledgeIn,
        responses={
            200: FaultOut,
            **_NONE,
            409: OpenApiResponse(description="`fault_over`, `fault_already_acknowledged`."),
        },
        description="Its alarm is acknowledged with it. Said again by the same person it changes nothing.",
    )
    def post(self, request: Request, fault_id: UUID) -> Response:
        asked = FaultAcknowledgeIn(data=request.data)
        asked.is_valid(raise_exception=True)
        user = person_of(request)
        fault_for(fault_id=fault_id, user=user)
        acknowledge_fault(fault_id=fault_id, actor=actor_of(request), now=timezone.now(), **asked.validated_data)
        found = fault_for(fault_id=fault_id, user=user)
        return Response(FaultOut(found, context={"request": request}).data)


class DeviceApplianceView(APIView):
    """What hangs behind a device."""

    permission_classes = (MayUseDevices,)

    @extend_schema(
        operation_id="device_appliance_retrieve",
        tags=["insights"],
        responses={200: ApplianceOut, 404: OpenApiResponse(description="`unknown_device`, `no_appliance`.")},
    )
    def get(self, request: Request, device_id: str) -> Response:
        """Tell what hangs there, what is usual of it, and which faults cannot be told yet."""
        return Response(ApplianceOut(appliance_of(device_id=device_id, user=asking_person(request))).data)

    @extend_schema(
        operation_id="device_appliance_set",
        tags=["insights"],
        request=ApplianceIn,
        responses={200: ApplianceOut, **_REFUSALS, 409: OpenApiResponse(description="`retired_device`.")},
        description="Another kind than before is learnt anew. Who administers the device's account may say so.",
        examples=[OpenApiExample("fridge", request_only=True, value={"kind": "refrigerator"})],
    )
    def put(self, request: Request, device_id: str) -> Response:
        """Say what hangs there."""
        asked = ApplianceIn(data=request.data)
        asked.is_valid(raise_exception=True)
        set_appliance(device_id=device_id, actor=actor_of(request), now=timezone.now(), **asked.validated_data)
        return Response(ApplianceOut(appliance_of(device_id=device_id, user=asking_person(request))).data)

    @extend_schema(operation_id="device_appliance_remove", tags=["insights"], responses={204: None, **_REFUSALS})
    def delete(self, request: Request, device_id: str) -> Response:
        """Watch it no longer; what was found stays, and is over."""
        remove_appliance(device_id=device_id, actor=actor_of(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
