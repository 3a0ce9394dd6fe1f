"""Faults of appliances: looked for every hour, open until the rule that found them finds nothing any more.

A fault and its alarm are one thing to people, so an act on either is an act on both. The alarm's row is locked before
the fault's.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict
from meters.insights.appliances import Examination, Finding, Learnt, examine
from meters.insights.models import Appliance, Fault
from meters.insights.selectors.appliances import due_appliances, instant, power_of, watched
from meters.insights.services.appliances import lesson_of
from meters.insights.services.closing import SUBJECT, alarm_kind, close_faults
from meters.insights.services.prices import money_of
from meters.models import Alarm, Binding
from meters.services import alarms

logger = logging.getLogger(__name__)

_LOOKED_BACK = timedelta(days=2)
# What comes back so soon was not over.
_SAME_EPISODE = timedelta(hours=12)
_DAYS_A_MONTH = Decimal(365) / 12
State = Fault.State


class FaultOver(Conflict):
    """It was over before."""

    code = "fault_over"


class FaultTaken(Conflict):
    """Somebody else takes care of it."""

    code = "fault_already_acknowledged"


def diagnose_due(*, now: datetime, limit: int) -> int:
    """Look at the appliances that are due; returns at how many. One that fails keeps no other from being looked at."""
    keys = due_appliances(now=now, limit=limit)
    for key in keys:
        try:
            diagnose_appliance(appliance_id=key, now=now)
        except Exception:
            logger.exception("The appliance of device %s could not be looked at.", key)
    return len(keys)


def diagnose_appliance(*, appliance_id: int, now: datetime) -> list[Fault]:
    """Look at what an appliance drew in the last two days, and open, go on with or end its faults; returns the open.

    Power is read without a lock: where somebody else looked meanwhile, or said that it is another appliance, what was
    seen counts for nothing.
    """
    seen = watched().get(pk=appliance_id)
    lesson = lesson_of(seen, now=now)
    learnt = lesson or Learnt.from_json(seen.baseline)
    start = max(now - _LOOKED_BACK, seen.taught_from) if seen.taught_from else now - _LOOKED_BACK
    power = power_of(device=seen.device, start=start, end=now)
    result = examine(seen.kind, learnt, power, now=now.timestamp())
    with transaction.atomic():
        appliance: Appliance = (
            Appliance.objects.select_for_update(of=("self",)).select_related("device").get(pk=appliance_id)
        )
        marks = ("kind", "standing", "diagnosed_until", "taught_from")
        if any(getattr(appliance, mark) != getattr(seen, mark) for mark in marks):
            return list(Fault.objects.filter(appliance=appliance).open())
        _keep(appliance, lesson, learnt, result, now)
        return _settle(appliance, result, now)


@transaction.atomic
def acknowledge_fault(*, fault_id: UUID, note: str, actor: Actor, now: datetime) -> Fault:
    """Say that somebody takes care of a fault, and so of its alarm; again by the same person it changes nothing.

    :raises Fault.DoesNotExist: there is no such fault.
    :raises FaultOver: it was over before.
    :raises FaultTaken: somebody else takes care of it.
    """
    alarm = Fault.objects.select_related("alarm").get(pk=fault_id).alarm
    if alarm is not None and alarm.state != Alarm.State.CLEARED:
        try:
            alarms.acknowledge(alarm_id=alarm.pk, note=note, actor=actor, now=now)
        except alarms.AlreadyAcknowledged as taken:
            # Who it is, customers are not told.
            raise FaultTaken("Somebody takes care of it already.") from taken
        except alarms.AlarmOver as over:
            raise FaultOver("It is over.") from over
    fault: Fault = Fault.objects.select_for_update().get(pk=fault_id)
    if fault.state == State.CLOSED:
        raise FaultOver("It is over.")
    if alarm is None and fault.state == State.ACKNOWLEDGED and fault.acknowledged_by != actor.user:
        raise FaultTaken("Somebody takes care of it already.")
    if fault.state == State.OPEN:
        fault.state, fault.acknowledged_at, fault.acknowledged_by = State.ACKNOWLEDGED, now, actor.user
        fault.note = note.strip()
        fault.save(update_fields=("state", "acknowledged_at", "acknowledged_by", "note"))
        audit.record(action="fault.acknowledged", obj=fault, actor=actor, now=now, kind=fault.kind, note=fault.note)
    return fault


def follow_alarm(alarm: Alarm) -> None:
    """Do to the fault behind an alarm what was done to the alarm; in its transaction, which records who did it."""
    fault: Fault | None = Fault.objects.select_for_update().filter(alarm=alarm, state=State.OPEN).first()
    if fault is not None and alarm.state == Alarm.State.ACKNOWLEDGED:
        fault.state, fault.note = State.ACKNOWLEDGED, alarm.note
        fault.acknowledged_at, fault.acknowledged_by = alarm.acknowledged_at, alarm.acknowledged_by
        fault.save(update_fields=("state", "note", "acknowledged_at", "acknowledged_by"))


def _keep(appliance: Appliance, lesson: Learnt | None, learnt: Learnt, result: Examination, now: datetime) -> None:
    """Store what was learnt, what could be judged and what could not."""
    if lesson is not None:
        appliance.baseline = lesson.to_json()
        appliance.learnt_until = now
    standing = Appliance.Standing
    appliance.standing = standing.WATCHED if learnt.is_enough else standing.LEARNING
    appliance.standing_text = learnt.missing
    appliance.judged, appliance.not_judged = list(result.judged), dict(result.not_judged)
    appliance.diagnosed_until = now
    appliance.save()


def _settle(appliance: Appliance, result: Examination, now: datetime) -> list[Fault]:
    found = {finding.kind: finding for finding in result.findings}
    close_faults(appliance, now=now, kinds=set(result.judged) - found.keys())
    latest = {
        fault.kind: fault
        for fault in Fault.objects.filter(appliance=appliance, kind__in=found).order_by("detected_at", "began_at")
    }
    return [_told(appliance, finding, latest, now) for finding in found.values()]


def _told(appliance: Appliance, finding: Finding, latest: Mapping[str, Fault], now: datetime) -> Fault:
    """Open a fault, or go on with the one that is open or was over a moment ago."""
    device, before = appliance.device, latest.get(finding.kind)
    goes_on = before is not None and (before.closed_at is None or before.closed_at > now - _SAME_EPISODE)
    alarm = alarms.raise_alarm(
        subject_kind=SUBJECT,
        subject=device.device_id,
        label=str(device),
        kind=alarm_kind(finding.kind),
        text=f"{finding.cause} {finding.advice}",
        severity=finding.severity,
        value=finding.kwh_a_day,
        account_id=device.account_id,
        region_id=device.region_id,
        now=now,
    )
    if goes_on and before is not None:
        fault: Fault = Fault.objects.select_for_update().get(pk=before.pk)
        fault.began_at = min(fault.began_at, instant(finding.began_at))
    else:
        fault = Fault(appliance=appliance, kind=finding.kind, began_at=instant(finding.began_at), detected_at=now)
        fault.subject_kind, fault.subject, fault.label = SUBJECT, device.device_id, str(device)
        fault.account_id, fault.region_id = device.account_id, device.region_id
    if fault.state == State.CLOSED:
        fault.state, fault.closed_at = State.OPEN, None
    fault.severity, fault.cause, fault.advice, fault.alarm = finding.severity, finding.cause, finding.advice, alarm
    fault.evidence = {"figures": dict(finding.figures), "chart": dict(finding.chart)}
    fault.cost_kwh_a_day = finding.kwh_a_day
    cost = _cost_a_month(appliance, finding.kwh_a_day, now)
    fault.cost_a_month, fault.currency = cost or (None, "")
    fault.save()
    return fault


def _cost_a_month(appliance: Appliance, kwh_a_day: float | None, now: datetime) -> tuple[Decimal, str] | None:
    """Return what an appliance costs more a month; None where that cannot be said, as of an account with two places."""
    account_id = appliance.device.account_id
    if kwh_a_day is None or account_id is None:
        return None
    codes = Binding.objects.filter(account=account_id, valid__contains=now).values_list(
        "service_point__code", flat=True
    )
    if len(codes[:2]) != 1:
        return None
    kwh = Decimal(str(kwh_a_day)) * _DAYS_A_MONTH
    cost = money_of(account_id=account_id, service_point_code=codes[0], kwh=kwh, at=now)
    return None if cost is None else (cost[0].quantize(Decimal("0.01")), cost[1])
