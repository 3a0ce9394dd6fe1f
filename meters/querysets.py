"""Who may see which meters and what hangs on them: ``visible_to`` on everything that is listed."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.querysets import OfAccountQuerySet, sees_every_account
from accounts.roles import Role
from energy_portal.shared.geo import Box

if TYPE_CHECKING:
    from accounts.models import User


def in_regions_of(user: "User", path: str) -> models.Q:
    """Return the condition that a manager looks after a row's region; who is given no region looks after all.

    :param path: from the row to its region.
    """
    mine = apps.get_model("meters", "RegionManager").objects.filter(user=user)
    return ~models.Exists(mine) | models.Q(**{f"{path}__in": mine.values("region")})


def spot_of(longitude: str = "longitude", latitude: str = "latitude") -> models.Func:
    """Return a row's place as PostgreSQL's point, as the indexes on places are made."""
    return models.Func(models.F(longitude), models.F(latitude), function="point")


def in_boxes(boxes: Collection[Box]) -> models.Q:
    """Return the condition that a row lies in one of some boxes, which an index on its place answers."""
    found = models.Q(pk__in=[])
    for box in boxes:
        corners = (_point(box.west, box.south), _point(box.east, box.north))
        found |= models.Q(
            models.Func(
                spot_of(),
                models.Func(*corners, function="box"),
                template="(%(expressions)s)",
                arg_joiner=" <@ ",
                output_field=models.BooleanField(),
            )
        )
    return found


def _point(longitude: float, latitude: float) -> models.Func:
    return models.Func(models.Value(longitude), models.Value(latitude), function="point")


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


class RegionQuerySet(models.QuerySet[Any]):
    """Regions."""

    def visible_to(self, user: "User") -> Self:
        """Keep the regions that somebody may see: managers theirs, agents the one they work in, operators all."""
        if not user.is_active:
            return self.none()
        if user.role in {Role.ADMIN, Role.OPERATOR}:
            return self
        if user.role == Role.MANAGER:
            return self.filter(in_regions_of(user, "pk"))
        if user.role == Role.AGENT:
            return self.filter(agents__user=user)
        return self.none()

    def with_counts(self) -> Self:
        """Annotate how many meters and agents each region has (``meter_count``, ``agent_count``), as of now."""
        return self.annotate(meter_count=self._count_of("meters"), agent_count=self._count_of("agents"))

    def _count_of(self, relation: str) -> Coalesce:
        # By the relation's name: whoever works in regions belongs to an app above.
        rows = self.model._meta.get_field(relation).related_model._default_manager.order_by()
        of_region = rows.filter(region=models.OuterRef("pk")).values("region").annotate(n=models.Count("pk"))
        return Coalesce(models.Subquery(of_region.values("n")), 0)


class OfMeterQuerySet(VisibleThroughBinding):
    """Rows that belong to one meter."""

    binding_path = "meter__installations__service_point__bindings"


class OfRegisterQuerySet(VisibleThroughBinding):
    """Rows that belong to one register."""

    binding_path = "register__meter__installations__service_point__bindings"


class ReadingExceptionQuerySet(OfRegisterQuerySet):
    """Exceptions of readings."""

    def visible_to(self, user: "User") -> Self:
        """Keep the exceptions that somebody may see; a manager with regions those of the meters in them."""
        rows = super().visible_to(user)
        return rows.filter(in_regions_of(user, "register__meter__region")) if user.role == Role.MANAGER else rows


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

        Admins see all, managers with regions what lies in these and what is the portal's own, operators those of
        devices and batteries, customers those of their accounts.
        """
        if user.is_active and user.role == Role.OPERATOR:
            return self.filter(subject_kind__in=("device", "battery"))
        rows = super().visible_to(user)
        return rows.filter(self._in_regions_of(user)) if user.role == Role.MANAGER else rows

    def _in_regions_of(self, user: "User") -> models.Q:
        meters = apps.get_model("meters", "Meter").objects.filter(in_regions_of(user, "region")).order_by()
        places = meters.filter(installations__valid__contains=timezone.now())
        return (
            in_regions_of(user, "region")
            | models.Q(subject_kind="portal")
            | models.Q(subject_kind="meter", subject__in=meters.values("serial"))
            | models.Q(subject_kind="service_point", subject__in=places.values("installations__service_point__code"))
        )

    def open(self) -> Self:
        """Keep those that have not been cleared."""
        return self.exclude(state="cleared")
