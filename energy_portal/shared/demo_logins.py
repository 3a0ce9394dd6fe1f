"""The logins of the demo data, one a role, and a machine's key: kept beside the data for every start to print."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_FILE = "demo-logins.json"


@dataclass(frozen=True)
class DemoLogin:
    """What a person of one role enters at the login page, and the path that shows their work first."""

    role: str
    email: str
    password: str
    path: str = "/"


@dataclass(frozen=True)
class DemoSource:
    """What a machine of the demo sends as its bearer."""

    name: str
    key: str


def write_demo_logins(home: Path, logins: Iterable[DemoLogin], source: DemoSource) -> None:
    """Keep the logins and the key of the demo data that was just loaded, for this user's eyes only."""
    path = home / _FILE
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps({"logins": [asdict(login) for login in logins], "source": asdict(source)}, indent=2))


def read_demo_logins(home: Path) -> list[DemoLogin]:
    """Read the logins of the loaded demo data; none when there are no demo data."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        return [DemoLogin(**entry) for entry in json.loads((home / _FILE).read_text())["logins"]]
    return []
