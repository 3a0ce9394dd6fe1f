"""Who may see which rows of accounts: one method, ``visible_to``, used by every list."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.utils import timezone

from accounts.roles import STAFF_ROLES, Role

if TYPE_CHECKING:
    from accounts.models import User


def sees_every_account(user: "User") -> bool:
    """Tell whether somebody's role opens every customer account."""
    return user.is_active and user.role in STAFF_ROLES


class VisibleThroughAccess(models.QuerySet[Any]):
    """Rows that a customer sees by an access in force; ``access_path`` leads from the row to the accesses."""

    access_path = "accesses"

    def visible_to(self, user: "User") -> Self:
        """Keep the rows of accounts that somebody may see now: all for managers and admins."""
        if sees_every_account(user):
            return self
        if not user.is_active or user.role != Role.CUSTOMER:
            return self.none()
        return self._through_access(user, timezone.now())

    def _through_access(self, user: "User", now: datetime, **more: object) -> Self:
        # One filter call, so that all conditions meet in one access row; the exclusion constraint on accesses
        # keeps at most one in force a login and account, so the join repeats no row.
        conditions = {"user": user, "valid__contains": now, **more}
        return self.filter(**{f"{self.access_path}__{name}": value for name, value in conditions.items()})


class CustomerAccountQuerySet(VisibleThroughAccess):
    """Customer accounts."""

    def administered_by(self, user: "User", *, now: datetime) -> Self:
        """Keep the accounts that somebody may administer at an instant."""
        if sees_every_account(user):
            return self
        if not user.is_active:
            return self.none()
        return self._through_access(user, now, right="administer")


class OfAccountQuerySet(VisibleThroughAccess):
    """Rows that belong to one account."""

    access_path = "account__accesses"


class AccountAccessQuerySet(OfAccountQuerySet):
    """Accesses to accounts."""

    def open_at(self, instant: datetime) -> Self:
        """Keep those in force at an instant."""
        return self.filter(valid__contains=instant)


class InvitationQuerySet(OfAccountQuerySet):
    """Invitations to accounts."""

    def open_at(self, instant: datetime) -> Self:
        """Keep those that can still be accepted."""
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=instant)
