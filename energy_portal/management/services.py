"""What a command needs that runs beside the portal, or without it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.core.management import call_command

from energy_portal.embedded.home import Home
from energy_portal.embedded.postgres import Postgres
from energy_portal.embedded.services import available_services, needed_services, running


@contextmanager
def services_at_hand() -> Iterator[None]:
    """Have the database and the brokers answer within the block: the running portal's, or started for its length.

    A database that was started for it may be new, or older than the code, and is migrated.
    """
    with available_services(Home(settings.PORTAL_HOME), _database_answers) as own:
        if own:
            call_command("migrate", verbosity=0, interactive=False)
        yield


@contextmanager
def services_alone() -> Iterator[None]:
    """Have the database answer within the block, and keep the portal of this home from running meanwhile.

    :raises HomeInUse: it runs.
    """
    home = Home(settings.PORTAL_HOME)
    with home.locked(), running(*(service for service in needed_services(home) if service.name == Postgres.name)):
        yield


def _database_answers() -> bool:
    try:
        psycopg.connect(settings.DATABASE_URL, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
