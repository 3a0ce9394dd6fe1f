from meters.devices.store.samples import (
    DEVICE_SAMPLES,
    ROLLUP_LOCK,
    add_late,
    find_devices,
    log_touched,
    order_creators,
    retired_since,
    share_mark,
)

__all__ = [
    "DEVICE_SAMPLES",
    "ROLLUP_LOCK",
    "add_late",
    "find_devices",
    "log_touched",
    "order_creators",
    "retired_since",
    "share_mark",
]
