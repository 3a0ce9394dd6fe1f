"""Where the embedded services of a home listen: derived from the home alone, so that every command knows."""

import hashlib
import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

# A socket's path holds 103 bytes on macOS (107 on Linux), and "/postgres/.s.PGSQL.5432" takes 23 of them.
_LONGEST_RUN_FOLDER = 78
_POSTGRES_PORT = 5432
FIRST_MQTT_PORT = 20_000
MQTT_PORTS = 10_000


class ForeignRunFolder(RuntimeError):
    """The folder for sockets belongs to another user of this machine, who could stand in for our services."""


@dataclass(frozen=True)
class Endpoints:
    """The three URLs of one home, and the folders that hold its sockets."""

    run_folder: Path
    database_folder: Path
    redis_socket: Path
    mqtt_file: Path
    mqtt_port: int
    database_url: str
    redis_url: str
    mqtt_url: str


def endpoints_of(home: Path) -> Endpoints:
    """Derive the embedded services' URLs from a home folder.

    PostgreSQL and Valkey listen on Unix sockets. The run folder that holds these is in the home; in ``/tmp``
    when the home lies too deep for a socket's path; in ``/run`` for root, whose database runs as another user
    that may not reach the home. The MQTT broker listens on a loopback port with a password; both stand in
    ``mqtt.json`` in the home once the broker has started, because another program may have had the port.

    :raises ForeignRunFolder: the run folder exists and is not a folder of this user alone.
    """
    home = home.resolve()
    user = os.geteuid()
    digest = hashlib.sha256(str(home).encode()).hexdigest()
    run_folder = home / "run"
    if user == 0:
        run_folder = Path("/run" if Path("/run").is_dir() else "/tmp") / f"energy-portal-{digest[:16]}"  # noqa: S108
    elif len(os.fsencode(run_folder)) > _LONGEST_RUN_FOLDER:
        run_folder = Path("/tmp") / f"energy-portal-{user}-{digest[:16]}"  # noqa: S108
    require_own(run_folder)
    database_folder = run_folder / "postgres"
    redis_socket = run_folder / "valkey" / "valkey.sock"
    mqtt_file = home / "mqtt.json"
    mqtt_port, mqtt_password = _read_mqtt(mqtt_file, FIRST_MQTT_PORT + int(digest[:8], 16) % MQTT_PORTS)
    login = f"portal:{mqtt_password}@" if mqtt_password else ""
    return Endpoints(
        run_folder=run_folder,
        database_folder=database_folder,
        redis_socket=redis_socket,
        mqtt_file=mqtt_file,
        mqtt_port=mqtt_port,
        database_url=f"postgresql://portal@{quote(str(database_folder), safe='')}:{_POSTGRES_PORT}/portal",
        redis_url=f"unix://{redis_socket}?db=0",
        mqtt_url=f"mqtt://{login}127.0.0.1:{mqtt_port}",
    )


def require_own(folder: Path) -> None:
    """Refuse a folder that exists but is a link, belongs to another user, or can be written by one.

    :raises ForeignRunFolder: naming the folder and what to do.
    """
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ForeignRunFolder(
            f"{folder} is not a folder that only this user can write to: remove it, or move PORTAL_HOME."
        )


def _read_mqtt(path: Path, port: int) -> tuple[int, str]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(path.read_text())
        return int(found["port"]), str(found["password"])
    return port, ""
