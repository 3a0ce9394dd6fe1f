"""What each role may do: one table, read by the user model, the admin and the API."""

from fnmatch import fnmatchcase

from django.db.models import TextChoices


class Role(TextChoices):
    """Who somebody is to the portal."""

    CUSTOMER = "customer"
    AGENT = "agent"
    MANAGER = "manager"
    OPERATOR = "operator"
    ADMIN = "admin"


class Scope(TextChoices):
    """What a data source's key opens."""

    ACCOUNTS = "accounts"
    READINGS = "readings"
    QUERIES = "queries"
    DEVICES = "devices"
    BATTERIES = "batteries"
    ARCHIVE = "archive"
    METRICS = "metrics"
    PAYMENTS = "payments"


# Who decides on customers, readings and bills.
STAFF_ROLES = frozenset({Role.MANAGER, Role.ADMIN})
# Who works in the administration; operators see devices and batteries there, and no customer.
DESK_ROLES = STAFF_ROLES | {Role.OPERATOR}

_PATTERNS: dict[str, tuple[str, ...]] = {
    Role.CUSTOMER: (),
    Role.AGENT: (),
    Role.OPERATOR: (
        "devices.*",
        "batteries.*",
        "meters.view_region",
        "meters.view_alarm",
        "meters.change_alarm",
        "insights.view_anomaly",
        "insights.change_anomaly",
        "insights.view_batterytrend",
        "insights.view_fault",
        "insights.change_fault",
        "insights.view_appliance",
    ),
    Role.MANAGER: (
        "accounts.view_*",
        "accounts.add_customeraccount",
        "accounts.change_customeraccount",
        "accounts.*_familymember",
        "accounts.*_premises",
        "accounts.*_accountaccess",
        "accounts.*_invitation",
        "meters.*",
        "devices.*",
        "batteries.*",
        "insights.*",
        "billing.*",
        "field_ops.*",
    ),
    Role.ADMIN: ("*",),
}


def role_grants(role: str, permission: str) -> bool:
    """Tell whether a role carries a permission such as ``meters.change_meter``."""
    return any(fnmatchcase(permission, pattern) for pattern in _PATTERNS[role])
