"""Meters, what happened to them, and what waits for a decision."""

from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import MayQuery, asking_person
from meters.api.near import NEAR, NearbyListMixin
from meters.api.serializers import ChainEventOut, ListedMeterOut, MeterOut, ReadingExceptionOut
from meters.models import ChainEvent, Meter, ReadingException
from meters.selectors.access import meter_for, periods_for


class MeterFilter(filters.FilterSet):  # type: ignore[misc]
    """By type, status and place."""

    region = filters.CharFilter(field_name="region__name", help_text="Name.")
    region_id = filters.UUIDFilter(field_name="region")

    class Meta:
        model = Meter
        fields = ("type", "status", "priority", "location_id")


@extend_schema_view(get=extend_schema(operation_id="meters_list", tags=["meters"], parameters=NEAR))
class MeterListView(NearbyListMixin, ListAPIView[Meter]):
    """The meters that the caller may see, by serial, or the nearest first."""

    queryset = Meter.objects.none()
    permission_classes = (MayQuery,)
    serializer_class = ListedMeterOut
    filterset_class = MeterFilter

    def get_queryset(self) -> QuerySet[Meter]:
        user = asking_person(self.request)
        meters = Meter.objects.all() if user is None else Meter.objects.visible_to(user)
        return meters.select_related("region").prefetch_related("registers").order_by("serial")


class MeterDetailView(APIView):
    """One meter."""

    permission_classes = (MayQuery,)

    @extend_schema(operation_id="meters_retrieve", tags=["meters"], responses=MeterOut)
    def get(self, request: Request, serial: str) -> Response:
        return Response(MeterOut(meter_for(serial=serial, user=asking_person(request))).data)


@extend_schema_view(get=extend_schema(operation_id="meter_events_list", tags=["meters"]))
class MeterEventsView(ListAPIView[ChainEvent]):
    """What happened to a meter's registers, newest first; somebody's own times of supply only."""

    queryset = ChainEvent.objects.none()
    permission_classes = (MayQuery,)
    serializer_class = ChainEventOut
    filter_backends = ()

    def get_queryset(self) -> QuerySet[ChainEvent]:
        events = ChainEvent.objects.select_related("service_point", "register").order_by("-at", "-id")
        return _own(events, "at", self.request, self.kwargs["serial"])


class ExceptionFilter(filters.FilterSet):  # type: ignore[misc]
    """By status and code."""

    class Meta:
        model = ReadingException
        fields = ("status", "code")


@extend_schema_view(get=extend_schema(operation_id="meter_exceptions_list", tags=["meters"]))
class MeterExceptionsView(ListAPIView[ReadingException]):
    """Values of a meter that did not simply enter, newest first; somebody's own times of supply only."""

    queryset = ReadingException.objects.none()
    permission_classes = (MayQuery,)
    serializer_class = ReadingExceptionOut
    filterset_class = ExceptionFilter

    def get_queryset(self) -> QuerySet[ReadingException]:
        user = asking_person(self.request)
        exceptions = ReadingException.objects.all() if user is None else ReadingException.objects.visible_to(user)
        exceptions = exceptions.select_related("register").order_by("-opened_at", "-id")
        return _own(exceptions, "time", self.request, self.kwargs["serial"])


def _own(rows: QuerySet[Any], instant: str, request: Request, serial: str) -> QuerySet[Any]:
    """Keep the rows of a meter, and of somebody's own times of supply where they may not see all."""
    user = asking_person(request)
    meter = meter_for(serial=serial, user=user)
    rows = rows.filter(register__meter=meter)
    periods = periods_for(meter=meter, user=user)
    if periods is None:
        return rows
    within = Q(pk__in=[])
    for period in periods:
        within |= Q(**{f"{instant}__range": (period.start, period.end)})
    return rows.filter(within)
