"""Paths for machines."""

from django.urls import path

from meters.devices.api.commands import DeviceCommandsView, SendView
from meters.devices.api.devices import DeviceDetailView, DeviceListView, DeviceReplacementView
from meters.devices.api.messages import ReceiveEnergyView, ReceiveMessageView

urlpatterns = [
    path("message", ReceiveMessageView.as_view(), name="message"),
    path("send", SendView.as_view(), name="send"),
    path("api/v1/energy", ReceiveEnergyView.as_view(), name="api_energy"),
    path("api/v1/devices", DeviceListView.as_view(), name="api_devices"),
    path("api/v1/devices/<str:device_id>", DeviceDetailView.as_view(), name="api_device"),
    path("api/v1/devices/<str:device_id>/commands", DeviceCommandsView.as_view(), name="api_device_commands"),
    path("api/v1/devices/<str:device_id>/replacement", DeviceReplacementView.as_view(), name="api_device_replacement"),
]
