from meters.devices.models.commands import Command, CommandStep, MqttCredential
from meters.devices.models.hours import DeviceHour, FleetHour, RollupMark, TouchedHour
from meters.devices.models.registry import (
    Device,
    DeviceGroup,
    DeviceState,
    Product,
    PropertyMapping,
    Quantity,
    StateMark,
    UnknownCode,
)
from meters.devices.models.samples import ArchivedDay, DeviceSample, LateSample

__all__ = [
    "ArchivedDay",
    "Command",
    "CommandStep",
    "Device",
    "DeviceGroup",
    "DeviceHour",
    "DeviceSample",
    "DeviceState",
    "FleetHour",
    "LateSample",
    "MqttCredential",
    "Product",
    "PropertyMapping",
    "Quantity",
    "RollupMark",
    "StateMark",
    "TouchedHour",
    "UnknownCode",
]
