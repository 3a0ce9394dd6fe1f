"""What a battery told: by cursor, or drawn together over spans."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.permissions import asking_person
from energy_portal.shared.api import CallerThrottle, ProblemAwareJSONRenderer, SafeCSVRenderer
from energy_portal.shared.clock import as_utc, zone
from meters.api.fields import InstantField
from meters.batteries.api.callers import MayAskOfBatteries
from meters.batteries.api.serializers import READING_OUT
from meters.batteries.models import Battery
from meters.batteries.quantities import NAMES, System
from meters.batteries.selectors.batteries import battery_for
from meters.batteries.selectors.readings import EARLIEST, LATEST, MOST_POINTS, ReadingList, sampled_readings

USUAL_SPAN = timedelta(days=1)
_DESCRIPTION = (
    "Without `resolution` what it told of each instant, the newest first, paged by cursor. With it the period drawn "
    "together over spans of so many seconds: the mean of each signal under its name, its lowest and highest value as "
    "`…_min` and `…_max`, so that no peak is lost; spans without a reading are left out; the last day unless told, at "
    f"most {MOST_POINTS} spans."
)


class SpanQuery(serializers.Serializer[Any]):
    """When."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        bounds = {
            "from": InstantField(required=False, help_text="Naive on the clock of the battery."),
            "to": InstantField(required=False, help_text="Not included."),
        }
        return {**bounds, **super().get_fields()}


class ReadingsQuery(SpanQuery):
    """When, and how fine."""

    resolution = serializers.IntegerField(required=False, min_value=1, max_value=86_400, help_text="Seconds.")
    fields_ = serializers.CharField(required=False, help_text="Names of signals, separated by commas; all unless told.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        fields["fields"] = fields.pop("fields_")
        return fields


class SampledReadingsOut(serializers.Serializer[Any]):
    """A period drawn together over spans."""

    device_id = serializers.CharField()
    system = serializers.ChoiceField(choices=list(System))
    resolution_seconds = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        spans = serializers.ListField(
            child=serializers.DictField(child=serializers.JSONField()),
            help_text="By span: its start as `timestamp`, its `rows`, and each signal's mean, `…_min` and `…_max`.",
        )
        return {**super().get_fields(), "data": spans}


def clock_of(battery: Battery) -> ZoneInfo:
    """Return the zone of a battery's site."""
    return zone(battery.zone or settings.SITE_ZONE)


def asked_span(
    asked: Mapping[str, Any], clock: ZoneInfo, *, end: datetime = LATEST, usual: timedelta | None = None
) -> tuple[datetime, datetime]:
    """Return the asked span in UTC, naive instants read on a clock.

    :param end: where none is asked for.
    :param usual: how long before its end it starts where no start is asked for; unless told, with the earliest.
    """

    def bound(name: str, default: datetime) -> datetime:
        at = asked.get(name)
        if at is None:
            return default
        aware = at if at.tzinfo else at.replace(tzinfo=clock)
        return EARLIEST if aware < EARLIEST else min(as_utc(aware), LATEST)

    until = bound("to", end)
    return bound("from", EARLIEST if usual is None else until - usual), until


def asked_readings(request: Request, known: Collection[str]) -> dict[str, Any]:
    """Return what is asked for, the names of signals as a list under ``fields``.

    :param known: the signals that there are.
    """
    query = ReadingsQuery(data=request.query_params)
    query.is_valid(raise_exception=True)
    asked = dict(query.validated_data)
    asked["fields"] = [name.strip() for name in asked.get("fields", "").split(",") if name.strip()]
    unknown = set(asked["fields"]) - set(known)
    if unknown:
        raise serializers.ValidationError({"fields": f"No signal is called {', '.join(sorted(unknown))}."})
    return asked


class ReadReadings(ListAPIView[Any]):
    """What a system of a battery told."""

    queryset = Battery.objects.none()
    filter_backends: Any = ()
    renderer_classes = (ProblemAwareJSONRenderer, SafeCSVRenderer)
    system: System
    _of: Mapping[str, Any] = MappingProxyType({})

    def get_permissions(self) -> list[Any]:
        return [MayAskOfBatteries()] if self.request.method in SAFE_METHODS else [*super().get_permissions()]

    def get_throttles(self) -> list[Any]:
        return [CallerThrottle()] if self.request.method in SAFE_METHODS else super().get_throttles()

    def get_serializer_class(self) -> Any:
        return READING_OUT[self.system]

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        asked = self._asked()
        if "resolution" not in asked:
            return super().get(request, *args, **kwargs)
        battery = self._battery()
        start, end = asked_span(asked, clock_of(battery), end=timezone.now(), usual=USUAL_SPAN)
        every = timedelta(seconds=asked["resolution"])
        rows = sampled_readings(
            system=self.system, battery=battery, start=start, end=end, every=every, names=asked["fields"]
        )
        if request.accepted_renderer.format == "csv":
            return Response(rows)
        return Response(
            {
                "device_id": battery.battery_id,
                "system": self.system,
                "resolution_seconds": asked["resolution"],
                "data": rows,
            }
        )

    def get_queryset(self) -> Any:
        battery = self._battery()
        return ReadingList(self.system, battery.pk, *asked_span(self._asked(), clock_of(battery)))

    def _battery(self) -> Battery:
        return battery_for(battery_id=self.kwargs["battery_id"], user=asking_person(self.request))

    def _asked(self) -> dict[str, Any]:
        return asked_readings(self.request, NAMES[self.system])


def read_schema(system: System) -> Any:
    """Return the documentation of what a system told."""
    return extend_schema(
        operation_id=f"battery_{system}_list",
        tags=["batteries"],
        parameters=[ReadingsQuery],
        responses={
            200: PolymorphicProxySerializer(
                f"{system.upper()}ReadingsOrSpans",
                [READING_OUT[system](many=True), SampledReadingsOut],
                resource_type_field_name=None,
                many=False,
            ),
            422: OpenApiResponse(OpenApiTypes.OBJECT, description="`too_many_points`, `period_too_long`."),
        },
        description=f"What a battery's {system.upper()} told. {_DESCRIPTION}",
    )
