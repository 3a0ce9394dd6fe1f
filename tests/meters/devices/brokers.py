"""MQTT brokers of a test's own, that end with it: the embedded one, and Debian's Mosquitto where it is installed."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from energy_portal.embedded.home import Home
from energy_portal.embedded.mqtt import Mqtt
from energy_portal.embedded.processes import launch, stop
from energy_portal.embedded.services import running

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
# What docs/operating.md tells operators to set.
_SETTINGS = """\
listener {port} 127.0.0.1
user root
log_type error
persistence true
persistence_location {folder}/
autosave_interval 60
max_inflight_messages 1000
max_queued_messages 0
"""
_OPEN = "allow_anonymous true\n"


@contextmanager
def embedded_broker(folder: Path) -> Iterator[str]:
    """Have an embedded broker for the block; yields its URL."""
    home = Home(folder)
    with running(Mqtt(home)):
        yield home.endpoints.mqtt_url


@contextmanager
def mosquitto_broker(folder: Path, *, access: str = _OPEN, login: str = "") -> Iterator[str]:
    """Have a Mosquitto for the block; yields its URL.

    :param access: lines of its configuration that say who may what.
    :param login: ``name:password@`` for the URL.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    configuration = folder / "mosquitto.conf"
    configuration.write_text(_SETTINGS.format(port=port, folder=folder) + access)
    with (folder / "mosquitto.log").open("ab") as log:
        process = launch([MOSQUITTO, "-c", configuration], death_signal=signal.SIGTERM, output=log)
    try:
        wait_for_port(port)
        yield f"mqtt://{login}127.0.0.1:{port}"
    finally:
        stop(process, ((signal.SIGTERM, 5.0),))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"Nothing listens on port {port}.")
