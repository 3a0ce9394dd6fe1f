"""Who asks the metering paths, and what they may."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.actors import Actor
from accounts.models import DataSource, User
from accounts.roles import STAFF_ROLES, Scope
from energy_portal.shared.callers import source_of


def person_of(request: Request) -> User | None:
    """Return the person who asks; None for a data source and for nobody."""
    return request.user if isinstance(request.user, User) else None


def actor_of(request: Request) -> Actor:
    """Return who is behind a write."""
    source = source_of(request.auth)
    return Actor(user=person_of(request), source=source if isinstance(source, DataSource) else None)


def _opens(request: Request, scope: Scope) -> bool:
    source = source_of(request.auth)
    return source is not None and source.allows(scope)


def is_staff(request: Request) -> bool:
    """Tell whether a manager or an admin asks."""
    person = person_of(request)
    return person is not None and person.is_active and person.role in STAFF_ROLES


def may_register(request: Request) -> bool:
    """Tell whether a registration takes effect at once: a manager's, an admin's, or by a key for accounts."""
    return is_staff(request) or _opens(request, Scope.ACCOUNTS)


class MaySendReadings(BasePermission):
    """Let managers, admins and data sources with the scope ``readings`` in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_staff(request) or _opens(request, Scope.READINGS)


class MayQuery(BasePermission):
    """Let people in, who then see what is theirs, and data sources with the scope ``queries``."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return person_of(request) is not None or _opens(request, Scope.QUERIES)


class MayQueryOrSend(BasePermission):
    """Ask for a right to query where it reads, to send readings where it writes."""

    def has_permission(self, request: Request, view: Any) -> bool:
        rule = MayQuery if request.method in {"GET", "HEAD", "OPTIONS"} else MaySendReadings
        return rule().has_permission(request, view)
