"""How often anomalies were real, for machines and for those who watch the detectors."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import HasRole, HasScope, asking_person
from accounts.roles import STAFF_ROLES, Scope
from meters.insights.selectors.anomalies import anomalies_for
from meters.insights.selectors.precision import Judged, Precision, precision_between

_USUAL = timedelta(days=28)


class PrecisionQuery(serializers.Serializer[Any]):
    """When the anomalies began that count."""

    started_from = serializers.DateTimeField(required=False, help_text="28 days before the end unless told.")
    started_until = serializers.DateTimeField(required=False, help_text="Now unless told.")


class PrecisionOut(serializers.Serializer[Precision]):
    """Anomalies of a group, and what people called them."""

    group = serializers.CharField(allow_blank=True)
    found = serializers.IntegerField()
    alarmed = serializers.IntegerField(help_text="How many raised an alarm.")
    real = serializers.IntegerField()
    normal = serializers.IntegerField()
    precision = serializers.FloatField(source="share", allow_null=True, help_text="Real ones of those judged.")


class AnomalyScoresOut(serializers.Serializer[Judged]):
    """How often anomalies were real: in all, by kind, by detector, and by whom they are of."""

    overall = PrecisionOut()
    by_kind = PrecisionOut(many=True)
    by_detector = PrecisionOut(many=True)
    by_cohort = PrecisionOut(many=True)
    meter_weeks = serializers.FloatField(help_text="How many weeks of meters were watched, of all meters.")


class AnomalyScoresView(APIView):
    """How often those who know called anomalies real."""

    permission_classes = (HasRole(*sorted(STAFF_ROLES)) | HasScope(Scope.QUERIES),)

    @extend_schema(
        operation_id="anomaly_scores", tags=["insights"], parameters=[PrecisionQuery], responses={200: AnomalyScoresOut}
    )
    def get(self, request: Request) -> Response:
        asked = PrecisionQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        end = asked.validated_data.get("started_until", timezone.now())
        start = asked.validated_data.get("started_from", end - _USUAL)
        found = precision_between(start, end, rows=anomalies_for(asking_person(request)))
        return Response(AnomalyScoresOut(found).data)
