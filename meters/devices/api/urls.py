"""Paths for machines."""

from django.urls import path

from meters.devices.api.commands import DeviceCommandsView, SendView
from meters.devices.api.devices import DeviceDetailView, DeviceListView, DeviceReplacementView
from meters.devices.api.messages import ReceiveMessageView
from meters.devices.api.reports import EnergyStatsView, ReportView
from meters.devices.api.samples import EnergyView

urlpatterns = [
    path("message", ReceiveMessageView.as_view(), name="message"),
    path("send", SendView.as_view(), name="send"),
    path("report", ReportView.as_view(), name="report"),
    path("api/v1/energy", EnergyView.as_view(), name="api_energy"),
    path("api/v1/energy/stats", EnergyStatsView.as_view(), name="api_energy_stats"),
    path("api/v1/devices", DeviceListView.as_view(), name="api_devices"),
    path("api/v1/devices/<str:device_id>", DeviceDetailView.as_view(), name="api_device"),
    path("api/v1/devices/<str:device_id>/commands", DeviceCommandsView.as_view(), name="api_device_commands"),
    path("api/v1/devices/<str:device_id>/replacement", DeviceReplacementView.as_view(), name="api_device_replacement"),
]
