"""The demo's logins, one a role, and the source that sends its readings."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.actors import PORTAL, Actor
from accounts.models import CustomerAccount, DataSource, User
from accounts.models.customers import Right
from accounts.roles import Role, Scope
from accounts.services import access
from accounts.services.sources import create_source, note_use
from accounts.services.users import create_user
from energy_portal.management.demo.state import SOURCE_NAME
from energy_portal.shared.demo_logins import DemoLogin

_PASSWORD_GROUPS = 3
_ADMIN, _FIELD = "/admin/", "/field/"


@dataclass(frozen=True)
class _Person:
    title: str
    email: str
    name: str
    role: Role
    path: str = "/"


_PEOPLE = (
    _Person("customer", "customer@example.org", "Tan Wei Ling", Role.CUSTOMER, "/home"),
    _Person("family viewer", "family@example.org", "Lim Jun Hao", Role.CUSTOMER, "/home"),
    _Person("agent", "agent@example.org", "Suresh Pillai", Role.AGENT, _FIELD),
    _Person("agent, west", "west.agent@example.org", "Hasnah Salleh", Role.AGENT, _FIELD),
    _Person("agent, north", "north.agent@example.org", "Kelvin Ho", Role.AGENT, _FIELD),
    _Person("manager", "manager@example.org", "Aminah Yusof", Role.MANAGER, _ADMIN),
    _Person("manager, east", "east.manager@example.org", "Tay Hui Min", Role.MANAGER, _ADMIN),
    _Person("operator", "operator@example.org", "Benjamin Seah", Role.OPERATOR, "/admin/devices/device/fleet/"),
    _Person("admin", "admin@example.org", "Grace Lee", Role.ADMIN, _ADMIN),
)


@dataclass(frozen=True)
class People:
    """The demo's users by title, their password, and the source with its key."""

    users: dict[str, User]
    password: str
    source: DataSource
    key: str

    def logins(self) -> Iterator[DemoLogin]:
        """Yield what a stranger needs to come in, a row a person."""
        for person in _PEOPLE:
            yield DemoLogin(person.title, person.email, self.password, person.path)


def create_source_first(*, now: datetime) -> tuple[DataSource, str]:
    """Make the source: from here on the database knows that a load began."""
    scopes = [Scope.ACCOUNTS, Scope.READINGS, Scope.QUERIES]
    return create_source(name=SOURCE_NAME, scopes=scopes, actor=PORTAL, now=now)


def create_people(*, source: DataSource, key: str, now: datetime) -> People:
    """Make a login for each role, all with one password that is made up anew for each load."""
    password = "-".join(secrets.token_hex(2) for _ in range(_PASSWORD_GROUPS))
    users = {
        person.title: create_user(
            email=person.email, name=person.name, role=person.role, password=password, actor=PORTAL, now=now
        )
        for person in _PEOPLE
    }
    return People(users=users, password=password, source=source, key=key)


def open_account(*, people: People, number: str, since: datetime, now: datetime) -> None:
    """Let the demo customer administer an account, and a member of the family look at it."""
    account = CustomerAccount.objects.get(number=number)
    manager = Actor(user=people.users["manager"])
    for title, right in (("customer", Right.ADMINISTER), ("family viewer", Right.VIEW)):
        access.grant_access(
            account=account,
            user=people.users[title],
            right=right,
            valid=DateTimeTZRange(since, None, "[)"),
            actor=manager,
            now=now,
        )


def note_source_seen(*, source: DataSource, now: datetime) -> None:
    """Note that the source's key was just used, as the door of the API would."""
    for key in source.keys.all():
        note_use(key=key, now=now)
