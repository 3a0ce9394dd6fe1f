"""What goes out of batteries."""

from typing import Any, ClassVar

from rest_framework import serializers

from meters.batteries.models import BmsReading, PcsReading
from meters.batteries.quantities import SIGNALS, System
from meters.batteries.selectors.readings import as_published

Field = serializers.Field[Any, Any, Any, Any]


class _ReadingOut(serializers.Serializer[Any]):
    """A reading as it is published; null is what was left out."""

    system: ClassVar[System]

    timestamp = serializers.DateTimeField(help_text="UTC.")

    def get_fields(self) -> dict[str, Field]:
        signals = {
            signal.name: serializers.FloatField(
                allow_null=True,
                help_text=f"{signal.title} ({signal.unit})"
                + ("; discharging is positive." if signal.is_directed else ""),
            )
            for signal in SIGNALS[self.system]
        }
        return {**super().get_fields(), **signals}

    def to_representation(self, instance: BmsReading | PcsReading) -> dict[str, Any]:
        return as_published(self.system, instance)


class BMSReadingOut(_ReadingOut):
    """What a battery's management system told of an instant; null is what it left out."""

    system = System.BMS


class PCSReadingOut(_ReadingOut):
    """What a battery's power conversion system told of an instant; null is what it left out."""

    system = System.PCS


READING_OUT: dict[System, type[_ReadingOut]] = {System.BMS: BMSReadingOut, System.PCS: PCSReadingOut}


class BatteryNamesOut(serializers.Serializer[Any]):
    devices = serializers.ListField(child=serializers.CharField())
    count = serializers.IntegerField()


class _ReadingPageOut(serializers.Serializer[Any]):
    system: ClassVar[System]

    device_id = serializers.CharField()
    batch_size = serializers.IntegerField()
    skip = serializers.IntegerField()
    total = serializers.IntegerField()

    def get_fields(self) -> dict[str, Field]:
        return {**super().get_fields(), "data": READING_OUT[self.system](many=True)}


class BMSPageOut(_ReadingPageOut):
    """BMS readings, the oldest first."""

    system = System.BMS


class PCSPageOut(_ReadingPageOut):
    """PCS readings, the oldest first."""

    system = System.PCS


PAGE_OUT: dict[System, type[_ReadingPageOut]] = {System.BMS: BMSPageOut, System.PCS: PCSPageOut}
