"""What tests of the metering paths share."""

from uuid import uuid4

from rest_framework.test import APIClient

from accounts.models import SourceKey
from tests.factories import DataSourceFactory


class Machine:
    """A caller with a key, as the API sees it."""

    is_authenticated = True
    pk = None


def client_of(user=None, *, scopes=None, **source) -> APIClient:
    """Return a client of a person, of a data source with scopes, or of nobody."""
    client = APIClient()
    if scopes is not None:
        key = SourceKey.objects.create(
            source=DataSourceFactory(scopes=scopes, **source), prefix=uuid4().hex[:16], key_hash=uuid4().hex
        )
        client.force_authenticate(user=Machine(), token=key)
    elif user is not None:
        client.force_authenticate(user=user)
    return client
