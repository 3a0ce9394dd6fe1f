"""What tests of the metering paths share."""

import subprocess
import sys
import threading
from decimal import Decimal
from uuid import uuid4

from django.conf import settings
from django.db import connections
from rest_framework.test import APIClient

from accounts.api.authentication import SourceCaller
from accounts.models import SourceKey
from meters.models import RegisterReading
from meters.series.partitions import ensure_partitions
from meters.store import REGISTER_READINGS
from tests.factories import DataSourceFactory


def client_of(user=None, *, scopes=None, **source) -> APIClient:
    """Return a client of a person, of a data source with scopes, or of nobody."""
    client = APIClient()
    if scopes is not None:
        key = SourceKey.objects.create(
            source=DataSourceFactory(scopes=scopes, **source), prefix=uuid4().hex[:16], key_hash=uuid4().hex
        )
        client.force_authenticate(user=SourceCaller(key.source), token=key)
    elif user is not None:
        client.force_authenticate(user=user)
    return client


def start_script(module: str, *, database: str) -> subprocess.Popen[str]:
    """Run a module of the tests as a program of its own, on the database of this test."""
    return subprocess.Popen([sys.executable, "-m", module, database], cwd=settings.BASE_DIR, text=True)


def store_reading(register, time, value, *, quality=17, received_at=None) -> RegisterReading:
    """Put a row where it lies once it has entered, past the door and its rules."""
    ensure_partitions(REGISTER_READINGS, [time], floor=time, ceiling=time)
    return RegisterReading.objects.create(
        register=register, time=time, value=Decimal(value), quality=quality, received_at=received_at or time
    )


def every_reading(readings, *, at_once=500):
    """Yield all of a list of readings, the earliest first, page by page."""
    beyond = None
    while page := readings.page(limit=at_once, backwards=True, beyond=beyond):
        yield from page
        beyond = (page[-1].time,)


def in_thread(work):
    """Run work on connections of its own and return how to wait for what it returned."""
    result = []

    def run():
        try:
            result.append(work())
        except BaseException as error:  # noqa: BLE001 - told by who waits
            result.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()

    def wait():
        thread.join(timeout=60)
        assert not thread.is_alive()
        if isinstance(result[0], BaseException):
            raise result[0]
        return result[0]

    return wait
