"""What a device told, sample by sample."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.permissions import asking_person
from energy_portal.shared.api import CallerThrottle
from energy_portal.shared.clock import zone
from meters.api.fields import InstantField
from meters.devices.api.callers import MayAskOfDevices
from meters.devices.api.messages import ReceiveEnergyView
from meters.devices.models import DeviceSample
from meters.devices.selectors.archive import SampleRow
from meters.devices.selectors.reports import MOST_DAYS, USUAL_DAYS, asked_period, device_for
from meters.devices.selectors.samples import SampleList


class SamplesQuery(serializers.Serializer[Any]):
    """Of which device, and when."""

    device = serializers.CharField(max_length=64, help_text="As it names itself.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        bounds = {
            "from": InstantField(required=False, help_text="Naive on the clock of the device."),
            "to": InstantField(required=False, help_text="Not included; the end of today unless told."),
        }
        return {**super().get_fields(), **bounds}


class EnergySampleOut(serializers.Serializer[Any]):
    """What a device told of an instant; null is what it left out."""

    device_id = serializers.CharField()
    time = serializers.DateTimeField()
    instant_power = serializers.FloatField(allow_null=True, help_text="W")
    temp_interior = serializers.FloatField(allow_null=True, help_text="°C")
    voltage_v = serializers.FloatField(allow_null=True)
    current_a = serializers.FloatField(allow_null=True)
    energy_wh = serializers.FloatField(allow_null=True, help_text="Since the increment before.")
    switch = serializers.BooleanField(allow_null=True)
    received_at = serializers.DateTimeField()

    def to_representation(self, instance: SampleRow) -> dict[str, Any]:
        clock = self.context["zone"]
        return {
            "device_id": self.context["device_id"],
            "time": instance.time.astimezone(clock).isoformat(),
            "instant_power": instance.power_w,
            "temp_interior": instance.temperature_c,
            "voltage_v": instance.voltage_v,
            "current_a": instance.current_a,
            "energy_wh": instance.energy_wh,
            "switch": instance.switch,
            "received_at": instance.received_at.astimezone(clock).isoformat(),
        }


class EnergyView(ListAPIView[DeviceSample], ReceiveEnergyView):
    """The samples of a device: out, newest first, and in."""

    queryset = DeviceSample.objects.none()
    serializer_class = EnergySampleOut
    filter_backends = ()
    _of: Mapping[str, Any] = MappingProxyType({})

    @extend_schema(
        operation_id="energy_list",
        tags=["published paths"],
        parameters=[SamplesQuery],
        description=(
            "What a device told, newest first: each instant of which it told anything, archived days included; of the "
            f"last {USUAL_DAYS} days unless told, of at most {MOST_DAYS}."
        ),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_permissions(self) -> list[Any]:
        return [MayAskOfDevices()] if self.request.method in SAFE_METHODS else [*super().get_permissions()]

    def get_throttles(self) -> list[Any]:
        return [CallerThrottle()] if self.request.method in SAFE_METHODS else super().get_throttles()

    def get_queryset(self) -> Any:
        query = SamplesQuery(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        device = device_for(device_id=asked["device"], user=asking_person(self.request))
        clock = zone(device.zone or settings.SITE_ZONE)
        period = asked_period(asked.get("from"), asked.get("to"), now=timezone.now(), clock=clock)
        self._of = {"device_id": device.device_id, "zone": clock}
        return SampleList(device.pk, period.start, period.end)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), **self._of}
