"""What people say of anomalies: that somebody takes care of it, that it can wait, that it was normal or was not.

An anomaly and its alarm are one thing to people, so an act on either is an act on both. Whoever needs both rows locks
the alarm before the anomaly; whoever opens or ends anomalies has the alarms of their kind of subject to himself first.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict, Invalid
from meters.insights.models import Anomaly, Baseline
from meters.models import Alarm
from meters.services import alarms
from meters.services.alarms.acts import LONGEST_SNOOZE
from meters.store.alarms import lock_subjects

ALARM_KIND = "anomaly"
_NO_REASON = "No reason given."
_NOTE_LENGTH = 1_000
State, Verdict = Anomaly.State, Anomaly.Verdict


class AnomalyOver(Conflict):
    """It was over before."""

    code = "anomaly_over"


class AnomalyTaken(Conflict):
    """Somebody else takes care of it."""

    code = "anomaly_already_acknowledged"


class WrongAnomalySnooze(Invalid):
    """An anomaly cannot be put off until then."""

    code = "wrong_snooze"


class WrongVerdict(Invalid):
    """It was neither normal nor wrong."""

    code = "wrong_verdict"


class NoteTooLong(Invalid):
    """A treatise."""

    code = "note_too_long"


@transaction.atomic
def acknowledge(*, anomaly_id: UUID, note: str, actor: Actor, now: datetime) -> Anomaly:
    """Say that somebody takes care of an anomaly, and so of its alarm; again by the same person it changes nothing.

    :raises Anomaly.DoesNotExist: there is no such anomaly.
    :raises AnomalyOver: it was over before.
    :raises AnomalyTaken: somebody else takes care of it.
    :raises NoteTooLong: the note is a treatise.
    """
    told = _note(note)
    alarm_id = _open_alarm_of(anomaly_id)
    if alarm_id is not None:
        try:
            alarms.acknowledge(alarm_id=alarm_id, note=told, actor=actor, now=now)
        except alarms.AlreadyAcknowledged as taken:
            # Who it is, customers are not told.
            raise AnomalyTaken("Somebody takes care of it already.") from taken
        except alarms.AlarmOver as over:
            raise AnomalyOver("It is over.") from over
    anomaly = _lock_open(anomaly_id)
    if anomaly.state == State.ACKNOWLEDGED and alarm_id is None:
        if anomaly.acknowledged_by_id == _user_id(actor):
            return anomaly
        raise AnomalyTaken("Somebody takes care of it already.")
    if alarm_id is None:
        anomaly.state, anomaly.acknowledged_at, anomaly.acknowledged_by = State.ACKNOWLEDGED, now, actor.user
        anomaly.note = told
        anomaly.save(update_fields=("state", "acknowledged_at", "acknowledged_by", "note"))
        _record("anomaly.acknowledged", anomaly, actor, now, note=told)
    return anomaly


@transaction.atomic
def snooze(*, anomaly_id: UUID, until: datetime, note: str, actor: Actor, now: datetime) -> Anomaly:
    """Put an anomaly and its alarm off: until then it is shown as put off, and its alarm told nowhere but on pages.

    :raises Anomaly.DoesNotExist: there is no such anomaly.
    :raises AnomalyOver: it was over before.
    :raises WrongAnomalySnooze: not after now, or too far ahead.
    :raises NoteTooLong: the note is a treatise.
    """
    told = _note(note) or _NO_REASON
    if not now < until <= now + LONGEST_SNOOZE:
        raise WrongAnomalySnooze(f"It is put off for {LONGEST_SNOOZE.days} days at most, and not into the past.")
    alarm_id = _open_alarm_of(anomaly_id)
    if alarm_id is not None:
        try:
            alarms.snooze(alarm_id=alarm_id, until=until, note=told, actor=actor, now=now)
        except alarms.AlarmOver as over:
            raise AnomalyOver("It is over.") from over
    anomaly = _lock_open(anomaly_id)
    if alarm_id is None and (anomaly.snoozed_until, anomaly.note) != (until, told):
        _put_off(anomaly, until, told)
        _record("anomaly.snoozed", anomaly, actor, now, until=until, note=told)
    return anomaly


@transaction.atomic
def judge(*, anomaly_id: UUID, verdict: str, note: str, actor: Actor, now: datetime) -> Anomaly:
    """Say whether something was wrong (``real``) or not (``normal``), which counts in the precision that is shown.

    What was normal is over, with its alarm, and for weeks the same at the same hours of the week alerts nobody. The
    newest word holds; said again it changes nothing.

    :raises Anomaly.DoesNotExist: there is no such anomaly.
    :raises WrongVerdict: it is neither.
    :raises NoteTooLong: the note is a treatise.
    """
    told = _note(note)
    if verdict not in {Verdict.REAL, Verdict.NORMAL}:
        raise WrongVerdict("It was normal, or something was wrong: one of real, normal.")
    seen = Anomaly.objects.get(pk=anomaly_id)
    ends = verdict == Verdict.NORMAL
    # Whoever scores a subject locks what is usual of it first of all.
    usual = Baseline.objects.filter(subject_kind=seen.subject_kind, subject=seen.subject)
    states = dict(usual.select_for_update().values_list("pk", "state")) if ends else {}
    lock_subjects(seen.subject_kind)
    alarm_id = _open_alarm_of(anomaly_id)
    if ends and alarm_id is not None:
        alarms.clear_alarm(subject_kind=seen.subject_kind, subject=seen.subject, kind=ALARM_KIND, now=now)
    anomaly: Anomaly = Anomaly.objects.select_for_update().get(pk=anomaly_id)
    if anomaly.verdict == verdict and (not told or told == anomaly.note):
        return anomaly
    before = anomaly.verdict
    anomaly.verdict, anomaly.verdict_at, anomaly.verdict_by = verdict, now, actor.user
    anomaly.note = told or anomaly.note
    if ends and anomaly.state != State.CLOSED:
        anomaly.state, anomaly.closed_at = State.CLOSED, now
        for pk, state in states.items():
            # What goes on from here on is judged for itself.
            usual.filter(pk=pk).update(state={**state, "open": None})
    anomaly.save(update_fields=("verdict", "verdict_at", "verdict_by", "note", "state", "closed_at"))
    _record("anomaly.judged", anomaly, actor, now, before=before, verdict=verdict, note=told)
    return anomaly


def follow_alarm(alarm: Alarm) -> None:
    """Do to the anomaly behind an alarm what was done to the alarm; in its transaction, which records who did it."""
    anomaly: Anomaly | None = (
        Anomaly.objects.select_for_update().filter(alarm=alarm).exclude(state=State.CLOSED).first()
    )
    if anomaly is None:
        return
    if alarm.state == Alarm.State.ACKNOWLEDGED and anomaly.state != State.ACKNOWLEDGED:
        anomaly.state = State.ACKNOWLEDGED
        anomaly.acknowledged_at, anomaly.acknowledged_by = alarm.acknowledged_at, alarm.acknowledged_by
        anomaly.note = alarm.note
        anomaly.save(update_fields=("state", "acknowledged_at", "acknowledged_by", "note"))
    elif alarm.snoozed_until is not None and alarm.snoozed_until != anomaly.snoozed_until:
        _put_off(anomaly, alarm.snoozed_until, alarm.note)


def wake_snoozed(*, now: datetime) -> int:
    """Open again what was put off until now; returns how many. Their alarms wake by themselves."""
    due = Anomaly.objects.filter(state=State.SNOOZED, snoozed_until__lte=now)
    with transaction.atomic():
        keys = list(due.select_for_update(skip_locked=True).values_list("pk", flat=True))
        return Anomaly.objects.filter(pk__in=keys).update(state=State.OPEN)


def _put_off(anomaly: Anomaly, until: datetime, note: str) -> None:
    anomaly.snoozed_until, anomaly.note = until, note
    if anomaly.state == State.OPEN:
        anomaly.state = State.SNOOZED
    anomaly.save(update_fields=("snoozed_until", "note", "state"))


def _open_alarm_of(anomaly_id: UUID) -> UUID | None:
    """Return the open alarm of an anomaly that is not over, if it has one; no lock."""
    anomaly = Anomaly.objects.select_related("alarm").get(pk=anomaly_id)
    alarm = anomaly.alarm
    stands = alarm is not None and alarm.state != Alarm.State.CLEARED and anomaly.state != State.CLOSED
    return alarm.pk if alarm is not None and stands else None


def _lock_open(anomaly_id: UUID) -> Anomaly:
    anomaly: Anomaly = Anomaly.objects.select_for_update().get(pk=anomaly_id)
    if anomaly.state == State.CLOSED:
        raise AnomalyOver("It is over.")
    return anomaly


def _note(note: str) -> str:
    told = note.strip()
    if len(told) > _NOTE_LENGTH:
        raise NoteTooLong(f"A note has at most {_NOTE_LENGTH} characters.")
    return told


def _user_id(actor: Actor) -> object:
    return actor.user.pk if actor.user else None


def _record(action: str, anomaly: Anomaly, actor: Actor, now: datetime, **detail: object) -> None:
    audit.record(action=action, obj=anomaly, actor=actor, now=now, kind=anomaly.kind, subject=anomaly.subject, **detail)
