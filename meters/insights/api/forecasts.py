"""Forecasts: what is expected of the coming day and the one after, by whom, and why not where it is not."""

from typing import Any

from django.conf import settings
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
from accounts.api.permissions import MayQuery, actor_of, asking_person
from accounts.roles import Role
from energy_portal.shared.errors import Forbidden
from meters.api.jobs import JobQueuedOut, queued
from meters.insights.models import Forecast, Subject
from meters.insights.selectors.forecasts import forecast_for, forecasts_for, series_for
from meters.insights.services.forecasting import forecast_now
from meters.insights.services.nights import queue_night

STEP_MINUTES = 30


class NotForEverybody(Forbidden):
    """Forecasts of all series are asked for by managers, admins and data sources."""

    code = "not_for_everybody"


class ForecastOut(serializers.ModelSerializer[Forecast]):
    """What is expected from an origin on: a value a half-hour, empty where it was refused."""

    account = serializers.SerializerMethodField(help_text="Its number; not for operators.")
    region = serializers.CharField(source="region.name", default=None, allow_null=True)
    step_minutes = serializers.SerializerMethodField(help_text="From one value to the next.")
    median = serializers.ListField(child=serializers.FloatField(), help_text="For the shape.")
    mean = serializers.ListField(child=serializers.FloatField(), help_text="For sums of energy.")
    low = serializers.ListField(child=serializers.FloatField(), help_text="Ten in a hundred are below.")
    high = serializers.ListField(child=serializers.FloatField(), help_text="Ten in a hundred are above.")
    model = serializers.CharField(default=None, allow_null=True, help_text="Cohort and version.")

    class Meta:
        model = Forecast
        fields = (
            "id",
            "subject_kind",
            "subject",
            "label",
            "account",
            "region",
            "quantity",
            "cohort",
            "zone",
            "origin",
            "issued_at",
            "known_until",
            "step_minutes",
            "median",
            "mean",
            "low",
            "high",
            "forecaster",
            "model",
            "reason",
            "reason_text",
        )
        read_only_fields = fields

    def get_account(self, forecast: Forecast) -> str | None:
        """Return the number of the account."""
        user = asking_person(self.context["request"])
        if forecast.account is None or (user is not None and user.role == Role.OPERATOR):
            return None
        return forecast.account.number

    def get_step_minutes(self, forecast: Forecast) -> int:
        """Return the minutes from one value to the next."""
        return STEP_MINUTES


class GenerateIn(serializers.Serializer[Any]):
    """Of whom; without a name of all of a kind on a clock."""

    subject_kind = serializers.ChoiceField(choices=Subject.choices)
    subject = serializers.CharField(
        max_length=64, required=False, allow_blank=True, help_text="A code, a device's own name, an account's number."
    )
    zone = serializers.CharField(max_length=64, required=False, help_text="IANA; by default the portal's own.")


class ForecastFilter(filters.FilterSet):  # type: ignore[misc]
    """By whom they are of, where they begin, who spoke and why not."""

    account = filters.CharFilter(field_name="account__number", help_text="Number.")
    region = filters.CharFilter(field_name="region__name", help_text="Name.")
    origin_from = filters.IsoDateTimeFilter(field_name="origin", lookup_expr="gte")
    origin_until = filters.IsoDateTimeFilter(field_name="origin", lookup_expr="lt")

    class Meta:
        model = Forecast
        fields = ("subject_kind", "subject", "quantity", "cohort", "forecaster", "reason")


@extend_schema_view(get=extend_schema(operation_id="predictions_list", tags=["predictions"]))
class ForecastListView(ListAPIView[Forecast]):
    """Forecasts, newest first: customers see those of their accounts, operators those of devices and batteries."""

    queryset = Forecast.objects.none()
    permission_classes = (MayQuery,)
    serializer_class = ForecastOut
    filterset_class = ForecastFilter

    def get_queryset(self) -> QuerySet[Forecast]:
        return forecasts_for(asking_person(self.request)).order_by("-origin", "-id")


class ForecastDetailView(APIView):
    """One forecast."""

    permission_classes = (MayQuery,)

    @extend_schema(
        operation_id="predictions_retrieve",
        tags=["predictions"],
        responses={200: ForecastOut, 404: OpenApiResponse(description="`no_such_forecast`.")},
    )
    def get(self, request: Request, forecast_id: int) -> Response:
        found = forecast_for(forecast_id=forecast_id, user=asking_person(request))
        return Response(ForecastOut(found, context={"request": request}).data)


class ForecastGenerateView(IdempotentCreate):
    """A forecast now."""

    permission_classes = (MayQuery,)

    @extend_schema(
        operation_id="predictions_generate",
        tags=["predictions"],
        parameters=[IDEMPOTENCY_KEY],
        request=GenerateIn,
        responses={
            200: ForecastOut,
            202: JobQueuedOut(many=True),
            403: OpenApiResponse(description="`not_for_everybody`."),
            404: OpenApiResponse(description="`no_such_series`."),
            422: OpenApiResponse(description="`unknown_zone`."),
        },
        description="Of one subject it is answered at once: the forecast from its last local midnight on, which is "
        "made where none stands; asked again it is the same. Without a subject, all of that kind on a clock are "
        "forecast by a job, unless that was asked for since midnight.",
        examples=[
            OpenApiExample("one", request_only=True, value={"subject_kind": "service_point", "subject": "SP-000001"}),
            OpenApiExample("all", request_only=True, value={"subject_kind": "device", "zone": "Asia/Singapore"}),
        ],
    )
    def post(self, request: Request) -> Response:
        asked = GenerateIn(data=request.data)
        asked.is_valid(raise_exception=True)
        kind, subject = Subject(asked.validated_data["subject_kind"]), asked.validated_data.get("subject", "")
        if subject or kind is Subject.PORTAL:
            return self._one(request, kind, subject)
        return self._all(request, kind, asked.validated_data.get("zone") or settings.SITE_ZONE)

    def _one(self, request: Request, kind: Subject, subject: str) -> Response:
        now, user = timezone.now(), asking_person(request)
        series = series_for(kind=kind, subject=subject, user=user, at=now)
        made = forecast_now(kind=kind, subject=series.subject, actor=actor_of(request), now=now)
        found = forecast_for(forecast_id=made.pk, user=user)
        return Response(ForecastOut(found, context={"request": request}).data)

    def _all(self, request: Request, kind: Subject, zone: str) -> Response:
        user = asking_person(request)
        if user is not None and user.role not in {Role.MANAGER, Role.ADMIN}:
            raise NotForEverybody("Forecasts of all series are asked for by managers and admins; name a subject.")
        jobs = queue_night(zone=zone, actor=actor_of(request), now=timezone.now(), kinds=(kind,))
        return Response([queued(request, job).data for job in jobs], status=202)
