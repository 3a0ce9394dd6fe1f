"""Temperatures and holidays, told by staff: what forecasts may know of the days ahead."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import HasRole, actor_of
from accounts.roles import Role
from meters.insights.models import Holiday, Weather
from meters.insights.services.weather import MOST_ROWS, DayOff, Reported, record_holidays, record_weather

MayTell = HasRole(Role.MANAGER, Role.ADMIN)
_REFUSALS: dict[int, Any] = {422: OpenApiResponse(description="`bad_weather`, with the rows that cannot be kept.")}


class WeatherOut(serializers.ModelSerializer[Weather]):
    """A temperature of a half-hour, and since when it was known."""

    region = serializers.CharField(source="region.name", default=None, allow_null=True)

    class Meta:
        model = Weather
        fields = ("region", "time", "temperature_c", "known_at")
        read_only_fields = fields


class HolidayOut(serializers.ModelSerializer[Holiday]):
    """A day on which people live as on a Sunday."""

    region = serializers.CharField(source="region.name", default=None, allow_null=True)

    class Meta:
        model = Holiday
        fields = ("region", "day", "name", "known_at")
        read_only_fields = fields


class WeatherRowIn(serializers.Serializer[Any]):
    """A temperature of a half-hour."""

    time = serializers.DateTimeField(help_text="The start of the half-hour.")
    temperature_c = serializers.FloatField()
    region = serializers.CharField(max_length=100, required=False, allow_null=True, help_text="Name; none: all.")
    known_at = serializers.DateTimeField(required=False, allow_null=True, help_text="By default now.")


class WeatherIn(serializers.Serializer[Any]):
    """Temperatures that were observed or foreseen."""

    rows = WeatherRowIn(many=True, max_length=MOST_ROWS, allow_empty=False)  # type: ignore[call-arg]


class HolidayRowIn(serializers.Serializer[Any]):
    """A local day."""

    day = serializers.DateField()
    name = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    region = serializers.CharField(max_length=100, required=False, allow_null=True, help_text="Name; none: all.")


class HolidaysIn(serializers.Serializer[Any]):
    """Days on which people live as on a Sunday."""

    days = HolidayRowIn(many=True, max_length=1_000, allow_empty=False)  # type: ignore[call-arg]


class KeptOut(serializers.Serializer[Any]):
    """What was told, and how much of it was new."""

    told = serializers.IntegerField()
    kept = serializers.IntegerField()


class WeatherFilter(filters.FilterSet):  # type: ignore[misc]
    """By region and time."""

    region = filters.CharFilter(field_name="region__name", help_text="Name.")
    time_from = filters.IsoDateTimeFilter(field_name="time", lookup_expr="gte")
    time_until = filters.IsoDateTimeFilter(field_name="time", lookup_expr="lt")

    class Meta:
        model = Weather
        fields = ()


class HolidayFilter(filters.FilterSet):  # type: ignore[misc]
    """By region and day."""

    region = filters.CharFilter(field_name="region__name", help_text="Name.")
    day_from = filters.DateFilter(field_name="day", lookup_expr="gte")
    day_until = filters.DateFilter(field_name="day", lookup_expr="lt")

    class Meta:
        model = Holiday
        fields = ()


class WeatherView(IdempotentCreate, ListAPIView[Weather]):
    """Temperatures, newest first."""

    queryset = Weather.objects.none()
    permission_classes = (MayTell,)
    serializer_class = WeatherOut
    filterset_class = WeatherFilter

    def get_queryset(self) -> QuerySet[Weather]:
        return Weather.objects.select_related("region").order_by("-time", "-id")

    @extend_schema(operation_id="weather_list", tags=["predictions"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="weather_create",
        tags=["predictions"],
        parameters=[IDEMPOTENCY_KEY],
        request=WeatherIn,
        responses={200: KeptOut, **_REFUSALS},
        description="A later word of a half-hour stands beside the earlier; forecasts use the newest that was known "
        "when they were made. Nothing is kept where a row cannot be so.",
        examples=[
            OpenApiExample(
                "foreseen",
                request_only=True,
                value={"rows": [{"time": "2025-03-02T14:00:00+08:00", "temperature_c": 31.5}]},
            )
        ],
    )
    def post(self, request: Request) -> Response:
        asked = WeatherIn(data=request.data)
        asked.is_valid(raise_exception=True)
        rows = [Reported(**row) for row in asked.validated_data["rows"]]
        kept = record_weather(rows=rows, actor=actor_of(request), now=timezone.now())
        return Response(KeptOut({"told": len(rows), "kept": kept}).data)


class HolidayView(IdempotentCreate, ListAPIView[Holiday]):
    """Holidays, newest first."""

    queryset = Holiday.objects.none()
    permission_classes = (MayTell,)
    serializer_class = HolidayOut
    filterset_class = HolidayFilter

    def get_queryset(self) -> QuerySet[Holiday]:
        return Holiday.objects.select_related("region").order_by("-day", "-id")

    @extend_schema(operation_id="holidays_list", tags=["predictions"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="holidays_create",
        tags=["predictions"],
        parameters=[IDEMPOTENCY_KEY],
        request=HolidaysIn,
        responses={200: KeptOut, **_REFUSALS},
        description="A day that was told already only takes its new name.",
    )
    def post(self, request: Request) -> Response:
        asked = HolidaysIn(data=request.data)
        asked.is_valid(raise_exception=True)
        days = [DayOff(**day) for day in asked.validated_data["days"]]
        kept = record_holidays(days=days, actor=actor_of(request), now=timezone.now())
        return Response(KeptOut({"told": len(days), "kept": kept}).data)
