"""Files of the portal's own naming below the upload folder, for the portal's eyes only."""

import logging
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from energy_portal.shared.errors import Unavailable

logger = logging.getLogger(__name__)

_OURS, _OUR_FOLDER = 0o600, 0o700
# What was written before its row was committed is not younger than this once nobody works at it.
_ORPHAN_AGE = timedelta(days=1)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet; it is on disk when this returns, and so is its name.

    :raises Unavailable: the disk does not take it.
    """
    _write(path, data, offset=0, how=os.O_CREAT | os.O_EXCL)


def write_at(path: Path, offset: int, data: bytes) -> None:
    """Write data at an offset of a file and cut off what lies behind; it is on disk when this returns.

    :raises Unavailable: the disk does not take it.
    """
    _write(path, data, offset=offset, how=os.O_CREAT)


def _write(path: Path, data: bytes, *, offset: int, how: int) -> None:
    try:
        _make_folder(path.parent)
        with os.fdopen(os.open(path, os.O_RDWR | how, _OURS), "r+b") as file:
            file.truncate(offset)
            file.seek(offset)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)
    except OSError as error:
        logger.exception("%s was not written", path)
        raise Unavailable(
            "The portal cannot store files just now.", code="storage_unavailable", retry_after_seconds=60
        ) from error


def _make_folder(folder: Path) -> None:
    """Make a folder below the upload folder, and those that lead there."""
    top = Path(settings.UPLOAD_DIR)
    missing = [each for each in (folder, *folder.parents) if each.is_relative_to(top) and not each.is_dir()]
    for each in reversed(missing):
        each.mkdir(mode=_OUR_FOLDER, parents=True, exist_ok=True)
        _sync_folder(each.parent)


def old_files(folder: Path, *, now: datetime) -> Iterator[Path]:
    """Yield the files in a folder, and those below it, that nobody can be at work on any more."""
    oldest = (now - _ORPHAN_AGE).timestamp()
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_mtime < oldest:
            yield path


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
