"""What BMS and PCS told, on common rows."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import asking_person
from energy_portal.shared.api import ProblemAwareJSONRenderer, SafeCSVRenderer
from meters.batteries.api.callers import MayAskOfBatteries
from meters.batteries.api.readings import USUAL_SPAN, ReadingsQuery, asked_readings, asked_span, clock_of
from meters.batteries.quantities import NAMES
from meters.batteries.selectors.aligned import aligned_readings
from meters.batteries.selectors.batteries import battery_for

_USUAL_RESOLUTION_SECONDS = 60
_NAMES = [name for names in NAMES.values() for name in names]


class AlignedReadingsOut(serializers.Serializer[Any]):
    """What both systems told, a row a span."""

    device_id = serializers.CharField()
    resolution_seconds = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        rows = serializers.ListField(
            child=serializers.DictField(child=serializers.JSONField()),
            help_text="By span: its start as `timestamp`, each signal or null, and `ages` (s) of those that stand.",
        )
        return {**super().get_fields(), "data": rows}


class AlignedView(APIView):
    """What a battery's BMS and PCS told, on common rows."""

    permission_classes = (MayAskOfBatteries,)
    renderer_classes = (ProblemAwareJSONRenderer, SafeCSVRenderer)

    @extend_schema(
        operation_id="battery_aligned",
        tags=["batteries"],
        parameters=[ReadingsQuery],
        responses={
            200: AlignedReadingsOut,
            422: OpenApiResponse(OpenApiTypes.OBJECT, description="`too_many_points`, `period_too_long`."),
        },
        description=(
            "Signals of BMS and PCS, each told at its own rate, on common rows. A row is labelled by the start of its "
            "span and knows only what was told before the span's end: gauges hold their last value, means are weighted "
            "by time, each no longer than its signal's tolerance. The last day and 60 seconds unless told."
        ),
    )
    def get(self, request: Request, battery_id: str) -> Response:
        asked = asked_readings(request, _NAMES)
        battery = battery_for(battery_id=battery_id, user=asking_person(request))
        start, end = asked_span(asked, clock_of(battery), end=timezone.now(), usual=USUAL_SPAN)
        seconds = asked.get("resolution", _USUAL_RESOLUTION_SECONDS)
        rows = aligned_readings(
            battery=battery, start=start, end=end, every=timedelta(seconds=seconds), names=asked["fields"]
        )
        if request.accepted_renderer.format == "csv":
            return Response(rows)
        return Response({"device_id": battery.battery_id, "resolution_seconds": seconds, "data": rows})
