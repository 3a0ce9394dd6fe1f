"""Single alarms: raised and cleared by whoever has a logic of his own, acknowledged and put off by people."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID, uuid4

from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict, Invalid
from meters.alarms import News
from meters.models import Alarm, AlarmSeverity
from meters.services.alarms.notices import tell
from meters.services.exceptions import reason_of
from meters.store import alarms as store

LONGEST_SNOOZE = timedelta(days=30)

Follower: TypeAlias = Callable[[Alarm], None]
_FOLLOWERS: dict[str, Follower] = {}


class AlarmOver(Conflict):
    """It was cleared before."""

    code = "alarm_over"


class AlreadyAcknowledged(Conflict):
    """Somebody else was faster."""

    code = "alarm_already_acknowledged"


class WrongSnooze(Invalid):
    """An alarm cannot be put off until then."""

    code = "wrong_snooze"


def register_follower(kind: str, follower: Follower) -> None:
    """Have it called, in the same transaction, with each alarm of a kind that somebody acknowledged or put off.

    Whoever raises alarms of a kind for rows of his own keeps these in step so; the alarm's row is locked meanwhile.
    """
    _FOLLOWERS[kind] = follower


@transaction.atomic
def raise_alarms(*, subject_kind: str, alarms: Sequence[store.NewAlarm], now: datetime) -> dict[tuple[str, str], UUID]:
    """Raise alarms in a constant number of queries; what is open already stays as it is.

    Returns the open alarm of each (kind, subject).
    """
    if not alarms:
        return {}
    store.lock_subjects(subject_kind)
    tell(store.raise_alarms(subject_kind, alarms, now=now), news=News.RAISED, now=now)
    standing = Alarm.objects.open().filter(
        subject_kind=subject_kind, subject__in={each.subject for each in alarms}, kind__in={e.kind for e in alarms}
    )
    return {(kind, subject): key for kind, subject, key in standing.values_list("kind", "subject", "pk")}


@transaction.atomic
def clear_alarms(*, subject_kind: str, over: Iterable[tuple[str, str]], now: datetime) -> int:
    """Clear the open alarms of (kind, subject), in a constant number of queries; returns how many there were."""
    store.lock_subjects(subject_kind)
    cleared = store.clear_alarms(subject_kind, sorted(set(over)), now=now)
    tell(cleared, news=News.CLEARED, now=now)
    return len(cleared)


@transaction.atomic
def raise_alarm(  # noqa: PLR0913
    *,
    subject_kind: str,
    subject: str,
    label: str,
    kind: str,
    text: str,
    now: datetime,
    severity: str = AlarmSeverity.WARNING,
    value: float | None = None,
    account_id: UUID | None = None,
    region_id: UUID | None = None,
) -> Alarm:
    """Raise an alarm of a kind; one that is open already stays as it is. Returns it."""
    new = store.NewAlarm(uuid4(), None, kind, subject, label, account_id, region_id, severity, text, value)
    standing = raise_alarms(subject_kind=subject_kind, alarms=[new], now=now)
    found: Alarm = Alarm.objects.get(pk=standing[kind, subject])
    return found


@transaction.atomic
def clear_alarm(*, subject_kind: str, subject: str, kind: str, now: datetime) -> bool:
    """Clear the open alarm of a kind; returns whether there was one."""
    return bool(clear_alarms(subject_kind=subject_kind, over=[(kind, subject)], now=now))


@transaction.atomic
def acknowledge(*, alarm_id: UUID, note: str, actor: Actor, now: datetime) -> Alarm:
    """Say that somebody takes care of it; said again by the same person it changes nothing.

    :raises Alarm.DoesNotExist: there is no such alarm.
    :raises AlarmOver: it was cleared before.
    :raises AlreadyAcknowledged: somebody else takes care of it.
    """
    alarm = _lock_open(alarm_id)
    if alarm.state == Alarm.State.ACKNOWLEDGED:
        if alarm.acknowledged_by_id == (actor.user.pk if actor.user else None):
            return alarm
        raise AlreadyAcknowledged(f"{alarm.acknowledged_by or 'The portal'} takes care of it already.")
    alarm.state, alarm.acknowledged_at, alarm.acknowledged_by = Alarm.State.ACKNOWLEDGED, now, actor.user
    alarm.note = note.strip()
    alarm.save(update_fields=("state", "acknowledged_at", "acknowledged_by", "note"))
    _record("alarm.acknowledged", alarm, actor, now, note=alarm.note)
    tell([_touched(alarm, now)], news=News.ACKNOWLEDGED, now=now)
    _let_follow(alarm)
    return alarm


@transaction.atomic
def snooze(*, alarm_id: UUID, until: datetime, note: str, actor: Actor, now: datetime) -> Alarm:
    """Put an alarm off: until then it is told nowhere but on pages, and so is what raises it again meanwhile.

    Afterwards it is told again, unless it is over or somebody takes care of it.

    :raises Alarm.DoesNotExist: there is no such alarm.
    :raises AlarmOver: it was cleared before.
    :raises WrongSnooze: not after now, or too far ahead.
    :raises NoReason: the note says nothing.
    """
    reason = reason_of(note)
    if not now < until <= now + LONGEST_SNOOZE:
        raise WrongSnooze(f"An alarm is put off for {LONGEST_SNOOZE.days} days at most, and not into the past.")
    alarm = _lock_open(alarm_id)
    if (alarm.snoozed_until, alarm.note) != (until, reason):
        alarm.snoozed_until, alarm.note = until, reason
        alarm.save(update_fields=("snoozed_until", "note"))
        _record("alarm.snoozed", alarm, actor, now, until=until, note=reason)
        _let_follow(alarm)
    return alarm


def _let_follow(alarm: Alarm) -> None:
    follower = _FOLLOWERS.get(alarm.kind)
    if follower is not None:
        follower(alarm)


def _lock_open(alarm_id: UUID) -> Alarm:
    alarm: Alarm = Alarm.objects.select_for_update(of=("self",)).select_related("acknowledged_by").get(pk=alarm_id)
    if alarm.state == Alarm.State.CLEARED:
        raise AlarmOver("It is over: the alarm was cleared before.")
    return alarm


def _touched(alarm: Alarm, now: datetime) -> store.Touched:
    snoozed = alarm.snoozed_until is not None and alarm.snoozed_until > now
    return store.Touched(alarm.pk, alarm.severity, alarm.account_id is not None, snoozed)


def _record(action: str, alarm: Alarm, actor: Actor, now: datetime, **detail: object) -> None:
    audit.record(action=action, obj=alarm, actor=actor, now=now, kind=alarm.kind, subject=alarm.subject, **detail)
