"""Who may see which bills."""

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.utils import timezone

from accounts.roles import Role

if TYPE_CHECKING:
    from accounts.models import User


class BillQuerySet(models.QuerySet[Any]):
    """Bills."""

    def visible_to(self, user: "User") -> Self:
        """Keep the bills that somebody may see: customers see those of their accounts, once issued."""
        if not user.is_active:
            return self.none()
        if user.role in {Role.MANAGER, Role.ADMIN}:
            return self
        if user.role != Role.CUSTOMER:
            return self.none()
        return self.exclude(status="draft").filter(
            account__accesses__user=user, account__accesses__valid__contains=timezone.now()
        )
