from meters.devices.store.samples import (
    DEVICE_SAMPLES,
    active_devices,
    add_late,
    earliest_device,
    find_devices,
    order_creators,
    retired_since,
    touching,
)
from meters.devices.store.unknown_codes import add_counts

__all__ = [
    "DEVICE_SAMPLES",
    "active_devices",
    "add_counts",
    "add_late",
    "earliest_device",
    "find_devices",
    "order_creators",
    "retired_since",
    "touching",
]
