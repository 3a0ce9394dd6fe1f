"""How alarm rules are tuned, for all subjects of a kind or for one of them; every change is audited.

A rule that no longer looks at a subject lets go of it: its open alarm is cleared, and the next value is judged anew.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict, Invalid, ItemError
from meters.alarms import SEEN, Comparison, News
from meters.models import Alarm, AlarmRule, AlarmSeverity, AlarmWatch, SubjectKind
from meters.services.alarms.notices import tell
from meters.store import alarms as store

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class WrongAlarmRule(Invalid):
    """An alarm rule cannot be set so."""

    code = "wrong_alarm_rule"


class AlarmRuleTaken(Conflict):
    """There is a rule of that kind for that scope already."""

    code = "alarm_rule_taken"


@dataclass(frozen=True)
class AlarmSettings:
    """What an alarm rule looks at, from when it is wrong, and how much it matters."""

    quantity: str
    comparison: str
    set_at: float | None = None
    clear_at: float | None = None
    no_data_seconds: int | None = None
    hold_seconds: int = 0
    clear_hold_seconds: int = 0
    severity: str = AlarmSeverity.WARNING
    escalate_after_minutes: int | None = None
    is_enabled: bool = True


def settings_of(rule: AlarmRule) -> AlarmSettings:
    """Return how a rule is set."""
    return AlarmSettings(**{name: getattr(rule, name) for name in AlarmSettings.__dataclass_fields__})


@transaction.atomic
def add_alarm_rule(
    *, subject_kind: str, kind: str, subject: str, settings: AlarmSettings, actor: Actor, now: datetime
) -> AlarmRule:
    """Have alarms of a kind raised, for one subject or, where it is empty, for all that have none of their own.

    :raises WrongAlarmRule: it may not be set so; each error names its field.
    :raises AlarmRuleTaken: the scope has a rule of that kind.
    """
    errors = list(_wrong_settings(settings))
    if subject_kind not in SubjectKind.values:
        errors.append(ItemError("invalid", f"There is no subject {subject_kind!r}.", field="subject_kind"))
    if not _NAME.fullmatch(kind):
        errors.append(ItemError("invalid", "Small letters, digits and underscores, as over_power.", field="kind"))
    _refuse(errors)
    store.lock_subjects(subject_kind)
    rule = AlarmRule(subject_kind=subject_kind, kind=kind, subject=subject.strip(), **asdict(settings))
    try:
        with transaction.atomic():
            rule.save()
    except IntegrityError as error:
        raise AlarmRuleTaken(f"There is a rule {rule} already.") from error
    if rule.subject:
        wider = AlarmRule.objects.filter(subject_kind=subject_kind, kind=kind, subject="").first()
        if wider is not None:
            _let_go(wider, now=now, subject=rule.subject)
    audit.record(action="alarm_rule.added", obj=rule, actor=actor, now=now, rule=str(rule), **asdict(settings))
    return rule


@transaction.atomic
def change_alarm_rule(*, rule_id: UUID, settings: AlarmSettings, actor: Actor, now: datetime) -> AlarmRule:
    """Set a rule otherwise; values that come from now on are judged by it.

    :raises AlarmRule.DoesNotExist: there is no such rule.
    :raises WrongAlarmRule: it may not be set so; each error names its field.
    """
    _refuse(list(_wrong_settings(settings)))
    store.lock_subjects(AlarmRule.objects.values_list("subject_kind", flat=True).get(pk=rule_id))
    rule = AlarmRule.objects.select_for_update().get(pk=rule_id)
    before = settings_of(rule)
    if before == settings:
        return rule
    for name, value in asdict(settings).items():
        setattr(rule, name, value)
    rule.save()
    if not rule.is_enabled or (rule.quantity, rule.comparison) != (before.quantity, before.comparison):
        _let_go(rule, now=now)
    audit.record(
        action="alarm_rule.changed",
        obj=rule,
        actor=actor,
        now=now,
        rule=str(rule),
        before=asdict(before),
        after=asdict(settings),
    )
    return rule


@transaction.atomic
def remove_alarm_rule(*, rule_id: UUID, actor: Actor, now: datetime) -> None:
    """Drop a rule; for one subject the rule of all holds again, where there is one.

    :raises AlarmRule.DoesNotExist: there is no such rule.
    """
    store.lock_subjects(AlarmRule.objects.values_list("subject_kind", flat=True).get(pk=rule_id))
    rule = AlarmRule.objects.select_for_update().get(pk=rule_id)
    _let_go(rule, now=now)
    audit.record(
        action="alarm_rule.removed", obj=rule, actor=actor, now=now, rule=str(rule), **asdict(settings_of(rule))
    )
    rule.delete()


def _let_go(rule: AlarmRule, *, now: datetime, subject: str = "") -> None:
    """Forget what is watched under a rule, or one subject of it, and clear the alarms that hang on it."""
    scope = {"subject": subject} if subject else {}
    AlarmWatch.objects.filter(rule=rule, **scope).delete()
    hanging = Alarm.objects.open().filter(rule=rule, **scope).values_list("kind", "subject")
    cleared = store.clear_alarms(rule.subject_kind, list(hanging), now=now)
    tell(cleared, news=News.CLEARED, now=now)


def _refuse(errors: list[ItemError]) -> None:
    if errors:
        raise WrongAlarmRule(errors[0].detail, errors=errors)


def _wrong_settings(settings: AlarmSettings) -> Iterator[ItemError]:
    for name, allowed in (("comparison", tuple(map(str, Comparison))), ("severity", AlarmSeverity.values)):
        if getattr(settings, name) not in allowed:
            yield ItemError("invalid", f"It is one of {', '.join(allowed)}.", field=name)
    if not _NAME.fullmatch(settings.quantity):
        yield ItemError("invalid", "Small letters, digits and underscores, as power_w.", field="quantity")
    for name in ("hold_seconds", "clear_hold_seconds"):
        if getattr(settings, name) < 0:
            yield ItemError("invalid", "A time is not negative.", field=name)
    if settings.escalate_after_minutes is not None and settings.escalate_after_minutes < 1:
        yield ItemError("invalid", "At least a minute, or none.", field="escalate_after_minutes")
    if settings.comparison == Comparison.SILENT:
        yield from _wrong_silence(settings)
    elif settings.comparison in {Comparison.ABOVE, Comparison.BELOW}:
        yield from _wrong_thresholds(settings)


def _wrong_silence(settings: AlarmSettings) -> Iterator[ItemError]:
    if not settings.no_data_seconds or settings.no_data_seconds < 1:
        yield ItemError("required", "After how many seconds of silence?", field="no_data_seconds")
    if settings.quantity != SEEN:
        yield ItemError("invalid", f"Of silence, {SEEN} is what is watched.", field="quantity")


def _wrong_thresholds(settings: AlarmSettings) -> Iterator[ItemError]:
    bounds = {"set_at": settings.set_at, "clear_at": settings.clear_at}
    missing = [name for name, value in bounds.items() if value is None or not math.isfinite(value)]
    for name in missing:
        yield ItemError("required", "A number is needed.", field=name)
    if missing or settings.set_at is None or settings.clear_at is None:
        return
    gap = settings.set_at - settings.clear_at
    if (gap < 0) if settings.comparison == Comparison.ABOVE else (gap > 0):
        side = "above" if settings.comparison == Comparison.ABOVE else "below"
        yield ItemError("invalid", f"It clears before it is raised: it may not lie {side} that.", field="clear_at")
    if settings.quantity == SEEN:
        yield ItemError("invalid", f"{SEEN} has no value to compare.", field="quantity")
