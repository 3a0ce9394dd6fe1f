from meters.batteries.models.quarters import BatteryQuarter, QuarterMark, TouchedQuarters
from meters.batteries.models.readings import BmsReading, PcsReading
from meters.batteries.models.registry import Battery, BatteryState, Convention
from meters.batteries.models.watching import BatteryLook

__all__ = [
    "Battery",
    "BatteryLook",
    "BatteryQuarter",
    "BatteryState",
    "BmsReading",
    "Convention",
    "PcsReading",
    "QuarterMark",
    "TouchedQuarters",
]
