"""Regions as somebody may see them."""

from uuid import UUID

from accounts.models import User
from accounts.roles import Role
from energy_portal.shared.errors import NotFound
from meters.models import Region, RegionManager


class NoSuchRegion(NotFound):
    """There is no such region, or not for the one who asks."""

    code = "no_such_region"


def region_for(*, region_id: UUID, user: User) -> Region:
    """Return a region that somebody may see, with its counts.

    :raises NoSuchRegion: none, or not theirs.
    """
    found: Region | None = Region.objects.visible_to(user).with_counts().filter(pk=region_id).first()
    if found is None:
        raise NoSuchRegion("There is no such region.")
    return found


def shapes_regions(user: User) -> bool:
    """Tell whether somebody may draw regions: admins, and managers who look after all of them."""
    if not user.is_active:
        return False
    if user.role == Role.MANAGER:
        return not RegionManager.objects.filter(user=user).exists()
    return user.role == Role.ADMIN
