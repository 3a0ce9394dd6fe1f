"""A signing key of a portal home's own, for machines where nobody was asked to make one."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

_FILE = "secret-key"


def make_folder(folder: Path) -> None:
    """Make a folder of the portal's own; one that exists keeps its permissions.

    As root it lets others pass through, not look: the database runs as another user.
    """
    folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)


def own_secret(home: Path) -> str:
    """Return the home's key, made on first use; processes that start at once agree on one."""
    path = home / _FILE
    with suppress(FileNotFoundError):
        return path.read_text()
    make_folder(home)
    with tempfile.NamedTemporaryFile("w", dir=home, prefix=f".{_FILE}-") as draft:
        draft.write(secrets.token_urlsafe(64))
        draft.flush()
        # A link appears whole or not at all, and never over another's.
        with suppress(FileExistsError):
            os.link(draft.name, path)
    return path.read_text()
