"""Who may see which bills."""

from typing import TYPE_CHECKING, Self

from accounts.querysets import OfAccountQuerySet, VisibleThroughAccess, sees_every_account

if TYPE_CHECKING:
    from accounts.models import User


class BillQuerySet(OfAccountQuerySet):
    """Bills."""

    def visible_to(self, user: "User") -> Self:
        """Keep the bills that somebody may see: customers see those of their accounts, once issued."""
        visible = super().visible_to(user)
        return visible if sees_every_account(user) else visible.exclude(status="draft")


class BillDeliveryQuerySet(VisibleThroughAccess):
    """Mails about bills."""

    access_path = "bill__account__accesses"
