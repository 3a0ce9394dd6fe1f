"""Photos of submissions: who may see which, and where it lies."""

from pathlib import Path
from uuid import UUID

from django.conf import settings

from accounts.models import User
from energy_portal.shared.errors import NotFound
from field_ops.models import Photo


class NoSuchPhoto(NotFound):
    """There is no such photo, or not for the one who asks."""

    code = "no_such_photo"


def photo_for(*, submission_id: UUID, user: User) -> Photo:
    """Return the photo of a submission that somebody may see.

    :raises NoSuchPhoto: there is none, or not for them.
    """
    photo: Photo | None = Photo.objects.visible_to(user).filter(submission_id=submission_id).first()
    if photo is None:
        raise NoSuchPhoto("There is no such photo.")
    return photo


def path_of(photo: Photo) -> Path:
    """Return where a photo lies."""
    return folder_of_photos() / photo.name


def thumbnail_path_of(photo: Photo) -> Path:
    """Return where the small picture of a photo lies."""
    return folder_of_photos() / photo.thumbnail


def folder_of_photos() -> Path:
    """Return the folder that all photos lie under; nothing there is reached but by these rows."""
    return Path(settings.UPLOAD_DIR) / "photos"
