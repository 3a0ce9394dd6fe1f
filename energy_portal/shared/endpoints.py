"""Where the embedded services of one portal home listen: derived from the folder alone, so every command finds them."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_LONGEST_SOCKET_FOLDER = 80
_FIRST_PORT = 20_000
_PORTS = 10_000


@dataclass(frozen=True)
class Endpoints:
    """The three URLs of one home, and the folder that holds its sockets."""

    run_folder: Path
    database_url: str
    redis_url: str
    mqtt_url: str


def endpoints_of(home: Path) -> Endpoints:
    """Derive the embedded services' URLs from a home folder.

    PostgreSQL and Valkey listen on Unix sockets; a socket's path is bounded (108 bytes on Linux), so a deep home
    gets a short folder in the system's temporary folder. The MQTT broker listens on a loopback port.
    """
    home = home.resolve()
    digest = hashlib.sha256(str(home).encode()).hexdigest()
    run_folder = home / "run"
    if len(str(run_folder)) > _LONGEST_SOCKET_FOLDER:
        run_folder = Path(tempfile.gettempdir()) / f"portal-{digest[:12]}"
    port = _FIRST_PORT + int(digest[:8], 16) % _PORTS
    return Endpoints(
        run_folder=run_folder,
        database_url=f"postgresql://portal@{quote(str(run_folder / 'postgres'), safe='')}/portal",
        redis_url=f"unix://{run_folder / 'valkey.sock'}?db=0",
        mqtt_url=f"mqtt://127.0.0.1:{port}",
    )
