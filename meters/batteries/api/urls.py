"""Paths for machines."""

from django.urls import path

from meters.batteries.api.aligned import AlignedView
from meters.batteries.api.imports import BatteryImportView
from meters.batteries.api.published import BMSNamesView, BMSPageView, PCSNamesView, PCSPageView
from meters.batteries.api.registry import BatteryDetailView, BatteryListView
from meters.batteries.api.streams import BMSStreamView, PCSStreamView
from meters.batteries.api.summary import SummaryView
from meters.batteries.api.telemetry import BMSReadingsView, PCSReadingsView

urlpatterns = [
    path("bms/devices", BMSNamesView.as_view(), name="bms_devices"),
    path("bms/<str:battery_id>", BMSPageView.as_view(), name="bms_page"),
    path("bms/<str:battery_id>/stream", BMSStreamView.as_view(), name="bms_stream"),
    path("pcs/devices", PCSNamesView.as_view(), name="pcs_devices"),
    path("pcs/<str:battery_id>", PCSPageView.as_view(), name="pcs_page"),
    path("api/v1/batteries", BatteryListView.as_view(), name="api_batteries"),
    path("api/v1/batteries/<str:battery_id>", BatteryDetailView.as_view(), name="api_battery"),
    path("pcs/<str:battery_id>/stream", PCSStreamView.as_view(), name="pcs_stream"),
    path("api/v1/batteries/<str:battery_id>/bms", BMSReadingsView.as_view(), name="api_bms"),
    path("api/v1/batteries/<str:battery_id>/pcs", PCSReadingsView.as_view(), name="api_pcs"),
    path("api/v1/batteries/<str:battery_id>/aligned", AlignedView.as_view(), name="api_aligned"),
    path("api/v1/batteries/<str:battery_id>/summary", SummaryView.as_view(), name="api_summary"),
    path("api/v1/batteries/<str:battery_id>/imports", BatteryImportView.as_view(), name="api_import"),
]
