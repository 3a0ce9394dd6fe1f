from meters.batteries.models.imports import BatteryImport, ImportedFile
from meters.batteries.models.quarters import BatteryQuarter, QuarterMark, TouchedQuarters
from meters.batteries.models.readings import BmsReading, PcsReading
from meters.batteries.models.registry import Battery, BatteryState, Convention
from meters.batteries.models.watching import BatteryLook

__all__ = [
    "Battery",
    "BatteryImport",
    "BatteryLook",
    "BatteryQuarter",
    "BatteryState",
    "BmsReading",
    "Convention",
    "ImportedFile",
    "PcsReading",
    "QuarterMark",
    "TouchedQuarters",
]
