"""How energies, instants and series look from outside."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from energy_portal.shared.clock import local_texts
from meters.models import Register
from meters.selectors.consumption import Interval

SERIES_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["from", "kwh", "quality"],
        "properties": {
            "from": {"type": "string", "format": "date-time"},
            "kwh": {"type": ["number", "null"], "description": "Null where it is not known: missing is never zero."},
            "quality": {
                "type": ["integer", "null"],
                "description": "Green Button quality of reading: 17 validated, 9 estimated on a line, 8 like a day.",
            },
            "value": {
                "type": ["number", "null"],
                "description": "In the answer's unit, where that is not kWh.",
            },
        },
    },
}


_ONE = Decimal(1)
_TEN = Decimal(10)


def number(value: Decimal | None) -> Decimal | None:
    """Return a number as JSON should show it: without needless zeros and without an exponent."""
    if value is None:
        return None
    short = value.normalize()
    # Only what ends in a zero before the point is written with an exponent.
    return short if -_TEN < short < _TEN or "E+" not in str(short) else short.quantize(_ONE)


def series_of(intervals: Sequence[Interval], zone: ZoneInfo, unit: str = Register.Unit.KWH) -> list[dict[str, Any]]:
    """Return a series as JSON, its instants on a zone's clock; what is not counted in kWh has a value besides."""
    starts = local_texts([interval.start for interval in intervals], zone)
    series: list[dict[str, Any]] = [
        {"from": start, "kwh": number(interval.energy_kwh), "quality": interval.quality}
        for start, interval in zip(starts, intervals, strict=True)
    ]
    if unit != Register.Unit.KWH:
        for item, interval in zip(series, intervals, strict=True):
            item["value"] = number(interval.quantity)
    return series


@extend_schema_field({"type": "number"})
class NumberField(serializers.Field[Any, Any, Any, Any]):
    """A Decimal as a JSON number with its own digits."""

    def to_representation(self, value: Decimal) -> Any:
        return number(value)


@extend_schema_field({"type": "string", "format": "date-time"})
class InstantField(serializers.Field[Any, Any, Any, Any]):
    """A date or an instant as it is written: naive stays naive, for whoever knows the zone to read."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "A date, or a date and time, as in 2025-02-01T00:00:00+08:00 is needed."
    }

    def to_internal_value(self, data: Any) -> datetime:
        text = str(data).strip()
        if "T" in text:
            # A plus that was not escaped in a query arrives as a space.
            text = text.replace(" ", "+")
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            self.fail("invalid")

    def to_representation(self, value: datetime) -> Any:
        return value.isoformat()
