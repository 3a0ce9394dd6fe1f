"""Alarms of devices that follow from no value: from silence, and from a device that is gone."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from django.db.models import Q

from meters.devices.models import Device, DeviceState
from meters.models import Alarm
from meters.models.alarms import SubjectKind
from meters.services.alarms import check_silence, clear_alarm, shortest_silence, silent_subjects

_AT_ONCE = 5_000
_MOST_ENDED = 1_000

_LastHeard = tuple[object, ...]


def watch_silence(*, now: datetime) -> int:
    """Have the rules of silence judge who has not been heard for long, and who was silent and is heard again.

    Costs one scan of the states where a rule of silence is switched on, and nothing where none is.

    :returns: how many alarms were raised or cleared.
    """
    shortest = shortest_silence(SubjectKind.DEVICE)
    if shortest is None:
        return 0
    known = silent_subjects(SubjectKind.DEVICE)
    concerned = Q(heard_at__lte=now - shortest) | Q(device__device_id__in=known)
    last_heard, changed = _last_heard(concerned), 0
    while some := list(islice(last_heard, _AT_ONCE)):
        changed += check_silence(subject_kind=SubjectKind.DEVICE, last_heard=some, now=now)
    return changed


def end_alarms_of_retired(*, now: datetime) -> int:
    """Clear what is open of devices that were taken out of service; returns how many alarms."""
    open_alarms = Alarm.objects.open().filter(subject_kind=SubjectKind.DEVICE)
    gone = Device.objects.filter(status=Device.Status.RETIRED)
    found = open_alarms.filter(subject__in=gone.values("device_id")).values_list("subject", "kind")
    return sum(
        clear_alarm(subject_kind=SubjectKind.DEVICE, subject=subject, kind=kind, now=now)
        for subject, kind in found[:_MOST_ENDED]
    )


def _last_heard(concerned: Q) -> Iterator[_LastHeard]:
    rows = DeviceState.objects.filter(concerned, device__status=Device.Status.ACTIVE, heard_at__isnull=False)
    names = ("device__device_id", "device__name", "heard_at", "device__account_id", "device__region_id")
    for device_id, name, heard_at, account_id, region_id in rows.values_list(*names).iterator(chunk_size=_AT_ONCE):
        yield device_id, name or device_id, heard_at, account_id, region_id
