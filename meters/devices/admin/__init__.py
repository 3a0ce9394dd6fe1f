"""The pages of devices for operators and managers."""

from meters.devices.admin.archive import ArchivedDayAdmin, LateSampleAdmin
from meters.devices.admin.catalogue import (
    DeviceGroupAdmin,
    ProductAdmin,
    PropertyMappingAdmin,
    UnknownCodeAdmin,
)
from meters.devices.admin.commands import CommandAdmin
from meters.devices.admin.devices import DeviceAdmin

__all__ = [
    "ArchivedDayAdmin",
    "CommandAdmin",
    "DeviceAdmin",
    "DeviceGroupAdmin",
    "LateSampleAdmin",
    "ProductAdmin",
    "PropertyMappingAdmin",
    "UnknownCodeAdmin",
]
