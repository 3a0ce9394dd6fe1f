"""Who asks for bills: a person, or a data source whose key opens queries."""

from rest_framework.request import Request

from accounts.api.permissions import HasScope, IsPerson
from accounts.models import User
from accounts.roles import Scope

# People see what is theirs; data sources see every bill that was issued.
MayQuery = IsPerson | HasScope(Scope.QUERIES)


def person_of(request: Request) -> User | None:
    """Return the person who asks; None for a data source."""
    return request.user if isinstance(request.user, User) else None
