"""Alarms of batteries: from their newest values every few seconds, from their last minutes every minute, from silence.

Only what is heard live is looked at: a file moves no ``heard_at``, and what is older than ``FRESH`` is history, whoever
tells it. So the past raises no alarm.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction
from django.db.models import F, Q

from meters.batteries.checks import WINDOW_US, Finding, Nameplate, Newest, Rows, glance, ponder
from meters.batteries.models import Battery, BatteryLook, BatteryState
from meters.batteries.quantities import COLUMNS, SIGNALS, System
from meters.batteries.store import watching as store
from meters.models import Alarm
from meters.models.alarms import SubjectKind
from meters.series.columns import EPOCH, micros_of
from meters.services.alarms import (
    Observation,
    check_silence,
    clear_alarm,
    observe,
    shortest_silence,
    silent_subjects,
)

FRESH = timedelta(microseconds=WINDOW_US)
PONDER_EVERY = timedelta(minutes=1)
MOST_LOOKED_AT = 5_000
# A twelfth of five thousand: of so many each is pondered once a minute by looks every five seconds.
MOST_PONDERED = 420
_MOST_ENDED = 1_000
_DECIMALS = 4
_MICROSECOND = timedelta(microseconds=1)
_COLUMN_OF = {system: {signal.name: signal.column for signal in SIGNALS[system]} for system in System}
_NOTHING = {
    system: Rows(np.zeros(0, np.int64), {column: np.zeros(0) for column in COLUMNS[system]}) for system in System
}


@transaction.atomic
def watch_batteries(*, now: datetime) -> int:
    """Look at the batteries that were heard since they were looked at; return how many alarms came or went.

    Newest values are judged at every look; the last minutes of those that were not pondered for ``PONDER_EVERY``, the
    longest waiting first. One process at a time, the others do nothing; what was looked at is noted with the alarms, so
    that a look that dies is done again. A constant number of queries.
    """
    if not store.take_turn():
        return 0
    moved = Q(battery__look=None) | Q(battery__look__heard_at__lt=F("heard_at"))
    states = list(
        BatteryState.objects.filter(moved, heard_at__isnull=False, battery__status=Battery.Status.ACTIVE)
        .select_related("battery__look")
        .order_by("heard_at")[:MOST_LOOKED_AT]
    )
    due = _due(states, now)
    observations = [*_glance(states, due, now), *_ponder(due, now)]
    changed = observe(subject_kind=SubjectKind.BATTERY, observations=observations, now=now)
    BatteryLook.objects.bulk_create(
        [_look(state, state.heard_at, now if state in due else None) for state in states if state.heard_at],
        update_conflicts=True,
        unique_fields=("battery",),
        update_fields=("heard_at", "pondered_at"),
    )
    return changed


def watch_silence(*, now: datetime) -> int:
    """Have the rules of silence judge which batteries were not heard for long, and which are heard again.

    Batteries that only files tell of were never heard, and are not silent.

    :returns: how many alarms were raised or cleared.
    """
    shortest = shortest_silence(SubjectKind.BATTERY)
    if shortest is None:
        return 0
    known = silent_subjects(SubjectKind.BATTERY)
    concerned = BatteryState.objects.filter(
        Q(heard_at__lte=now - shortest) | Q(battery__battery_id__in=known),
        heard_at__isnull=False,
        battery__status=Battery.Status.ACTIVE,
    )
    last_heard = [
        (
            state.battery.battery_id,
            str(state.battery),
            state.heard_at,
            state.battery.account_id,
            state.battery.region_id,
        )
        for state in concerned.select_related("battery")
    ]
    return check_silence(subject_kind=SubjectKind.BATTERY, last_heard=last_heard, now=now)


def end_alarms_of_retired(*, now: datetime) -> int:
    """Clear what is open of batteries that were taken out of service; returns how many alarms."""
    gone = Battery.objects.filter(status=Battery.Status.RETIRED).values("battery_id")
    found = Alarm.objects.open().filter(subject_kind=SubjectKind.BATTERY, subject__in=gone)
    return sum(
        clear_alarm(subject_kind=SubjectKind.BATTERY, subject=subject, kind=kind, now=now)
        for subject, kind in found.values_list("subject", "kind")[:_MOST_ENDED]
    )


def _due(states: Sequence[BatteryState], now: datetime) -> set[BatteryState]:
    """Return whose last minutes are to be looked at."""
    waiting = [
        (pondered_at or EPOCH, state.pk, state)
        for state in states
        if (pondered_at := _pondered_at(state)) is None or pondered_at <= now - PONDER_EVERY
    ]
    return {state for _, _, state in sorted(waiting, key=lambda each: each[:2])[:MOST_PONDERED]}


def _look(state: BatteryState, heard_at: datetime, pondered_at: datetime | None) -> BatteryLook:
    return BatteryLook(battery_id=state.pk, heard_at=heard_at, pondered_at=pondered_at or _pondered_at(state))


def _pondered_at(state: BatteryState) -> datetime | None:
    look: BatteryLook | None = getattr(state.battery, "look", None)
    return None if look is None else look.pondered_at


def _glance(states: Sequence[BatteryState], due: set[BatteryState], now: datetime) -> Iterator[Observation]:
    for state in states:
        if state not in due:
            bms, pcs = (_newest(state, system, now) for system in System)
            yield from _observed(state.battery, glance(bms, pcs, nameplate_of(state.battery)))


def _ponder(due: set[BatteryState], now: datetime) -> Iterator[Observation]:
    """Yield what the last minutes tell of batteries; a system that was not heard lately tells nothing."""
    rows = {system: _last_minutes(due, system, now) for system in System}
    for state in due:
        bms, pcs = (rows[system].get(state.pk, _NOTHING[system]) for system in System)
        yield from _observed(state.battery, ponder(bms, pcs, nameplate_of(state.battery)))


def _last_minutes(due: set[BatteryState], system: System, now: datetime) -> dict[int, Rows]:
    told = {state.pk: at for state in due if (at := _told_at(state, system, now)) is not None}
    return store.last_minutes(system, [(pk, micros_of(at)) for pk, at in told.items()]) if told else {}


def _newest(state: BatteryState, system: System, now: datetime) -> Newest | None:
    at = _told_at(state, system, now)
    if at is None:
        return None
    values = getattr(state, system).items()
    columns = _COLUMN_OF[system]
    return Newest(micros_of(at), {columns[name]: value for name, value in values})


def _told_at(state: BatteryState, system: System, now: datetime) -> datetime | None:
    at: datetime | None = getattr(state, f"{system}_at")
    return at if at is not None and at > now - FRESH else None


def nameplate_of(battery: Battery) -> Nameplate:
    """Return what checks have to know of a battery."""
    return Nameplate(
        cells_in_series=battery.cells_in_series,
        capacity_ah=battery.capacity_ah,
        rated_power_kw=battery.rated_power_kw,
        current_limit_a=battery.current_limit_a,
        soc=(battery.soc_low_percent, battery.soc_high_percent),
        cell_voltage=(battery.cell_voltage_low_v, battery.cell_voltage_high_v),
        cell_temp=(battery.cell_temp_low_c, battery.cell_temp_high_c),
        igbt_temp_high_c=battery.igbt_temp_high_c,
    )


def _observed(battery: Battery, findings: Iterator[Finding]) -> Iterator[Observation]:
    for quantity, value, at in findings:
        yield Observation(
            subject=battery.battery_id,
            label=str(battery),
            quantity=quantity,
            value=None if value is None else round(value, _DECIMALS),
            at=EPOCH + at * _MICROSECOND,
            account_id=battery.account_id,
            region_id=battery.region_id,
        )
