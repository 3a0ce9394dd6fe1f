"""Who asks the metering paths, and what they may."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.api.authentication import calling_source
from accounts.api.permissions import HasRole, HasScope, MayQuery, asking_person
from accounts.roles import STAFF_ROLES, Role, Scope

MaySendReadings = HasRole(Role.MANAGER, Role.ADMIN) | HasScope(Scope.READINGS)


class IsSource(BasePermission):
    """Admit any data source: what it sees is its own."""

    message = "This is for data sources."
    code = "sources_only"

    def has_permission(self, request: Request, view: Any) -> bool:
        return calling_source(request) is not None


class MayQueryOrSend(BasePermission):
    """Ask for the right to query where a call reads, to send readings where it writes."""

    def has_permission(self, request: Request, view: Any) -> bool:
        rule = MayQuery if request.method in SAFE_METHODS else MaySendReadings
        return rule().has_permission(request, view)


class ReadsOrDecides(BasePermission):
    """Ask for the right to query where a call reads, for a manager's or an admin's where it writes."""

    def has_permission(self, request: Request, view: Any) -> bool:
        rule = MayQuery if request.method in SAFE_METHODS else HasRole(Role.MANAGER, Role.ADMIN)
        return rule().has_permission(request, view)


def may_register(request: Request) -> bool:
    """Tell whether a registration takes effect at once: a manager's, an admin's, or by a key for accounts."""
    caller, person = calling_source(request), asking_person(request)
    if caller is not None:
        return caller.source.allows(Scope.ACCOUNTS)
    return person is not None and person.is_active and person.role in STAFF_ROLES
