"""The pages of batteries for operators and managers."""

from meters.batteries.admin.batteries import BatteryAdmin
from meters.batteries.admin.conventions import ConventionAdmin

__all__ = ["BatteryAdmin", "ConventionAdmin"]
