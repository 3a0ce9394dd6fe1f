"""The committed table of who may what, against what the portal does.

After something was added, ``PERMISSIONS=write pytest tests/flows/test_permissions.py`` writes the table anew; read what
it says before it is committed.
"""

import logging
import os

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.actors import PORTAL
from accounts.models import User
from accounts.roles import Role, Scope
from accounts.services.sources import create_source
from energy_portal.routing import websockets
from tests.factories import UserFactory
from tests.field_ops.factories import AgentFactory
from tests.meters.sockets import Socket
from tests.permissions import LOGIN, MAY, NO, ROLES, addresses, asked, read_table, rights, write_column

pytestmark = pytest.mark.django_db

BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(autouse=True)
def unlimited(settings, monkeypatch):
    logging.disable(logging.CRITICAL)
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_CLASSES": []}
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
    yield
    logging.disable(logging.NOTSET)


def everything(role: str) -> dict[tuple[str, str], str]:
    """Return what the portal says to somebody in a role, by what they ask for and how."""
    user = UserFactory(role=role) if role in set(Role) else None
    if role == Role.AGENT:
        AgentFactory(user=user)
    found = {}
    client, session = client_of(role, user), settings.SESSION_COOKIE_NAME
    begun = client.cookies.get(session)
    for address in addresses():
        if word := asked(client, address):
            found[address.route, address.method] = word
        if client.cookies.get(session) != begun:
            client = client_of(role, user)
            begun = client.cookies.get(session)
    if role != "source":
        found |= {(stream, "websocket"): listen(stream, client_of(role, user)) for stream in streams()}
    return found | (rights(user) if user else {})


def client_of(role: str, user: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if user:
        client.force_login(user, backend=BACKEND)
    elif role == "source":
        client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {key()}"
    return client


def key() -> str:
    scopes = [str(scope) for scope in Scope]
    return create_source(name=f"Source {timezone.now()}", scopes=scopes, actor=PORTAL, now=timezone.now())[1]


def streams() -> list[str]:
    return [f"/{route.pattern}" for route in websockets.routes if str(route.pattern)]


def listen(stream: str, client: Client) -> str:
    cookie = client.cookies.get(settings.SESSION_COOKIE_NAME)
    headers = [(b"cookie", f"{cookie.key}={cookie.value}".encode())] if cookie else []

    async def first() -> str:
        socket = Socket(stream, headers)
        await socket.open()
        message = await socket.receive()
        await socket.close()
        return {4401: LOGIN, 4403: NO}.get(message.get("code"), MAY)

    return async_to_sync(first)()


class TestTheTable:
    @pytest.mark.parametrize("role", ROLES)
    def test_says_what_each_role_may(self, role):
        found = everything(role)

        if os.environ.get("PERMISSIONS") == "write":
            write_column(role, found)
        assert found == {what: cells[role] for what, cells in read_table().items() if cells[role]}
