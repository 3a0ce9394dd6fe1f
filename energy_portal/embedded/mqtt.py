"""An MQTT broker of one home's own, from the iotcore wheel, on a loopback port and behind a password."""

import importlib.util
import json
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from energy_portal.embedded.home import Home
from energy_portal.embedded.processes import (
    ServiceFailed,
    end_strays,
    last_lines,
    launch,
    open_log,
    pids_working_in,
    stop,
)
from energy_portal.shared.endpoints import FIRST_MQTT_PORT, MQTT_PORTS

_START_SECONDS = 30.0
_POLL_SECONDS = 0.02
_HOST = "127.0.0.1"
_STOP = ((signal.SIGTERM, 5.0),)

_CONFIGURATION = """\
id = 0

[router]
id = 0
max_connections = 20000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10

[v4.1]
name = "portal"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = 262144
max_inflight_count = 200
dynamic_filters = true

[v4.1.connections.auth]
portal = "{password}"
"""


class Mqtt:
    """One broker; its port and password stand in the home's ``mqtt.json``. The caller holds the home's lock."""

    name = "mqtt"

    def __init__(self, home: Home) -> None:
        self._home = home
        self._log = home.log(self.name)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """End what an earlier run left behind, find a free port, start, and wait until it takes a connection.

        :raises ServiceFailed: it does not start; the message holds the end of the log.
        """
        if importlib.util.find_spec("iotcore") is None:
            raise ServiceFailed("The embedded MQTT broker is not installed here: install iotcore, or set MQTT_URL.")
        self._home.prepare()
        folder = self._home.path / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        end_strays(pids_working_in(folder), _STOP)
        port = _free_port(self._home.endpoints.mqtt_port)
        configuration = folder / "broker.toml"
        password = self._keep(port)
        _write_private(configuration, _CONFIGURATION.format(host=_HOST, port=port, password=password))
        command: list[str | Path] = [
            sys.executable,
            "-I",
            "-m",
            "iotcore",
            "--config",
            configuration,
            "--log-level",
            "CRITICAL",
        ]
        with open_log(self._log) as log:
            self.process = launch(command, death_signal=signal.SIGTERM, output=log, folder=folder)
        self._wait(port)

    def stop(self) -> None:
        """End the broker; its sessions are in memory and end with it."""
        process, self.process = self.process, None
        if process:
            stop(process, _STOP)

    def _keep(self, port: int) -> str:
        """Write the port, and the password of the first start, where every command of this home finds them."""
        path = self._home.endpoints.mqtt_file
        password = ""
        with suppress(OSError, ValueError, KeyError):
            password = json.loads(path.read_text())["password"]
        password = password or secrets.token_hex(16)
        _write_private(path, json.dumps({"port": port, "password": password}))
        return password

    def _wait(self, port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise ServiceFailed(f"The MQTT broker ended while starting; {self._log} ends:\n{last_lines(self._log)}")
            with suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
                return
            time.sleep(_POLL_SECONDS)
        self.stop()
        raise ServiceFailed(f"The MQTT broker took no connection in {_START_SECONDS:.0f} s; see {self._log}.")


def _free_port(first: int) -> int:
    """Find a port that nothing listens on, from the home's own one upwards."""
    for step in range(MQTT_PORTS):
        port = FIRST_MQTT_PORT + (first - FIRST_MQTT_PORT + step) % MQTT_PORTS
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((_HOST, port))
                return port
    raise ServiceFailed("No port is free for the embedded MQTT broker: set MQTT_URL.")


def _write_private(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.replace(path)
