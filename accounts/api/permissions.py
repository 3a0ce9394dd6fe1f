"""Who may call what: roles for people, scopes for machines."""

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.actors import Actor
from accounts.api.authentication import calling_source
from accounts.models import User
from accounts.roles import Scope


class IsPerson(BasePermission):
    """Admit whoever logged in as a person; machines have no business here."""

    message = "This is for people who log in, not for data sources."
    code = "people_only"

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, User) and request.user.is_active


def HasRole(*roles: str) -> type[BasePermission]:  # noqa: N802
    """Return a permission that admits people in any of some roles."""

    class _HasRole(IsPerson):
        message = f"This is for the roles {', '.join(str(role) for role in roles)}."
        code = "missing_role"

        def has_permission(self, request: Request, view: Any) -> bool:
            return super().has_permission(request, view) and person_of(request).role in roles

    return _HasRole


def HasScope(scope: Scope | str) -> type[BasePermission]:  # noqa: N802
    """Return a permission that admits data sources whose keys open a scope.

    A source without it is told so at once, also where the permission is combined with one for people by ``|``.
    """

    class _HasScope(BasePermission):
        message = "This is for data sources."
        code = "missing_scope"

        def has_permission(self, request: Request, view: Any) -> bool:
            caller = calling_source(request)
            if caller is None:
                return False
            if not caller.source.allows(scope):
                raise PermissionDenied(f"The key lacks the scope {scope!s}.", code="missing_scope")
            return True

    return _HasScope


# People see what is theirs; data sources with the scope see every account.
MayQuery = IsPerson | HasScope(Scope.QUERIES)


def asking_person(request: Request) -> User | None:
    """Return the person who asks; None for a data source and for nobody."""
    return request.user if isinstance(request.user, User) else None


def actor_of(request: Request) -> Actor:
    """Return who is behind a request: a person, a data source, or nobody where no login was needed."""
    caller = calling_source(request)
    if caller is not None:
        return Actor(source=caller.source)
    return Actor(user=request.user) if isinstance(request.user, User) else Actor()


def person_of(request: Request) -> User:
    """Return the person behind a request that ``IsPerson`` or ``HasRole`` admitted."""
    if not isinstance(request.user, User):
        raise PermissionDenied(IsPerson.message, code=IsPerson.code)
    return request.user
