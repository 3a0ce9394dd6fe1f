"""Batteries as people and machines look at them."""

from django.db.models import QuerySet

from accounts.models import User
from energy_portal.shared.errors import NotFound
from meters.batteries.models import Battery


class UnknownBattery(NotFound):
    """There is no such battery, or not for the one who asks."""


def batteries_for(*, user: User | None) -> QuerySet[Battery]:
    """Return the batteries that somebody may see, with what they told last; all of them for machines.

    :param user: None for a data source.
    """
    batteries = Battery.objects.all() if user is None else Battery.objects.visible_to(user)
    return batteries.select_related("account", "region", "convention", "state")


def battery_for(*, battery_id: str, user: User | None) -> Battery:
    """Return a battery that somebody may see, by its name for itself.

    :raises UnknownBattery: there is none, or not for them.
    """
    battery = batteries_for(user=user).filter(battery_id=battery_id).first()
    if battery is None:
        raise UnknownBattery("There is no such battery.")
    return battery
