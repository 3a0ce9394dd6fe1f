"""Regions: circles on the map that people are responsible for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.services import audit
from accounts.services.checks import check_fields
from energy_portal.shared.errors import Conflict
from meters.models import Region


class RegionExists(Conflict):
    """Another region is called so."""

    code = "region_exists"


@transaction.atomic
def save_region(*, region: Region | None, values: Mapping[str, Any], actor: Actor, now: datetime) -> Region:
    """Enter or change a region.

    :param region: None for a new one.
    :raises RegionExists: another is called so.
    :raises Invalid: a value breaks its field's rule.
    """
    verb = "changed" if region else "created"
    saved = region or Region()
    for name, value in values.items():
        setattr(saved, name, value)
    check_fields(saved)
    try:
        with transaction.atomic():
            saved.save()
    except IntegrityError as error:
        raise RegionExists(f"A region is called {saved.name} already.") from error
    audit.record(action=f"region.{verb}", obj=saved, actor=actor, now=now, fields=sorted(values))
    return saved
