"""Regions: circles on the map that people are responsible for, and the meters that lie in each.

Whoever writes where a meter lies holds the regions first, before any other lock; whoever writes a region takes them.
So a meter's region is true whichever comes first, and neither waits for the other's rows.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from accounts.actors import Actor
from accounts.models import User
from accounts.roles import Role
from accounts.services import audit
from accounts.services.checks import check_fields
from energy_portal.shared.errors import Conflict, Forbidden, Invalid
from energy_portal.shared.geo import Circle, Spot, boxes_around, nearest_holders
from meters.models import Meter, Region, RegionManager
from meters.querysets import in_boxes
from meters.selectors.regions import NoSuchRegion, is_bound_to_regions
from meters.store import places

_METERS_AT_ONCE = 2_000
_WHERE = frozenset({"latitude", "longitude", "radius_m", "status"})


class RegionExists(Conflict):
    """Another region is called so."""

    code = "region_exists"


class NotForManagersOfRegions(Forbidden):
    """Whoever looks after some regions cannot draw them: they would decide what they look after."""

    code = "regions_not_yours_to_draw"


class NotAManager(Invalid):
    """Somebody who is to look after a region is no manager."""

    code = "not_a_manager"


class _Placed(NamedTuple):
    """A meter, where it lies and the region it is in."""

    pk: UUID
    serial: str
    latitude: float | None
    longitude: float | None
    region_id: UUID | None


@transaction.atomic
def save_region(*, region: Region | None, values: Mapping[str, Any], actor: Actor, now: datetime) -> Region:
    """Enter or change a region, and put the meters that it gains or loses where they belong.

    :param region: None for a new one.
    :param values: by name: name, description, latitude, longitude, radius_m, status.
    :raises NoSuchRegion: it is gone.
    :raises NotForManagersOfRegions: a manager of some regions draws none.
    :raises RegionExists: another is called so.
    :raises Invalid: a value breaks its field's rule.
    """
    if actor.user is not None and is_bound_to_regions(actor.user):
        raise NotForManagersOfRegions("Regions are drawn by those who look after all of them.")
    places.take_regions()
    verb = "changed" if region else "created"
    saved = _locked(region.pk) if region else Region()
    for name, value in values.items():
        setattr(saved, name, value)
    check_fields(saved)
    try:
        with transaction.atomic():
            saved.save()
    except IntegrityError as error:
        raise RegionExists(f"A region is called {saved.name} already.") from error
    moved = _place(_chunks(_touched_by(saved))) if values.keys() & _WHERE else 0
    audit.record(action=f"region.{verb}", obj=saved, actor=actor, now=now, fields=sorted(values), meters_moved=moved)
    return saved


@transaction.atomic
def place_meters(meter_ids: Collection[UUID]) -> int:
    """Put meters into the regions where they lie, after their coordinates were written; return how many moved.

    Of the active regions that hold a meter the one with the nearest centre counts. To be called in the transaction
    that wrote the coordinates, which began with :func:`hold_regions`.
    """
    places.hold_regions()
    return _place(_locked_chunks(meter_ids))


@transaction.atomic
def set_managers(*, region_id: UUID, user_ids: Collection[UUID], actor: Actor, now: datetime) -> list[User]:
    """Say who looks after a region, and nobody else does; return them by name.

    :raises NoSuchRegion: there is no such region.
    :raises NotForManagersOfRegions: it is for admins.
    :raises NotAManager: one of them is no manager.
    """
    if actor.user is not None and actor.user.role != Role.ADMIN:
        raise NotForManagersOfRegions("Admins say who looks after a region.")
    region = _locked(region_id)
    wanted = set(user_ids)
    users = list(User.objects.filter(pk__in=wanted, role=Role.MANAGER).order_by("name", "pk"))
    if len(users) != len(wanted):
        raise NotAManager("Only managers look after regions.")
    before = set(region.managers.values_list("user_id", flat=True))
    if before != wanted:
        region.managers.exclude(user__in=wanted).delete()
        RegionManager.objects.bulk_create(RegionManager(region=region, user_id=key) for key in sorted(wanted - before))
        audit.record(
            action="region.managers_set", obj=region, actor=actor, now=now, before=sorted(before), after=sorted(wanted)
        )
    return users


def hold_regions() -> None:
    """Keep regions as they are until the transaction ends, so that meters can be written and placed."""
    places.hold_regions()


def _locked(region_id: UUID) -> Region:
    region: Region | None = Region.objects.select_for_update().filter(pk=region_id).first()
    if region is None:
        raise NoSuchRegion("There is no such region.")
    return region


def _touched_by(region: Region) -> QuerySet[Meter]:
    """Return the meters that are in a region or may come into it."""
    touched = Q(region=region)
    if region.status == Region.Status.ACTIVE:
        touched |= in_boxes(boxes_around(_circle(region).centre, region.radius_m))
    return Meter.objects.filter(touched)


def _chunks(meters: QuerySet[Meter]) -> Iterator[list[_Placed]]:
    """Read meters by serial, some at a time; what becomes of those read does not move the others."""
    rows = meters.order_by("serial").values_list(*_Placed._fields)
    last = ""
    while chunk := [_Placed(*row) for row in rows.filter(serial__gt=last)[:_METERS_AT_ONCE]]:
        yield chunk
        last = chunk[-1].serial


def _locked_chunks(meter_ids: Collection[UUID]) -> Iterator[list[_Placed]]:
    """Read meters and lock them by serial, as everybody does who locks many."""
    serials = list(Meter.objects.filter(pk__in=meter_ids).order_by("serial").values_list("serial", flat=True))
    for start in range(0, len(serials), _METERS_AT_ONCE):
        some = serials[start : start + _METERS_AT_ONCE]
        rows = Meter.objects.select_for_update(no_key=True).filter(serial__in=some).order_by("serial")
        yield [_Placed(*row) for row in rows.values_list(*_Placed._fields)]


def _place(chunks: Iterator[list[_Placed]]) -> int:
    regions = list(Region.objects.filter(status=Region.Status.ACTIVE).order_by("pk"))
    circles = [_circle(region) for region in regions]
    moved = 0
    for chunk in chunks:
        changes: dict[UUID, UUID | None] = dict.fromkeys(
            meter.pk for meter in chunk if meter.region_id and meter.latitude is None
        )
        lying = [meter for meter in chunk if meter.latitude is not None]
        coordinates = np.array([meter[2:4] for meter in lying], dtype=np.float64).reshape(-1, 2)
        holders = nearest_holders(coordinates[:, 0], coordinates[:, 1], circles)
        for meter, holder in zip(lying, holders, strict=True):
            region_id = None if holder is None else regions[holder].pk
            if region_id != meter.region_id:
                changes[meter.pk] = region_id
        if changes:
            places.move_meters(changes)
            moved += len(changes)
    return moved


def _circle(region: Region) -> Circle:
    return Circle(Spot(region.latitude, region.longitude), region.radius_m)
