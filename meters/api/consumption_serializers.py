"""What comes in and goes out where consumption is asked for."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from meters.api.fields import SERIES_SCHEMA, InstantField, NumberField, number, series_of
from meters.models import Register
from meters.models.places import Commodity
from meters.selectors.consumption import Consumption, Granularity, PeriodName
from meters.selectors.portfolio import MOST_MEMBERS

Field = serializers.Field[Any, Any, Any, Any]


class PeriodQuery(serializers.Serializer[Any]):
    """A period by name, or custom with from and to."""

    period = serializers.ChoiceField(choices=[*PeriodName], required=False)

    def get_fields(self) -> dict[str, Field]:
        return {
            **super().get_fields(),
            "from": InstantField(required=False, help_text="Start of a custom period."),
            "to": InstantField(required=False, help_text="End of a custom period, not included."),
        }


def period_name(asked: Mapping[str, Any], default: PeriodName = PeriodName.MONTH) -> PeriodName:
    """Return the name of the period that is asked for: custom where only its edges are told."""
    named = PeriodName.CUSTOM if "from" in asked or "to" in asked else default
    return PeriodName(asked.get("period") or named)


class SeriesQuery(PeriodQuery):
    """A period, what of it, and when it was known."""

    granularity = serializers.ChoiceField(choices=[*Granularity], required=False)
    direction = serializers.ChoiceField(
        choices=Register.Direction.choices,
        required=False,
        default=Register.Direction.IMPORT,
        help_text="What came in, or what went out.",
    )
    as_of = InstantField(required=False, help_text="When it was known: now unless told; not in the future.")


class ConsumptionQuery(SeriesQuery):
    """A meter or an account, and a period."""

    meter_id = serializers.CharField(required=False, max_length=64)
    account_id = serializers.CharField(required=False, max_length=40)
    commodity = serializers.ChoiceField(
        choices=Commodity.choices,
        required=False,
        default=Commodity.ELECTRIC,
        help_text="Of an account; a meter counts only one.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("meter_id" in attrs) == ("account_id" in attrs):
            raise serializers.ValidationError("Name either meter_id or account_id.", code="account_or_meter")
        return attrs


class PortfolioQuery(PeriodQuery):
    """Several meters or several accounts, otherwise all places of a commodity, and a period."""

    meter_id = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        default=list,
        max_length=MOST_MEMBERS,
        help_text="Repeated.",
    )
    account_id = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        default=list,
        max_length=MOST_MEMBERS,
        help_text="Repeated.",
    )
    commodity = serializers.ChoiceField(
        choices=Commodity.choices,
        required=False,
        default=Commodity.ELECTRIC,
        help_text="Of accounts and of places; a meter counts only one.",
    )
    service_class = serializers.CharField(
        required=False, max_length=40, help_text="Of all places, where neither meters nor accounts are named."
    )
    granularity = serializers.ChoiceField(
        choices=[each for each in Granularity if each is not Granularity.HALF_HOUR],
        required=False,
        default=Granularity.DAY,
    )
    direction = serializers.ChoiceField(
        choices=Register.Direction.choices,
        required=False,
        default=Register.Direction.IMPORT,
        help_text="What came in, or what went out.",
    )
    as_of = InstantField(required=False, help_text="When it was known: now unless told; not in the future.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = [name for name in ("meter_id", "account_id", "service_class") if attrs.get(name)]
        if len(named) > 1:
            raise serializers.ValidationError(f"Name only one of {', '.join(named)}.", code="one_kind")
        return attrs


class ConsumptionOut(serializers.Serializer[Any]):
    """What was used in a period; needs ``zone``, ``of`` and ``direction`` in its context."""

    period = serializers.SerializerMethodField()
    direction = serializers.ChoiceField(choices=Register.Direction.choices)
    unit = serializers.ChoiceField(choices=Register.Unit.choices)
    consumption = NumberField(
        source="quantity",
        allow_null=True,
        help_text="Of the known part of the period, in the unit; null where nothing is known.",
    )
    consumption_kwh = NumberField(
        source="energy_kwh",
        allow_null=True,
        help_text="The same as energy: of gas by its calorific value; null where nothing is known, and of water.",
    )
    complete = serializers.BooleanField(help_text="Whether the known part is all of the period.")
    estimated_share = NumberField(help_text="0 to 1, of the consumption.")
    as_of = serializers.DateTimeField(help_text="When this was known.")
    series = serializers.SerializerMethodField()

    def get_fields(self) -> dict[str, Field]:
        return {
            **super().get_fields(),
            "meter_id": serializers.CharField(required=False),
            "account_id": serializers.CharField(required=False),
        }

    def to_representation(self, instance: Consumption) -> dict[str, Any]:
        """Write the numbers by hand: a month of half-hours is 1,488 of them.

        Views ask for this and not for ``data``, which would keep all of them until the collector comes by.
        """
        zone = self.context["zone"]
        return {
            **self.context["of"],
            "period": self.get_period(instance),
            "direction": self.context["direction"],
            "unit": instance.unit,
            "consumption": number(instance.quantity),
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
        return series_of(consumption.series, self.context["zone"], consumption.unit)


class PortfolioOut(ConsumptionOut):
    """What several used together, and each of them."""

    members = ConsumptionOut(many=True, required=False, help_text="Of meters or accounts that were named.")
