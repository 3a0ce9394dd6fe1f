"""Who asks for bills: a person, or a data source whose key opens queries."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import User
from accounts.roles import Scope
from energy_portal.shared.callers import source_of


class MayQuery(BasePermission):
    """Let people in, who then see what is theirs, and data sources with the scope ``queries``."""

    def has_permission(self, request: Request, view: Any) -> bool:
        source = source_of(request.auth)
        if source is not None:
            return source.allows(Scope.QUERIES)
        return isinstance(request.user, User)


def person_of(request: Request) -> User | None:
    """Return the person who asks; None for a data source."""
    return request.user if isinstance(request.user, User) else None
