"""How forecasts did, for machines and for spreadsheets."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import MayQuery, asking_person
from energy_portal.shared.api import KeysetPagination, ProblemAwareJSONRenderer, SafeCSVRenderer
from energy_portal.shared.clock import zone
from meters.insights.models import Forecast, Subject
from meters.insights.selectors.scoreboard import Asked, Board, By, Row, period_of

_FILTERS = ("cohort", "forecaster", "quantity", "day_ahead", "subject_kind", "subject", "region")


class ScoreboardQuery(serializers.Serializer[Any]):
    """What a scoreboard is of."""

    by = serializers.ChoiceField(choices=[each.value for each in By], default=By.COHORT.value)
    first = serializers.DateField(required=False, help_text="The first day, local; 28 days before the end unless told.")
    until = serializers.DateField(required=False, help_text="The day after the last, local; tomorrow unless told.")
    cohort = serializers.CharField(required=False, max_length=40, help_text="As service_point:household.")
    forecaster = serializers.CharField(required=False, max_length=30, help_text="blend, weekday_means, week_naive.")
    model = serializers.UUIDField(required=False, help_text="Its id.")
    version = serializers.IntegerField(required=False, min_value=1, help_text="Of the models of a cohort.")
    quantity = serializers.ChoiceField(choices=Forecast.Quantity.choices, required=False)
    day_ahead = serializers.ChoiceField(choices=[1, 2], required=False, help_text="1: the first 24 h, 2: those after.")
    subject_kind = serializers.ChoiceField(choices=Subject.choices, required=False)
    subject = serializers.CharField(required=False, max_length=64)
    region = serializers.CharField(required=False, max_length=100, help_text="Its name.")
    told = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="Only what was told, or only what was computed beside."
    )


class ScoreboardRowOut(serializers.Serializer[Row]):
    """How a forecaster did on the days that were asked for; null where rows are not told apart by it."""

    day = serializers.DateField(allow_null=True, help_text="Local, at whose midnight the forecasts began.")
    cohort = serializers.CharField(allow_blank=True)
    subject_kind = serializers.CharField(allow_blank=True)
    subject = serializers.CharField(allow_blank=True)
    quantity = serializers.CharField()
    forecaster = serializers.CharField()
    version = serializers.IntegerField(help_text="Of the model; 0 where rows are not of one.")
    model = serializers.UUIDField(source="model_id", allow_null=True)
    day_ahead = serializers.IntegerField(allow_null=True, help_text="1: the first 24 h, 2: those after.")
    forecasts = serializers.IntegerField(help_text="Days of forecasts that were scored.")
    half_hours = serializers.IntegerField(source="figures.half_hours", help_text="Whose truth is known.")
    mase = serializers.FloatField(
        source="figures.mase",
        allow_null=True,
        help_text="Mean of the errors by the one-day naive error of their own series.",
    )
    mase_pooled = serializers.FloatField(
        source="figures.mase_pooled", allow_null=True, help_text="All errors by all one-day naive errors."
    )
    nmae = serializers.FloatField(source="figures.nmae", allow_null=True, help_text="Medians' error by the truth.")
    bias = serializers.FloatField(source="figures.bias", allow_null=True, help_text="Means by truths, less 1.")
    bias_of_median = serializers.FloatField(source="figures.bias_of_median", allow_null=True)
    coverage = serializers.FloatField(
        source="figures.coverage", allow_null=True, help_text="Share of truths inside P10 to P90; 0.8 is meant."
    )
    skill = serializers.FloatField(
        source="figures.skill", allow_null=True, help_text="1 less error by that of week-naive on the same half-hours."
    )


class ScoreboardView(APIView):
    """How forecasts did once their truth was known."""

    permission_classes = (MayQuery,)
    pagination_class = KeysetPagination
    renderer_classes = (ProblemAwareJSONRenderer, SafeCSVRenderer)
    csv_columns = tuple(ScoreboardRowOut().fields)

    @extend_schema(
        operation_id="scoreboard_list",
        tags=["insights"],
        parameters=[
            ScoreboardQuery,
            OpenApiParameter("cursor", str, description="Where a page starts: taken from `next` or `previous`."),
            OpenApiParameter("page_size", int, description="Rows a page: 50 unless told, at most 500."),
        ],
        responses={
            200: ScoreboardRowOut(many=True),
            400: OpenApiResponse(description="`invalid`, `invalid_cursor`."),
            422: OpenApiResponse(description="`wrong_period`."),
        },
        description="Every forecast is scored when its truth arrives, and anew when that changes; week_naive and "
        "weekday_means are too, on the same half-hours. A row for each forecaster and day ahead of what `by` names. "
        "Figures are made of sums; what is estimated is no truth. Customers see the forecasts of their accounts, "
        "operators those of devices and batteries, managers with regions those in these.",
    )
    def get(self, request: Request) -> Response:
        query = ScoreboardQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        board = Board(user=asking_person(request), asked=_asked(asked), by=By(asked["by"]))
        pages = self.pagination_class()
        rows = pages.paginate_queryset(board, request, self)
        out = ScoreboardRowOut()
        return pages.get_paginated_response([out.to_representation(row) for row in rows])


def _asked(query: dict[str, Any]) -> Asked:
    first, after = period_of(
        now=timezone.now(), zone=zone(settings.SITE_ZONE), first=query.get("first"), after=query.get("until")
    )
    only = {name: query[name] for name in (*_FILTERS, "version") if name in query}
    if "model" in query:
        only["model_id"] = query["model"]
    if query["told"] is not None:
        only["is_told"] = query["told"]
    return Asked(first, after, only)
