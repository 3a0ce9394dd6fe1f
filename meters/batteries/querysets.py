"""Who may see which batteries: ``visible_to`` on everything that is listed."""

from meters.devices.querysets import VisibleThroughAccount


class BatteryQuerySet(VisibleThroughAccount):
    """Batteries."""


class OfBatteryQuerySet(VisibleThroughAccount):
    """Rows that belong to one battery."""

    account_path = "battery__account"
