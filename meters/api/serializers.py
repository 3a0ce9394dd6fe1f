"""What comes in and goes out on the metering paths."""

from datetime import datetime
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from accounts.models.customers import validate_zone
from meters.api.fields import SERIES_SCHEMA, InstantField, NumberField, number, series_of
from meters.models import ChainEvent, Meter, ReadingException, Register, RegisterReading
from meters.selectors.consumption import Consumption, Granularity, PeriodName
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


class PeriodQuery(serializers.Serializer[Any]):
    """A period by name, or custom with from and to."""

    period = serializers.ChoiceField(choices=[*PeriodName], required=False)
    granularity = serializers.ChoiceField(choices=[*Granularity], required=False)

    def get_fields(self) -> dict[str, Field]:
        return {
            **super().get_fields(),
            "from": InstantField(required=False, help_text="Start of a custom period."),
            "to": InstantField(required=False, help_text="End of a custom period, not included."),
            "as_of": InstantField(required=False, help_text="When it was known: now unless told; not in the future."),
        }


class ConsumptionQuery(PeriodQuery):
    """A meter or an account, and a period."""

    meter_id = serializers.CharField(required=False, max_length=64)
    account_id = serializers.CharField(required=False, max_length=40)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("meter_id" in attrs) == ("account_id" in attrs):
            raise serializers.ValidationError("Name either meter_id or account_id.", code="account_or_meter")
        return attrs


class ConsumptionOut(serializers.Serializer[Any]):
    """Energy used in a period; needs ``zone`` in its context."""

    period = serializers.SerializerMethodField()
    consumption_kwh = NumberField(
        source="energy_kwh", allow_null=True, help_text="Of the known part of the period; null where nothing is known."
    )
    complete = serializers.BooleanField(help_text="Whether the known part is all of the period.")
    estimated_share = NumberField(help_text="0 to 1, of the energy.")
    as_of = serializers.DateTimeField(help_text="When this was known.")
    series = serializers.SerializerMethodField()

    def get_fields(self) -> dict[str, Field]:
        return {
            **super().get_fields(),
            "meter_id": serializers.CharField(required=False),
            "account_id": serializers.CharField(required=False),
        }

    def to_representation(self, instance: Consumption) -> dict[str, Any]:
        """Write the numbers by hand: a month of half-hours is 1,488 of them."""
        zone = self.context["zone"]
        return {
            **self.context["of"],
            "period": self.get_period(instance),
            "consumption_kwh": number(instance.energy_kwh),
            "complete": instance.complete,
            "estimated_share": number(instance.estimated_share),
            "as_of": instance.as_of.astimezone(zone).isoformat(),
            "series": self.get_series(instance),
        }

    @extend_schema_field(
        inline_serializer("ConsumptionPeriod", {"from": serializers.DateTimeField(), "to": serializers.DateTimeField()})
    )
    def get_period(self, consumption: Consumption) -> dict[str, str]:
        """Return the period, cut at the last half-hour that has ended, on the zone's clock."""
        start, end = (at.astimezone(self.context["zone"]) for at in (consumption.period.start, consumption.period.end))
        return {"from": start.isoformat(), "to": end.isoformat()}

    @extend_schema_field(SERIES_SCHEMA)
    def get_series(self, consumption: Consumption) -> list[dict[str, Any]]:
        """Return the series on the zone's clock."""
        return series_of(consumption.series, self.context["zone"])


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
    registers = RegisterOut(many=True)

    class Meta:
        model = Meter
        fields = ("meter_id", "type", "status", "priority", "address", "location_id", "registers", "created_at")
        read_only_fields = fields


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
