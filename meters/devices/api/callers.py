"""Who asks about devices."""

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.api.authentication import calling_source
from accounts.api.permissions import HasRole, HasScope, IsPerson
from accounts.roles import Role, Scope

# People see the devices of theirs, operators and managers all; machines need the scope.
MayUseDevices = IsPerson | HasScope(Scope.DEVICES)
MayKeepRegistry = HasRole(Role.OPERATOR, Role.MANAGER, Role.ADMIN) | HasScope(Scope.DEVICES)


class MayAskOfDevices(BasePermission):
    """Admit people, who see what is theirs, and data sources that may query or that send for devices, which see all."""

    def has_permission(self, request: Request, view: Any) -> bool:
        caller = calling_source(request)
        if caller is None:
            return IsPerson().has_permission(request, view)
        if caller.source.allows(Scope.QUERIES) or caller.source.allows(Scope.DEVICES):
            return True
        raise PermissionDenied(f"The key lacks the scope {Scope.QUERIES} or {Scope.DEVICES}.", code="missing_scope")
