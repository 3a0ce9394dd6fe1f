"""Who may see which insights: whoever may see the alarms of the same subjects."""

from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models

from accounts.roles import Role
from meters.querysets import AlarmQuerySet, in_regions_of

if TYPE_CHECKING:
    from accounts.models import User


class InsightQuerySet(AlarmQuerySet):
    """Forecasts, anomalies and faults: rows about subjects; who would hear of an alarm there may see them."""

    def open(self) -> Self:
        """Keep those that are not over."""
        return self.exclude(state="closed")


class ScoreQuerySet(models.QuerySet[Any]):
    """Scores of single forecasts: whoever may see the forecast may see how it did."""

    def visible_to(self, user: "User") -> Self:
        """Keep the scores of the forecasts that somebody may see now."""
        if user.is_active and (user.role == Role.ADMIN or _looks_after_all(user)):
            return self
        forecasts = apps.get_model("insights", "Forecast").objects.visible_to(user).order_by()
        return self.filter(forecast__in=forecasts.values("pk"))


class ScoreDayQuerySet(models.QuerySet[Any]):
    """Scores that were added up over many meters, which tell of no single one."""

    def visible_to(self, user: "User") -> Self:
        """Keep what staff may see: managers with regions what lies in these and what is about everything.

        Operators see devices and batteries; customers see their own forecasts' scores one by one instead.
        """
        if not user.is_active:
            return self.none()
        match user.role:
            case Role.ADMIN:
                return self
            case Role.MANAGER if _looks_after_all(user):
                return self
            case Role.MANAGER:
                return self.filter(in_regions_of(user, "region") | models.Q(cohort="portal"))
            case Role.OPERATOR:
                return self.filter(cohort__in=("device", "battery"))
        return self.none()


def _looks_after_all(user: "User") -> bool:
    """Tell whether somebody is a manager of no region, which is of all; asked ahead, since lists of scores are long."""
    managed = apps.get_model("meters", "RegionManager").objects.filter(user=user)
    return user.role == Role.MANAGER and not managed.exists()
