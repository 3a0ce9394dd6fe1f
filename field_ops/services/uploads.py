"""Photos on their way: in pieces of any size, in any connection, until all of one lies here; then it is looked at.

Of each upload a file holds the pieces and a row says how many bytes of it count. The file is written first, so after a
crash it is longer than the row says, never shorter, and what is too much is cut off by the next piece.
"""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction

from accounts.actors import Actor
from accounts.models import User
from accounts.services import audit
from energy_portal.shared.errors import Conflict, Forbidden, Invalid, NotFound
from field_ops.models import Photo, PhotoUpload, Submission
from field_ops.photos import PhotoRefused, Picture, read_photo
from field_ops.selectors.submissions import NoSuchSubmission
from field_ops.services import assignments, files, photos, reviewing
from meters.services.uploads import FileTooLarge

LARGEST_PIECE_BYTES = 2 * 1024 * 1024
_ABANDONED_AFTER = timedelta(days=7)


class NotYours(Forbidden):
    """Only who brought a submission sends its photo."""

    code = "not_your_submission"


class NoPhotoExpected(Conflict):
    """The submission came without a photo, or is decided on already."""

    code = "no_photo_expected"


class PhotoThere(Conflict):
    """The submission has another photo already."""

    code = "photo_already_there"


class NoUpload(NotFound):
    """No photo of the submission is on its way: it has to be begun."""

    code = "no_upload"


class WrongOffset(Conflict):
    """A piece does not follow what is here; ``received`` says where the next one begins."""

    code = "wrong_offset"


class BadPiece(Invalid):
    """A piece is too large, or goes beyond the end that was stated."""

    code = "bad_piece"


def begin(*, submission_id: UUID, size_bytes: int, sha256: str, user: User, now: datetime) -> PhotoUpload:
    """Begin to send a photo, or go on with it; another one takes the place of what is on its way.

    :param sha256: of the whole photo, in hexadecimal.
    :raises NoSuchSubmission: there is none, or not for them.
    :raises NotYours: somebody else brought it.
    :raises FileTooLarge: it is larger than ``MAX_FILE_SIZE``.
    :raises NoPhotoExpected: the submission needs none.
    :raises PhotoThere: it has another one.
    :raises PhotoRefused: all of it was here already, and is no photo.
    """
    _require_own(submission_id, user)
    if size_bytes > settings.MAX_FILE_SIZE:
        raise FileTooLarge.of_limit()
    upload = _begun(submission_id, size_bytes, sha256.lower(), now)
    return _finished(upload, user=user, now=now)


def add_piece(*, submission_id: UUID, offset: int, piece: bytes, user: User, now: datetime) -> PhotoUpload:
    """Take a piece of a photo in; with the last one the photo is decoded and stored, and its submission goes to review.

    What is here already is not written again. A photo that is refused is forgotten, so that another one can be sent.

    :raises NoSuchSubmission: there is none, or not for them.
    :raises NotYours: somebody else brought it.
    :raises NoUpload: nothing was begun, or it was refused or forgotten since.
    :raises WrongOffset: bytes before it are missing.
    :raises BadPiece: too large, or beyond the end.
    :raises PhotoRefused: it is whole, and no photo that the portal takes.
    """
    _require_own(submission_id, user)
    if len(piece) > LARGEST_PIECE_BYTES:
        raise BadPiece(f"A piece may have {LARGEST_PIECE_BYTES} bytes at most.")
    upload = _appended(submission_id, offset, piece, now)
    return _finished(upload, user=user, now=now)


def upload_of(*, submission_id: UUID, user: User) -> PhotoUpload:
    """Return how much of a photo is here.

    :raises NoSuchSubmission: there is none, or not for them.
    :raises NotYours: somebody else brought it.
    :raises NoUpload: nothing was begun.
    """
    _require_own(submission_id, user)
    upload = PhotoUpload.objects.filter(pk=submission_id).first()
    if upload is not None:
        upload.received_bytes = _held(upload)
        return upload
    if (stored := _stored(submission_id)) is not None:
        return stored
    raise NoUpload("No photo of this submission is on its way.")


def forget_uploads(*, now: datetime) -> int:
    """Forget uploads that nobody went on with for a week, and pieces that belong to none; return how many."""
    forgotten, _ = PhotoUpload.objects.filter(touched_at__lt=now - _ABANDONED_AFTER).delete()
    known = set(map(str, PhotoUpload.objects.values_list("pk", flat=True)))
    for path in files.old_files(_folder(), now=now):
        if path.name not in known:
            path.unlink(missing_ok=True)
    return forgotten


def _require_own(submission_id: UUID, user: User) -> None:
    found = Submission.objects.visible_to(user).filter(pk=submission_id).values_list("agent__user_id", flat=True)
    owner = found.first()
    if owner is None:
        raise NoSuchSubmission("There is no such submission.")
    if owner != user.pk:
        raise NotYours("Only who brought a submission sends its photo.")


