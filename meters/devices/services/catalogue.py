"""What devices are sorted by and read with: products, mappings of their codes, groups."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction

from accounts.actors import Actor
from accounts.services import audit
from accounts.services.checks import check_fields
from energy_portal.shared.errors import Conflict
from meters.devices.models import DeviceGroup, Product, PropertyMapping
from meters.services.history import save_as

Row = TypeVar("Row", Product, PropertyMapping, DeviceGroup)


class NameTaken(Conflict):
    """Another of its kind is called so."""

    code = "name_taken"


class InUse(Conflict):
    """Devices lean on it."""

    code = "in_use"


def save_product(*, product: Product | None, values: Mapping[str, Any], actor: Actor, now: datetime) -> Product:
    """Enter or change a type of device.

    :param product: None for a new one.
    :raises NameTaken: its id is another's.
    :raises Invalid: a value breaks its field's rule.
    """
    return _save(product or Product(), "product", values, actor, now)


def save_group(*, group: DeviceGroup | None, values: Mapping[str, Any], actor: Actor, now: datetime) -> DeviceGroup:
    """Enter or rename a group of devices.

    :param group: None for a new one.
    :raises NameTaken: another group is called so.
    :raises Invalid: a value breaks its field's rule.
    """
    return _save(group or DeviceGroup(), "device_group", values, actor, now)


def save_mapping(
    *, mapping: PropertyMapping | None, values: Mapping[str, Any], actor: Actor, now: datetime
) -> PropertyMapping:
    """Say what a code means; it holds for what comes in from the next seconds on.

    :param mapping: None for a new one.
    :raises NameTaken: the product has a mapping of the code.
    :raises Invalid: a value breaks its field's rule.
    """
    return _save(mapping or PropertyMapping(), "property_mapping", values, actor, now)


@transaction.atomic
def remove_mapping(*, mapping: PropertyMapping, actor: Actor, now: datetime) -> None:
    """Let a code mean nothing from the next seconds on; it is counted as unknown then."""
    audit.record(
        action="property_mapping.removed",
        obj=mapping,
        actor=actor,
        now=now,
        code=mapping.code,
        quantity=mapping.quantity,
        factor=mapping.factor,
    )
    audit.sign_history(mapping, actor)
    mapping.delete()


@transaction.atomic
def remove_group(*, group: DeviceGroup, actor: Actor, now: datetime) -> None:
    """Dissolve a group that nothing belongs to.

    :raises InUse: devices or their hours do.
    """
    audit.record(action="device_group.removed", obj=group, actor=actor, now=now, name=group.name)
    try:
        with transaction.atomic():
            group.delete()
    except models.ProtectedError as error:
        raise InUse(f"Devices, or hours of theirs, belong to {group}.") from error


@transaction.atomic
def product_of(*, product_id: str, actor: Actor, now: datetime) -> Product:
    """Return the product of a maker's number, entered if nobody knew it."""
    standing: Product | None = Product.objects.filter(product_id=product_id).first()
    return standing or save_product(product=None, values={"product_id": product_id}, actor=actor, now=now)


@transaction.atomic
def _save(row: Row, kind: str, values: Mapping[str, Any], actor: Actor, now: datetime) -> Row:
    is_new = row._state.adding
    for name, value in values.items():
        setattr(row, name, value)
    check_fields(row)
    try:
        with transaction.atomic():
            save_as(actor, row)
    except IntegrityError as error:
        raise NameTaken(f"Another one is called {row} already.") from error
    verb = "created" if is_new else "changed"
    audit.record(action=f"{kind}.{verb}", obj=row, actor=actor, now=now, fields=sorted(values))
    return row
