"""What a command needs that runs beside the portal, or without it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.core.management import call_command

from energy_portal.embedded.home import Home
from energy_portal.embedded.services import available_services


@contextmanager
def services_at_hand() -> Iterator[None]:
    """Have the database and the brokers answer within the block: the running portal's, or started for its length.

    A database that was started for it may be new, or older than the code, and is migrated.
    """
    with available_services(Home(settings.PORTAL_HOME), _database_answers) as own:
        if own:
            call_command("migrate", verbosity=0, interactive=False)
        yield


def _database_answers() -> bool:
    try:
        psycopg.connect(settings.DATABASE_URL, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
