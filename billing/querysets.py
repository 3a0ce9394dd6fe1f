"""Who may see which bills."""

from typing import TYPE_CHECKING, Self

from accounts.querysets import OfAccountQuerySet, VisibleThroughAccess, sees_every_account

if TYPE_CHECKING:
    from accounts.models import User


class BillQuerySet(OfAccountQuerySet):
    """Bills and credit notes."""

    def bills(self) -> Self:
        """Keep what bills a month by itself: no credit notes, and no draft that waits to stand in for a bill."""
        return self.filter(kind="bill").exclude(status="draft", corrects__isnull=False)

    def visible_to(self, user: "User") -> Self:
        """Keep the bills that somebody may see: customers see those of their accounts, once issued."""
        visible = super().visible_to(user)
        return visible if sees_every_account(user) else visible.exclude(status="draft")


class BillDeliveryQuerySet(VisibleThroughAccess):
    """Mails about bills."""

    access_path = "bill__account__accesses"


class CorrectionQuerySet(VisibleThroughAccess):
    """Proposals to correct bills."""

    access_path = "original__account__accesses"

    def visible_to(self, user: "User") -> Self:
        """Keep the corrections that somebody may see: customers see those of their bills, once approved."""
        visible = super().visible_to(user)
        return visible if sees_every_account(user) else visible.filter(status="approved")


class DisputeQuerySet(VisibleThroughAccess):
    """Disputes of bills."""

    access_path = "bill__account__accesses"
