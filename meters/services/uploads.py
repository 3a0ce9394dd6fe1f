"""The files of jobs, below the upload folder: what was sent in, and what came of it.

Names are the portal's own, so nothing that a sender writes becomes a path.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from django.conf import settings
from django.db.models import Q

from energy_portal.shared.errors import Invalid
from meters.models import Job

_UPLOADS, _RESULTS = "imports", "exports"
_MEBIBYTE = 1024 * 1024
# An upload whose request failed belongs to no job; one that is this old is not still being received.
_ORPHAN_AGE = timedelta(days=1)


class FileTooLarge(Invalid):
    """A file is larger than ``MAX_FILE_SIZE``."""

    code = "file_too_large"
    status = 413

    @classmethod
    def of_limit(cls) -> "FileTooLarge":
        """Return the refusal, with the limit."""
        return cls(f"A file may hold at most {settings.MAX_FILE_SIZE / _MEBIBYTE:g} MiB.")


def keep_upload(*, chunks: Iterable[bytes]) -> str:
    """Write a file that somebody sends below the upload folder, and return its name there.

    :raises FileTooLarge: it holds more than ``MAX_FILE_SIZE``; nothing of it is kept.
    """
    name = f"{_UPLOADS}/{uuid4().hex}"
    path = path_of(name)
    try:
        with _made(path) as file:
            file.writelines(_limited(chunks))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return name


def _limited(chunks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > settings.MAX_FILE_SIZE:
            raise FileTooLarge.of_limit()
        yield chunk


@contextmanager
def writing_result(job: Job, *, suffix: str) -> Iterator[BinaryIO]:
    """Open a job's result to be written; it is the job's once it was written to the end.

    A run after a crash writes it anew.
    """
    name = f"{_RESULTS}/{job.pk}.{suffix}"
    unfinished = path_of(f"{name}.part")
    with _made(unfinished) as file:
        yield file
    unfinished.replace(path_of(name))
    job.result = name


def path_of(name: str) -> Path:
    """Return where a file of a job lies."""
    return Path(settings.UPLOAD_DIR) / name


def result_of(job: Job) -> Path | None:
    """Return the file that a job made; None where it made none, or has it no more."""
    path = path_of(job.result) if job.result else None
    return path if path is not None and path.is_file() else None


def forget_files(*, now: datetime) -> int:
    """Remove the files of jobs that ended ``JOB_FILE_DAYS`` ago, and those that belong to no job; return how many."""
    ended = Job.objects.filter(finished_at__lt=now - timedelta(days=settings.JOB_FILE_DAYS))
    removed = 0
    for job in ended.exclude(Q(upload="") & Q(result="")).only("upload", "result").iterator():
        removed += sum(_removed(path_of(name)) for name in (job.upload, job.result) if name)
        Job.objects.filter(pk=job.pk).update(upload="", result="")
    return removed + _remove_orphans(now)


def _remove_orphans(now: datetime) -> int:
    oldest = (now - _ORPHAN_AGE).timestamp()
    old = {
        f"{folder}/{entry.name}"
        for folder in (_UPLOADS, _RESULTS)
        if path_of(folder).is_dir()
        for entry in path_of(folder).iterdir()
        if entry.stat().st_mtime < oldest
    }
    known = set(Job.objects.filter(upload__in=old).values_list("upload", flat=True))
    known.update(Job.objects.filter(result__in=old).values_list("result", flat=True))
    return sum(_removed(path_of(name)) for name in old - known)


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _made(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be written, readable by the portal alone; on disk when this ends."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
