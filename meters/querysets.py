"""Who may see which meters and what hangs on them: ``visible_to`` on everything that is listed."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.utils import timezone

from accounts.querysets import OfAccountQuerySet, sees_every_account
from accounts.roles import Role

if TYPE_CHECKING:
    from accounts.models import User


def in_regions_of(user: "User", path: str) -> models.Q:
    """Return the condition that a manager looks after a row's region; who is given no region looks after all.

    :param path: from the row to its region.
    """
    mine = apps.get_model("meters", "RegionManager").objects.filter(user=user)
    return ~models.Exists(mine) | models.Q(**{f"{path}__in": mine.values("region")})


class VisibleThroughBinding(models.QuerySet[Any]):
    """Rows that a customer sees because an account of theirs is, or was, supplied there.

    ``binding_path`` leads from the row to the bindings of its service point. Which *period* of it they see is for
    the selectors to cut: a row is visible when any part of it is.
    """

    binding_path = "bindings"

    def visible_to(self, user: "User") -> Self:
        """Keep the rows that somebody may see now."""
        if sees_every_account(user):
            return self
        if not user.is_active or user.role != Role.CUSTOMER:
            return self.none()
        path = f"{self.binding_path}__account__accesses"
        seen = self.model._default_manager.filter(**{f"{path}__user": user, f"{path}__valid__contains": timezone.now()})
        # A place may be bound to several of their accounts in turn, so the join can repeat a row: nest it.
        return self.filter(pk__in=seen.values("pk"))


class ServicePointQuerySet(VisibleThroughBinding):
    """Service points."""


class BindingQuerySet(OfAccountQuerySet):
    """Bindings of accounts to service points."""

    def open_at(self, instant: datetime) -> Self:
        """Keep the bindings in force at an instant."""
        return self.filter(valid__contains=instant)


class MeterQuerySet(VisibleThroughBinding):
    """Meters."""

    binding_path = "installations__service_point__bindings"


class OfMeterQuerySet(VisibleThroughBinding):
    """Rows that belong to one meter."""

    binding_path = "meter__installations__service_point__bindings"


class OfRegisterQuerySet(VisibleThroughBinding):
    """Rows that belong to one register."""

    binding_path = "register__meter__installations__service_point__bindings"


class OfServicePointQuerySet(VisibleThroughBinding):
    """Rows that belong to one service point."""

    binding_path = "service_point__bindings"


class JobQuerySet(models.QuerySet[Any]):
    """Long work that people and data sources asked for."""

    def visible_to(self, user: "User") -> Self:
        """Keep the jobs that somebody may see: all for managers and admins, their own for everybody else."""
        if not user.is_active:
            return self.none()
        return self if sees_every_account(user) else self.filter(asked_by=user)


class AlarmQuerySet(OfAccountQuerySet):
    """Alarms."""

    def visible_to(self, user: "User") -> Self:
        """Keep the alarms that somebody may see now.

        Managers and admins see all, operators those of devices and batteries, customers those of their accounts.
        """
        if user.is_active and user.role == Role.OPERATOR:
            return self.filter(subject_kind__in=("device", "battery"))
        return super().visible_to(user)

    def open(self) -> Self:
        """Keep those that have not been cleared."""
        return self.exclude(state="cleared")
