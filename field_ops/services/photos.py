"""Photos on disk: written before their row is committed, so that a row never stands without its files."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid4

from django.db.models import Q

from energy_portal.shared.errors import DomainError
from field_ops.models import Photo
from field_ops.photos import Picture
from field_ops.selectors.photos import folder_of_photos, path_of, thumbnail_path_of
from field_ops.services import files

_AT_ONCE = 1_000


@contextmanager
def keeping(picture: Picture, *, submission_id: UUID, now: datetime) -> Iterator[Photo]:
    """Write a picture's files and yield its row, to be saved in the caller's transaction.

    The files go again when the block refuses. Whatever else happens may have happened after the commit: then they stay,
    and :func:`sweep` finds them if no row came of it.
    """
    number = uuid4()
    stem = f"{now:%Y/%m}/{number}"
    photo = Photo(
        id=number,
        submission_id=submission_id,
        name=f"{stem}.jpg",
        thumbnail=f"{stem}.thumb.jpg",
        width=picture.width,
        height=picture.height,
        stored_bytes=len(picture.jpeg),
        sent_format=picture.sent_format,
        sent_bytes=picture.sent_bytes,
        sha256=picture.sha256,
        perceptual_hash=picture.perceptual_hash,
        hash_bands=list(picture.bands),
        taken_at=picture.notes.taken_at,
        taken_latitude=picture.notes.latitude,
        taken_longitude=picture.notes.longitude,
        camera=picture.notes.camera,
        created_at=now,
    )
    try:
        files.write_new(path_of(photo), picture.jpeg)
        files.write_new(thumbnail_path_of(photo), picture.thumbnail)
        yield photo
    except DomainError:
        path_of(photo).unlink(missing_ok=True)
        thumbnail_path_of(photo).unlink(missing_ok=True)
        raise


def sweep(*, now: datetime) -> int:
    """Remove the files of photos that belong to no row, a day after they were written; return how many."""
    removed = 0
    old = files.old_files(folder_of_photos(), now=now)
    while some := list(islice(old, _AT_ONCE)):
        for path in _orphans(some):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _orphans(paths: Iterable[Path]) -> list[Path]:
    by_name = {path.relative_to(folder_of_photos()).as_posix(): path for path in paths}
    rows = Photo.objects.filter(Q(name__in=by_name) | Q(thumbnail__in=by_name)).values_list("name", "thumbnail")
    known = {name for row in rows for name in row}
    return [path for name, path in by_name.items() if name not in known]
