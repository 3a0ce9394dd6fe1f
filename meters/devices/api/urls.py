"""Paths for machines."""

from django.urls import path

from meters.devices.api.messages import ReceiveEnergyView, ReceiveMessageView

urlpatterns = [
    path("message", ReceiveMessageView.as_view(), name="message"),
    path("api/v1/energy", ReceiveEnergyView.as_view(), name="api_energy"),
]
