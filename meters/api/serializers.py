"""What comes in and goes out on the metering paths."""

from datetime import datetime
from typing import Any

from django.conf import settings
from rest_framework import serializers

from accounts.models.customers import validate_zone
from meters.api.fields import NumberField
from meters.api.near import distance_of
from meters.models import ChainEvent, Meter, ReadingException, Register, RegisterReading
from meters.services.registration import Registration

MOST_METERS = 200
MOST_MEMBERS = 50
Field = serializers.Field[Any, Any, Any, Any]


class RegisteredMemberIn(serializers.Serializer[Any]):
    """Somebody who lives on the account."""

    name = serializers.CharField(max_length=150)
    relationship = serializers.CharField(max_length=50)


class RegistrationIn(serializers.Serializer[Any]):
    """An account with its meters and people."""

    account_id = serializers.CharField(max_length=40, help_text="The number that the customer knows.")
    owner_name = serializers.CharField(max_length=150)
    email = serializers.EmailField(required=False, allow_blank=True, default="", max_length=254)
    address = serializers.CharField(required=False, allow_blank=True, default="", max_length=500)
    time_zone = serializers.CharField(
        required=False, default=settings.SITE_ZONE, max_length=64, validators=[validate_zone], help_text="IANA name."
    )
    meter_ids = serializers.ListField(
        child=serializers.CharField(max_length=64), allow_empty=False, max_length=MOST_METERS
    )
    family_members = RegisteredMemberIn(many=True, required=False, default=list)
    supplied_since = serializers.DateTimeField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Without it a meter that supplied nobody before counts from as long ago as readings are accepted.",
    )

    def validate_meter_ids(self, serials: list[str]) -> list[str]:
        if len(set(serials)) != len(serials):
            raise serializers.ValidationError("A meter is named twice.", code="not_unique")
        if not all(serial.isprintable() for serial in serials):
            raise serializers.ValidationError("A serial holds a character that cannot be printed.")
        return serials

    def validate_family_members(self, members: list[dict[str, str]]) -> list[dict[str, str]]:
        if len(members) > MOST_MEMBERS:
            raise serializers.ValidationError(f"At most {MOST_MEMBERS} people live on an account.", code="max_length")
        return members

    def registration(self) -> Registration:
        """Return what was asked for, once it is valid."""
        data = self.validated_data
        return Registration(
            account_number=data["account_id"],
            owner_name=data["owner_name"],
            meter_serials=tuple(data["meter_ids"]),
            email=data["email"],
            address=data["address"],
            zone=data["time_zone"],
            family_members=tuple((member["name"], member["relationship"]) for member in data["family_members"]),
            supplied_since=data["supplied_since"],
        )


class RegistrationOut(serializers.Serializer[Any]):
    """What became of a registration."""

    account_id = serializers.CharField()
    meters = serializers.ListField(child=serializers.CharField())
    status = serializers.ChoiceField(choices=["active", "pending", "closed"])
    request_id = serializers.UUIDField(required=False, help_text="Of a request that waits for a manager.")


class ReadingIn(serializers.Serializer[Any]):
    """One reading, as the schema shows it; the door itself judges rows one by one."""

    meter_id = serializers.CharField(max_length=64)
    timestamp = serializers.CharField(help_text="ISO 8601; naive means the source's or the premises' zone.")
    reading = serializers.FloatField(help_text="What the dial shows, at most 9 digits before and 6 after the point.")
    register = serializers.CharField(required=False, default="1.8.0", help_text="OBIS code.")
    quality = serializers.IntegerField(required=False, help_text="Green Button's; 17 (validated) where none is given.")
    unit = serializers.CharField(required=False, help_text="The register's own, where one is given.")


class ReadingsIn(serializers.Serializer[Any]):
    """A batch of readings."""

    readings = ReadingIn(many=True)


class RejectionOut(serializers.Serializer[Any]):
    """A row that did not simply enter."""

    index = serializers.IntegerField(help_text="Its place in the batch, from 0.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ReadingReportOut(serializers.Serializer[Any]):
    """What became of a batch."""

    stored = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    quarantined = RejectionOut(many=True)
    conflicts = RejectionOut(many=True)
    rejected = RejectionOut(many=True)


class RegisterOut(serializers.ModelSerializer[Register]):
    """One count of a meter."""

    multiplier = NumberField()

    class Meta:
        model = Register
        fields = ("code", "direction", "kind", "unit", "digits", "decimals", "multiplier")
        read_only_fields = fields


class MeterOut(serializers.ModelSerializer[Meter]):
    """A meter with its registers."""

    meter_id = serializers.CharField(source="serial")
    region = serializers.CharField(source="region.name", default=None, allow_null=True)
    registers = RegisterOut(many=True)

    class Meta:
        model = Meter
        fields: tuple[str, ...] = (
            "meter_id",
            "type",
            "status",
            "priority",
            "address",
            "location_id",
            "latitude",
            "longitude",
            "region",
            "estimated_time",
            "registers",
            "created_at",
        )
        read_only_fields = fields


class ListedMeterOut(MeterOut):
    """A meter with its registers, and how far it is from the place that was named."""

    distance_m = serializers.SerializerMethodField(help_text="Metres; null where the list is not near a place.")

    class Meta(MeterOut.Meta):
        fields = (*MeterOut.Meta.fields, "distance_m")
        read_only_fields = fields

    def get_distance_m(self, meter: Meter) -> float | None:
        """Return how far it is."""
        return distance_of(meter)


class RegisterReadingOut(serializers.ModelSerializer[RegisterReading]):
    """What a register showed."""

    timestamp = serializers.DateTimeField(source="time")
    reading = NumberField(source="value")

    class Meta:
        model = RegisterReading
        fields = ("timestamp", "reading", "quality", "received_at")
        read_only_fields = fields


class ReadingsQuery(serializers.Serializer[Any]):
    """Which readings of a meter."""

    register = serializers.CharField(required=False, default="1.8.0", max_length=20)

    def get_fields(self) -> dict[str, Field]:
        return {
            **super().get_fields(),
            "from": serializers.DateTimeField(required=False),
            "to": serializers.DateTimeField(required=False),
        }

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """Return from and to."""
        return self.validated_data.get("from"), self.validated_data.get("to")


class ChainEventOut(serializers.ModelSerializer[ChainEvent]):
    """What happened to a meter at a place."""

    service_point = serializers.CharField(source="service_point.code")
    register = serializers.CharField(source="register.code")
    value = NumberField(allow_null=True)
    multiplier = NumberField(allow_null=True)

    class Meta:
        model = ChainEvent
        fields = ("id", "kind", "at", "service_point", "register", "value", "multiplier", "recorded_at")
        read_only_fields = fields


class ReadingExceptionOut(serializers.ModelSerializer[ReadingException]):
    """A value that did not simply enter."""

    register = serializers.CharField(source="register.code")
    offered_value = NumberField()
    standing_value = NumberField(allow_null=True)

    class Meta:
        model = ReadingException
        fields = (
            "id",
            "register",
            "time",
            "code",
            "offered_value",
            "standing_value",
            "status",
            "opened_at",
            "closed_at",
            "note",
        )
        read_only_fields = fields
