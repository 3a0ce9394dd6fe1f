"""The folders of files that belong to the database's rows, and copying them with their checksums."""

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from energy_portal.management.safekeeping.errors import SafekeepingFailed
from energy_portal.management.safekeeping.manifest import KeptFile, sync_folder
from meters.series.archive_files import UNFINISHED

ARCHIVE = "archive"
_CHUNK_BYTES = 1 << 20


def kept_folders() -> dict[str, Path]:
    """Return the portal's folders of files by their name in a backup."""
    return {"media": Path(settings.UPLOAD_DIR).resolve(), ARCHIVE: Path(settings.ARCHIVE_DIR).resolve()}


def secret_key() -> Path:
    """Name the file of the home's signing key."""
    return Path(settings.PORTAL_HOME) / "secret-key"


def holds_files(folder: Path) -> bool:
    """Tell whether anything lies in a folder that need not be there."""
    return folder.is_dir() and any(folder.iterdir())


def copy_folder(source: Path, target: Path, *, on_file: Callable[[], None] = lambda: None) -> dict[str, KeptFile]:
    """Copy all files below a folder; return their sizes and checksums by their path below it.

    A file that goes away meanwhile is left out, and one that the archive has not finished. A missing source is an
    empty one.

    :raises SafekeepingFailed: it holds a link to a folder, whose files would be lost.
    """
    target.mkdir(mode=0o700)
    kept = {}
    for parent, folders, files in os.walk(source):
        for name in folders:
            if Path(parent, name).is_symlink():
                raise SafekeepingFailed(f"{Path(parent, name)} is a link to a folder: put the folder itself there.")
        below = Path(parent).relative_to(source)
        (target / below).mkdir(mode=0o700, exist_ok=True)
        for name in sorted(name for name in files if UNFINISHED not in name):
            with suppress(FileNotFoundError):
                kept[(below / name).as_posix()] = copy_file(source / below / name, target / below / name)
            on_file()
        sync_folder(target / below)
    return kept


def copy_file(source: Path, target: Path) -> KeptFile:
    """Copy a file with its time to the disk, and return the checksum of what was read."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as read, target.open("xb") as written:
        while chunk := read.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            written.write(chunk)
        written.flush()
        os.fsync(written.fileno())
    shutil.copystat(source, target)
    return KeptFile(size, digest.hexdigest())


def set_aside(folder: Path, *, aside: Path, fresh: Path) -> None:
    """Put a fresh folder in the place of another, which gets another name; what fails half-way is undone.

    :raises SafekeepingFailed: the file system refuses, as for a folder that a volume is mounted on.
    """
    moved = False
    try:
        if folder.exists():
            folder.rename(aside)
            moved = True
        fresh.rename(folder)
    except OSError as error:
        if moved:
            aside.rename(folder)
        raise SafekeepingFailed(f"{folder} cannot be replaced: {error}") from error


def put_back(folder: Path, *, aside: Path) -> None:
    """Undo ``set_aside``."""
    shutil.rmtree(folder)
    if aside.exists():
        aside.rename(folder)
