"""The pages of devices for operators and managers."""

from meters.devices.admin.catalogue import (
    DeviceGroupAdmin,
    ProductAdmin,
    PropertyMappingAdmin,
    UnknownCodeAdmin,
)
from meters.devices.admin.commands import CommandAdmin
from meters.devices.admin.devices import DeviceAdmin

__all__ = [
    "CommandAdmin",
    "DeviceAdmin",
    "DeviceGroupAdmin",
    "ProductAdmin",
    "PropertyMappingAdmin",
    "UnknownCodeAdmin",
]
