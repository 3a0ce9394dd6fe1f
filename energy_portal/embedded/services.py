"""The embedded services that a home needs: those for which the environment names no real one."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from energy_portal.embedded.home import Home, HomeInUse
from energy_portal.embedded.mqtt import Mqtt
from energy_portal.embedded.postgres import Postgres
from energy_portal.embedded.valkey import Valkey

_NEIGHBOUR_SECONDS = 300.0
_POLL_SECONDS = 0.2


class Service(Protocol):
    """What the supervisor asks of an embedded service."""

    name: str
    process: subprocess.Popen[bytes] | None

    def start(self) -> None:
        """Start and return when it can be used."""

    def stop(self) -> None:
        """End it; harmless when it does not run."""


def needed_services(home: Home) -> list[Service]:
    """List the services to start for a home, in their order."""
    kinds: dict[str, Callable[[Home], Service]] = {"DATABASE_URL": Postgres, "REDIS_URL": Valkey, "MQTT_URL": Mqtt}
    return [kind(home) for variable, kind in kinds.items() if not os.environ.get(variable)]


@contextmanager
def running(*services: Service) -> Iterator[None]:
    """Have services run within a block; they end in the opposite order."""
    with ExitStack() as started:
        for service in services:
            started.callback(service.stop)
            service.start()
        yield


@contextmanager
def available_services(home: Home, is_ready: Callable[[], bool]) -> Iterator[bool]:
    """Have a home's services at hand within a block: those of the portal that runs it, otherwise ones of our own.

    Yields whether they are our own.

    :param is_ready: tells whether the running portal's services answer yet.
    :raises HomeInUse: another process holds the home, and its services did not answer in time.
    """
    services = needed_services(home)
    if not services:
        yield False
        return
    own = False
    with ExitStack() as stack:
        try:
            stack.enter_context(home.locked())
        except HomeInUse:
            deadline = time.monotonic() + _NEIGHBOUR_SECONDS
            while not is_ready():
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
        else:
            stack.enter_context(running(*services))
            own = True
        yield own
