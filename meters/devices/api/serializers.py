"""What comes in and goes out on the paths of the registry."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.actors import Actor
from accounts.models import CustomerAccount
from accounts.models.customers import validate_zone
from meters.devices.models import Device, DeviceGroup, DeviceState
from meters.devices.services.catalogue import product_of
from meters.models import Region


class DeviceStateOut(serializers.ModelSerializer[DeviceState]):
    """What a device told last of each quantity, and whether it is online; null where it told nothing."""

    class Meta:
        model = DeviceState
        fields = (
            "is_online",
            "online_changed_at",
            "seen_at",
            "heard_at",
            "power_w",
            "power_at",
            "temperature_c",
            "temperature_at",
            "switch",
            "switch_at",
        )
        read_only_fields = fields


class DeviceOut(serializers.ModelSerializer[Device]):
    """A device as the registry has it."""

    product_id = serializers.CharField(source="product.product_id", default=None, allow_null=True)
    group = serializers.CharField(source="group.name", default=None, allow_null=True)
    region = serializers.CharField(source="region.name", default=None, allow_null=True)
    region_id = serializers.UUIDField(default=None, allow_null=True)
    account = serializers.SerializerMethodField(help_text="Its number; null for operators, who see no customers.")
    replaces = serializers.CharField(source="replaces.device_id", default=None, allow_null=True)
    replaced_by = serializers.CharField(source="replaced_by.device_id", default=None, allow_null=True)
    state = DeviceStateOut(default=None, allow_null=True)

    class Meta:
        model = Device
        fields = (
            "device_id",
            "name",
            "product_id",
            "group",
            "region",
            "region_id",
            "account",
            "zone",
            "status",
            "is_critical",
            "rated_power_w",
            "hold_seconds",
            "replaces",
            "replaced_by",
            "retired_at",
            "created_at",
            "updated_at",
            "state",
        )
        read_only_fields = fields

    def get_account(self, device: Device) -> str | None:
        """Return the number of the account that it belongs to."""
        if not self.context.get("sees_accounts", True) or device.account is None:
            return None
        return device.account.number


class DeviceIn(serializers.Serializer[Any]):
    """What is known of a device; what is not named stays as it is."""

    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    product_id = serializers.CharField(
        max_length=64, required=False, allow_null=True, help_text="As its maker numbers it; entered if it is new."
    )
    group = serializers.SlugRelatedField(
        slug_field="name", queryset=DeviceGroup.objects.all(), required=False, allow_null=True
    )
    region_id = serializers.PrimaryKeyRelatedField(
        source="region", queryset=Region.objects.all(), required=False, allow_null=True
    )
    account = serializers.SlugRelatedField(
        slug_field="number",
        queryset=CustomerAccount.objects.all(),
        required=False,
        allow_null=True,
        help_text="Its number: whose customers see the device.",
    )
    zone = serializers.CharField(
        max_length=64, required=False, allow_blank=True, help_text="IANA; empty: the portal's own."
    )
    is_critical = serializers.BooleanField(required=False, help_text="A load that nobody may switch from here.")
    rated_power_w = serializers.FloatField(required=False, allow_null=True, min_value=0, help_text="Watt.")
    hold_seconds = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=2**31 - 1,
        help_text="How long its last power counts without a word; null: the portal's default.",
    )

    def validate_zone(self, name: str) -> str:
        if name:
            validate_zone(name)
        return name

    def details(self, actor: Actor, now: datetime | None = None) -> dict[str, Any]:
        """Return what was asked for as the registry names it, once it is valid."""
        details = {name: value for name, value in self.validated_data.items() if name != "device_id"}
        if "product_id" in details:
            number = details.pop("product_id")
            now = now or timezone.now()
            details["product"] = product_of(product_id=number, actor=actor, now=now) if number else None
        return details


class NewDeviceIn(DeviceIn):
    """A device that is to be entered."""

    device_id = serializers.CharField(max_length=64, help_text="As it names itself.")


class ReplacementIn(serializers.Serializer[Any]):
    """Who takes the place."""

    device_id = serializers.CharField(max_length=64, help_text="As the new one names itself.")
