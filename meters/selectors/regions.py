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


def is_bound_to_regions(user: User) -> bool:
    """Tell whether somebody is a manager who looks after some regions, not all."""
    return user.role == Role.MANAGER and RegionManager.objects.filter(user=user).exists()
