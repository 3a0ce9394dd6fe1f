"""What hangs behind a device: said by people, and what is usual of it learnt from its healthy days."""

from datetime import datetime, timedelta

from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict, Invalid
from meters.devices.models import Device
from meters.devices.selectors.commands import device_for, may_command
from meters.devices.services.commands import NotAdministrator
from meters.insights.appliances import Learnt, Power, learn
from meters.insights.appliances.kinds import Nature, bounds_of
from meters.insights.models import Appliance, Fault
from meters.insights.selectors.appliances import instant, power_of
from meters.insights.services.closing import close_faults

_DAY = timedelta(days=1)
# What runs by itself shows all it does in a week; what people start takes longer.
_LESSON_DAYS = {Nature.COOLING: 7, Nature.UNKNOWN: 7}
_LESSON_DAYS_OF_USES = 28
_NOTHING_YET = "Nothing is known of it yet."


class UnknownKind(Invalid):
    """Nothing is known of appliances of that kind."""

    code = "unknown_appliance"


class RetiredDevice(Conflict):
    """It is out of service."""

    code = "retired_device"


@transaction.atomic
def set_appliance(*, device_id: str, kind: str, actor: Actor, now: datetime) -> Appliance:
    """Say what hangs behind a device; another kind than before is learnt anew, and what was wrong is over.

    :raises UnknownDevice: there is no such device, or not for the one who says so.
    :raises NotAdministrator: they may see it only.
    :raises RetiredDevice: it is out of service.
    :raises UnknownKind: there is no such kind.
    """
    if kind not in Appliance.Kind.values:
        raise UnknownKind(f"One of {', '.join(Appliance.Kind.values)}.")
    device = _lock_device(device_id, actor, now)
    if device.status == Device.Status.RETIRED:
        raise RetiredDevice("It is out of service.")
    found: Appliance | None = Appliance.objects.select_for_update().filter(device=device).first()
    if found is not None and found.kind == kind and found.standing != Appliance.Standing.REMOVED:
        return found
    before = found.kind if found else ""
    if found is not None:
        close_faults(found, now=now)
    appliance = found or Appliance(device=device)
    appliance.kind = kind
    _forget(appliance)
    appliance.save()
    audit.record(action="appliance.set", obj=device, actor=actor, now=now, before=before, kind=kind)
    return appliance


@transaction.atomic
def remove_appliance(*, device_id: str, actor: Actor, now: datetime) -> None:
    """Watch a device's appliance no longer; what was found of it stays, and is over.

    :raises UnknownDevice: there is no such device, or not for the one who says so.
    :raises NotAdministrator: they may see it only.
    """
    device = _lock_device(device_id, actor, now)
    found: Appliance | None = Appliance.objects.select_for_update().filter(device=device).first()
    if found is None or found.standing == Appliance.Standing.REMOVED:
        return
    close_faults(found, now=now)
    found.standing, found.standing_text = Appliance.Standing.REMOVED, ""
    found.save(update_fields=("standing", "standing_text", "updated_at"))
    audit.record(action="appliance.removed", obj=device, actor=actor, now=now, kind=found.kind)


@transaction.atomic
def learn_anew(*, device_id: str, actor: Actor, now: datetime) -> Appliance | None:
    """Forget what was usual of an appliance, as after a repair: days from now on teach it. None where there is none.

    :raises UnknownDevice: there is no such device, or not for the one who says so.
    :raises NotAdministrator: they may see it only.
    """
    device = _lock_device(device_id, actor, now)
    found: Appliance | None = Appliance.objects.select_for_update().filter(device=device).first()
    if found is None or found.standing == Appliance.Standing.REMOVED:
        return None
    close_faults(found, now=now)
    _forget(found)
    found.taught_from = now
    found.save()
    audit.record(action="appliance.learnt_anew", obj=device, actor=actor, now=now, kind=found.kind)
    return found


def lesson_of(appliance: Appliance, *, now: datetime) -> Learnt | None:
    """Return what the days before now teach of an appliance; None where it is not due, or all is learnt.

    Days in which something was wrong teach nothing. Once enough days are known nothing more is learnt: what changes
    slowly would become usual.
    """
    known = Learnt.from_json(appliance.baseline)
    if appliance.learnt_until is not None and appliance.learnt_until > now - _DAY:
        return None
    most = timedelta(days=_LESSON_DAYS.get(bounds_of(appliance.kind).nature, _LESSON_DAYS_OF_USES))
    since = max(now - most, appliance.taught_from) if appliance.taught_from else now - most
    is_whole = known.since is not None and instant(known.since) <= now - most
    if known.is_enough and (is_whole or known.hours >= most / timedelta(hours=1.2)):
        return None
    lesson = learn(appliance.kind, _healthy(appliance, power_of(device=appliance.device, start=since, end=now), now))
    is_better = lesson.is_enough and lesson.hours >= known.hours
    return lesson if is_better or not known.is_enough else known


def _healthy(appliance: Appliance, power: Power, now: datetime) -> list[Power]:
    """Return the stretches of days in which nothing was wrong, joined where they follow each other."""
    wrong = [
        (began.timestamp(), (closed or now).timestamp())
        for began, closed in Fault.objects.filter(appliance=appliance).values_list("began_at", "closed_at")
    ]
    stretches: list[tuple[float, float]] = []
    begin = power.start
    while begin < power.end:
        end = min(begin + _DAY.total_seconds(), power.end)
        if not any(since < end and until > begin for since, until in wrong):
            follows = stretches and stretches[-1][1] == begin
            stretches = [*stretches[:-1], (stretches[-1][0], end)] if follows else [*stretches, (begin, end)]
        begin = end
    return [power.cut(begin, end) for begin, end in stretches]


def _forget(appliance: Appliance) -> None:
    appliance.standing, appliance.standing_text = Appliance.Standing.LEARNING, _NOTHING_YET
    appliance.baseline, appliance.judged, appliance.not_judged = {}, [], {}
    appliance.learnt_until = appliance.diagnosed_until = None


def _lock_device(device_id: str, actor: Actor, now: datetime) -> Device:
    device = device_for(device_id=device_id, actor=actor)
    if not may_command(device=device, actor=actor, now=now):
        raise NotAdministrator("Saying what hangs behind a device takes the right to administer its account.")
    locked: Device = Device.objects.select_for_update().get(pk=device.pk)
    return locked
