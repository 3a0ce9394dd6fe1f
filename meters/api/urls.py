"""Paths for machines."""

from django.urls import path

from meters.api.alarms import AlarmAcknowledgeView, AlarmDetailView, AlarmListView, AlarmSnoozeView
from meters.api.archive import ArchiveAndPrepareView
from meters.api.bindings import BindingsImportView
from meters.api.consumption import GetConsumptionView, MeterConsumptionView, MeterProfileView
from meters.api.corrections import MeterCorrectionsView
from meters.api.estimates import MeterEstimatesView
from meters.api.exceptions import (
    ExceptionAcceptView,
    ExceptionDetailView,
    ExceptionEstimateView,
    ExceptionListView,
    ExceptionReclassifyView,
    ExceptionRejectView,
)
from meters.api.exports import MeterExportView, ReadingsExportView
from meters.api.imports import ReadingsImportView
from meters.api.jobs import JobDetailView, JobListView, JobResultView
from meters.api.meters import MeterDetailView, MeterEventsView, MeterExceptionsView, MeterListView
from meters.api.portfolio import PortfolioView
from meters.api.readings import MeterReadingsView, ReceiveMeterReadingView
from meters.api.regions import RegionDetailView, RegionListView, RegionManagersView
from meters.api.registration import RegisterAccountView
from meters.api.rules import RehearsalDetailView, RuleDetailView, RuleListView, RuleRehearsalsView

urlpatterns = [
    path("register_account", RegisterAccountView.as_view(), name="register_account"),
    path("receive_meter_reading", ReceiveMeterReadingView.as_view(), name="receive_meter_reading"),
    path("get_consumption", GetConsumptionView.as_view(), name="get_consumption"),
    path("archive_and_prepare", ArchiveAndPrepareView.as_view(), name="archive_and_prepare"),
    path("api/v1/meters", MeterListView.as_view(), name="api_meters"),
    path("api/v1/meters/<str:serial>", MeterDetailView.as_view(), name="api_meter"),
    path("api/v1/meters/<str:serial>/readings", MeterReadingsView.as_view(), name="api_meter_readings"),
    path("api/v1/meters/<str:serial>/consumption", MeterConsumptionView.as_view(), name="api_meter_consumption"),
    path("api/v1/meters/<str:serial>/profile", MeterProfileView.as_view(), name="api_meter_profile"),
    path("api/v1/meters/<str:serial>/export", MeterExportView.as_view(), name="api_meter_export"),
    path("api/v1/meters/<str:serial>/estimates", MeterEstimatesView.as_view(), name="api_meter_estimates"),
    path("api/v1/meters/<str:serial>/events", MeterEventsView.as_view(), name="api_meter_events"),
    path("api/v1/meters/<str:serial>/exceptions", MeterExceptionsView.as_view(), name="api_meter_exceptions"),
    path("api/v1/accounts/bindings/import", BindingsImportView.as_view(), name="api_bindings_import"),
    path("api/v1/consumption", PortfolioView.as_view(), name="api_consumption"),
    path("api/v1/meters/<str:serial>/corrections", MeterCorrectionsView.as_view(), name="api_meter_corrections"),
    path("api/v1/exceptions", ExceptionListView.as_view(), name="api_exceptions"),
    path("api/v1/exceptions/<uuid:exception_id>", ExceptionDetailView.as_view(), name="api_exception"),
    path("api/v1/exceptions/<uuid:exception_id>/accept", ExceptionAcceptView.as_view(), name="api_exception_accept"),
    path("api/v1/exceptions/<uuid:exception_id>/reject", ExceptionRejectView.as_view(), name="api_exception_reject"),
    path(
        "api/v1/exceptions/<uuid:exception_id>/estimate",
        ExceptionEstimateView.as_view(),
        name="api_exception_estimate",
    ),
    path(
        "api/v1/exceptions/<uuid:exception_id>/reclassify",
        ExceptionReclassifyView.as_view(),
        name="api_exception_reclassify",
    ),
    path("api/v1/alarms", AlarmListView.as_view(), name="api_alarms"),
    path("api/v1/alarms/<uuid:alarm_id>", AlarmDetailView.as_view(), name="api_alarm"),
    path("api/v1/alarms/<uuid:alarm_id>/acknowledge", AlarmAcknowledgeView.as_view(), name="api_alarm_acknowledge"),
    path("api/v1/alarms/<uuid:alarm_id>/snooze", AlarmSnoozeView.as_view(), name="api_alarm_snooze"),
    path("api/v1/regions", RegionListView.as_view(), name="api_regions"),
    path("api/v1/regions/<uuid:region_id>", RegionDetailView.as_view(), name="api_region"),
    path("api/v1/regions/<uuid:region_id>/managers", RegionManagersView.as_view(), name="api_region_managers"),
    path("api/v1/rules", RuleListView.as_view(), name="api_rules"),
    path("api/v1/rules/<uuid:rule_id>", RuleDetailView.as_view(), name="api_rule"),
    path("api/v1/rules/<uuid:rule_id>/rehearsals", RuleRehearsalsView.as_view(), name="api_rule_rehearsals"),
    path("api/v1/rehearsals/<uuid:rehearsal_id>", RehearsalDetailView.as_view(), name="api_rehearsal"),
    path("api/v1/readings/export", ReadingsExportView.as_view(), name="api_readings_export"),
    path("api/v1/readings/import", ReadingsImportView.as_view(), name="api_readings_import"),
    path("api/v1/jobs", JobListView.as_view(), name="api_jobs"),
    path("api/v1/jobs/<uuid:job_id>", JobDetailView.as_view(), name="api_job"),
    path("api/v1/jobs/<uuid:job_id>/result", JobResultView.as_view(), name="api_job_result"),
]
