"""A battery's dossier as machines read it."""

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
from meters.batteries.api.callers import MayAskOfBatteries
from meters.batteries.api.readings import SpanQuery, asked_span, clock_of
from meters.batteries.selectors.batteries import battery_for
from meters.batteries.selectors.dossiers import USUAL_DAYS, summary


class BatterySummaryOut(serializers.Serializer[Any]):
    """What became of a battery in a period; null is what is not known."""

    battery_id = serializers.CharField()
    is_simulated = serializers.BooleanField()
    throughput = serializers.DictField()
    round_trip_efficiency = serializers.DictField(help_text="`dc` and `ac`: percent, or the reason why there is none.")
    outside_windows = serializers.DictField()
    extremes = serializers.ListField(child=serializers.DictField())
    coverage = serializers.DictField()
    soh = serializers.DictField()
    alarms = serializers.ListField(child=serializers.DictField())

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        bounds = {name: serializers.DateTimeField() for name in ("from", "to")}
        return {**bounds, **super().get_fields()}


class SummaryView(APIView):
    """A battery's dossier."""

    permission_classes = (MayAskOfBatteries,)

    @extend_schema(
        operation_id="battery_summary",
        tags=["batteries"],
        parameters=[SpanQuery],
        responses={
            200: BatterySummaryOut,
            422: OpenApiResponse(OpenApiTypes.OBJECT, description="`wrong_period`."),
        },
        description=(
            "Throughput, equivalent cycles, round-trip efficiency, time outside the windows, extremes, gaps and alarms "
            "of the whole quarters of an hour of a period, as far as they are rolled up; the last 30 days unless told."
        ),
    )
    def get(self, request: Request, battery_id: str) -> Response:
        query = SpanQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked, now = query.validated_data, timezone.now()
        battery = battery_for(battery_id=battery_id, user=asking_person(request))
        start, end = asked_span(asked, clock_of(battery), end=now, usual=timedelta(days=USUAL_DAYS))
        return Response(summary(battery=battery, start=start, end=end, now=now))
