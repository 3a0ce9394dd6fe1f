"""Paths of the insights API."""

from django.urls import URLPattern, URLResolver, path

from meters.insights.api.anomalies import (
    AnomalyAcknowledgeView,
    AnomalyDetailView,
    AnomalyListView,
    AnomalySnoozeView,
    AnomalyVerdictView,
)
from meters.insights.api.faults import DeviceApplianceView, FaultAcknowledgeView, FaultDetailView, FaultListView
from meters.insights.api.forecasts import ForecastDetailView, ForecastGenerateView, ForecastListView
from meters.insights.api.precision import AnomalyScoresView
from meters.insights.api.scoreboard import ScoreboardView
from meters.insights.api.trends import BatteryTrendListView
from meters.insights.api.weather import HolidayView, WeatherView

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/anomalies", AnomalyListView.as_view(), name="api_anomalies"),
    path("api/v1/anomalies/<uuid:anomaly_id>", AnomalyDetailView.as_view(), name="api_anomaly"),
    path(
        "api/v1/anomalies/<uuid:anomaly_id>/acknowledge",
        AnomalyAcknowledgeView.as_view(),
        name="api_anomaly_acknowledge",
    ),
    path("api/v1/anomalies/<uuid:anomaly_id>/snooze", AnomalySnoozeView.as_view(), name="api_anomaly_snooze"),
    path("api/v1/anomalies/<uuid:anomaly_id>/verdict", AnomalyVerdictView.as_view(), name="api_anomaly_verdict"),
    path("api/v1/predictions", ForecastListView.as_view(), name="api_predictions"),
    path("api/v1/predictions/generate", ForecastGenerateView.as_view(), name="api_predictions_generate"),
    path("api/v1/predictions/<int:forecast_id>", ForecastDetailView.as_view(), name="api_prediction"),
    path("api/v1/weather", WeatherView.as_view(), name="api_weather"),
    path("api/v1/holidays", HolidayView.as_view(), name="api_holidays"),
    path("api/v1/scoreboard/anomalies", AnomalyScoresView.as_view(), name="api_anomaly_scores"),
    path("api/v1/scoreboard", ScoreboardView.as_view(), name="api_scoreboard"),
    path("api/v1/batteries/<str:battery_id>/trends", BatteryTrendListView.as_view(), name="api_battery_trends"),
    path("api/v1/faults", FaultListView.as_view(), name="api_faults"),
    path("api/v1/faults/<uuid:fault_id>", FaultDetailView.as_view(), name="api_fault"),
    path("api/v1/faults/<uuid:fault_id>/acknowledge", FaultAcknowledgeView.as_view(), name="api_fault_acknowledge"),
    path("api/v1/devices/<str:device_id>/appliance", DeviceApplianceView.as_view(), name="api_device_appliance"),
]
