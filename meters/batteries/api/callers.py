"""Who asks about batteries, and who tells of them."""

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.api.authentication import calling_source
from accounts.api.permissions import HasRole, HasScope, IsPerson
from accounts.roles import Role, Scope

_DESK = HasRole(Role.OPERATOR, Role.MANAGER, Role.ADMIN)

MaySendReadings = _DESK | HasScope(Scope.BATTERIES)
MayKeepBatteries = _DESK | HasScope(Scope.BATTERIES)


class MayAskOfBatteries(BasePermission):
    """Admit people, who see what is theirs, and data sources that may query or send for batteries, which see all."""

    def has_permission(self, request: Request, view: Any) -> bool:
        caller = calling_source(request)
        if caller is None:
            return IsPerson().has_permission(request, view)
        if caller.source.allows(Scope.QUERIES) or caller.source.allows(Scope.BATTERIES):
            return True
        raise PermissionDenied(f"The key lacks the scope {Scope.QUERIES} or {Scope.BATTERIES}.", code="missing_scope")
