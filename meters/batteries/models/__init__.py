from meters.batteries.models.quarters import BatteryQuarter, QuarterMark, TouchedQuarters
from meters.batteries.models.readings import BmsReading, PcsReading
from meters.batteries.models.registry import Battery, BatteryState, Convention

__all__ = [
    "Battery",
    "BatteryQuarter",
    "BatteryState",
    "BmsReading",
    "Convention",
    "PcsReading",
    "QuarterMark",
    "TouchedQuarters",
]