@transaction.atomic
def _begun(submission_id: UUID, size_bytes: int, sha256: str, now: datetime) -> PhotoUpload:
    submission = Submission.objects.select_for_update().get(pk=submission_id)
    if (stored := _stored(submission_id)) is not None:
        if stored.sha256 != sha256:
            raise PhotoThere("The submission has another photo already.")
        return stored
    _require_receiving(submission)
    upload = PhotoUpload.objects.select_for_update().filter(pk=submission_id).first()
    if upload is not None and (upload.size_bytes, upload.sha256) == (size_bytes, sha256):
        upload.received_bytes = _held(upload)
        return upload
    upload = PhotoUpload(submission=submission, size_bytes=size_bytes, sha256=sha256, started_at=now, touched_at=now)
    upload.save()
    return upload


@transaction.atomic
def _appended(submission_id: UUID, offset: int, piece: bytes, now: datetime) -> PhotoUpload:
    upload = PhotoUpload.objects.select_for_update().filter(pk=submission_id).first()
    if upload is None:
        if (stored := _stored(submission_id)) is not None:
            return stored
        raise NoUpload("No photo of this submission is on its way.")
    upload.received_bytes = received = _held(upload)
    end = offset + len(piece)
    if end > upload.size_bytes:
        raise BadPiece(f"The piece goes beyond the {upload.size_bytes} bytes that were stated.")
    if offset > received:
        raise WrongOffset(f"The next piece begins at byte {received}.", extra={"received": received})
    if end > received:
        files.write_at(_path_of(submission_id), received, piece[received - offset :])
        upload.received_bytes, upload.touched_at = end, now
        upload.save(update_fields=("received_bytes", "touched_at"))
    return upload


def _finished(upload: PhotoUpload, *, user: User, now: datetime) -> PhotoUpload:
    """Look at a photo that is whole, and store it; one that is not whole is left alone.

    It is decoded outside of any transaction, which would be open for a second or more. Of several senders of the last
    piece one stores it, and all are told that it is here.
    """
    if upload.received_bytes < upload.size_bytes or _is_stored(upload):
        return upload
    try:
        with photos.keeping(_looked_at(upload), submission_id=upload.pk, now=now) as photo:
            _store(photo, user=user, now=now)
    except (PhotoRefused, NoUpload) as error:
        if _is_stored(upload):
            return upload
        if isinstance(error, PhotoRefused):
            _forget_refused(upload, error, user=user, now=now)
        raise
    _path_of(upload.pk).unlink(missing_ok=True)
    return upload


def _looked_at(upload: PhotoUpload) -> Picture:
    if not connection.in_atomic_block:
        # Others need it while this one waits for its turn.
        connection.close()
    return read_photo(
        _path_of(upload.pk),
        largest_bytes=settings.MAX_FILE_SIZE,
        zone=ZoneInfo(settings.SITE_ZONE),
        sha256=upload.sha256,
    )


@transaction.atomic
def _store(photo: Photo, *, user: User, now: datetime) -> None:
    """Save a photo's row and bring its submission to review.

    :raises NoUpload: it was stored already, or another photo has taken its place.
    """
    number = photo.submission_id
    assignments.lock_work(Submission.objects.values_list("assignment_id", flat=True).get(pk=number))
    submission = Submission.objects.select_for_update().get(pk=number)
    upload = PhotoUpload.objects.select_for_update().filter(pk=number, sha256=photo.sha256)
    if not upload.exists():
        raise NoUpload("Another photo has taken its place.")
    _require_receiving(submission)
    photo.save(force_insert=True)
    upload.delete()
    audit.record(
        action="photo.stored", obj=photo, actor=Actor(user=user), now=now, submission=number, sha256=photo.sha256
    )
    reviewing.open_request(submission=submission, now=now)


@transaction.atomic
def _forget_refused(upload: PhotoUpload, refusal: PhotoRefused, *, user: User, now: datetime) -> None:
    """Forget an upload, unless another photo has taken its place meanwhile."""
    same = PhotoUpload.objects.select_for_update().filter(
        pk=upload.pk, sha256=upload.sha256, received_bytes=upload.size_bytes
    )
    if not same.exists():
        return
    audit.record(
        action="photo.refused",
        obj=upload.submission,
        actor=Actor(user=user),
        now=now,
        code=refusal.code,
        sha256=upload.sha256,
    )
    same.delete()
    _path_of(upload.pk).unlink(missing_ok=True)


def _require_receiving(submission: Submission) -> None:
    if submission.status != Submission.Status.RECEIVING:
        raise NoPhotoExpected("The submission does not wait for a photo.")


def _stored(submission_id: UUID) -> PhotoUpload | None:
    """Return what a photo that is stored was as an upload; None where none is."""
    photo = Photo.objects.filter(submission_id=submission_id).first()
    if photo is None:
        return None
    return PhotoUpload(
        submission_id=submission_id,
        size_bytes=photo.sent_bytes,
        received_bytes=photo.sent_bytes,
        sha256=photo.sha256,
        started_at=photo.created_at,
        touched_at=photo.created_at,
    )


def _is_stored(upload: PhotoUpload) -> bool:
    return Photo.objects.filter(submission_id=upload.pk, sha256=upload.sha256).exists()


def _held(upload: PhotoUpload) -> int:
    """Return how many bytes of an upload count: none that its file has lost, as by a restore without it."""
    path = _path_of(upload.pk)
    return min(upload.received_bytes, path.stat().st_size if path.is_file() else 0)


def _path_of(submission_id: UUID) -> Path:
    return _folder() / str(submission_id)


def _folder() -> Path:
    return Path(settings.UPLOAD_DIR) / "pieces"
