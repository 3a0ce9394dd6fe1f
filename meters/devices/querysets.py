"""Who may see which devices: ``visible_to`` on everything that is listed."""

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.utils import timezone

from accounts.roles import Role

if TYPE_CHECKING:
    from accounts.models import User

_SEES_ALL = frozenset({Role.MANAGER, Role.ADMIN, Role.OPERATOR})


def sees_all_devices(user: "User") -> bool:
    """Tell whether somebody sees every device there is."""
    return user.is_active and user.role in _SEES_ALL


class VisibleThroughAccount(models.QuerySet[Any]):
    """Rows that customers see because a device belongs to an account of theirs; ``account_path`` leads to it."""

    account_path = "account"

    def visible_to(self, user: "User") -> Self:
        """Keep the rows that somebody may see now: all for operators, managers and admins."""
        if not user.is_active:
            return self.none()
        if sees_all_devices(user):
            return self
        if user.role != Role.CUSTOMER:
            return self.none()
        # One filter call, so that both conditions meet in one access; at most one is in force a login and account.
        conditions = {"user": user, "valid__contains": timezone.now()}
        return self.filter(**{f"{self.account_path}__accesses__{name}": value for name, value in conditions.items()})


class DeviceQuerySet(VisibleThroughAccount):
    """Devices."""


class OfDeviceQuerySet(VisibleThroughAccount):
    """Rows that belong to one device."""

    account_path = "device__account"
