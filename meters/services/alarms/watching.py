"""Values and silence against rules: what raises alarms and clears them, in batches of any size.

Who judges subjects of a kind has them to himself until his transaction ends, so that no alarm is raised twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID, uuid4

from django.db import transaction

from meters.alarms import (
    SEEN,
    Comparison,
    Deed,
    Limits,
    News,
    Phase,
    Watch,
    deed_between,
    in_plain_words,
    let_time_pass,
    look_at_silence,
    look_at_value,
)
from meters.models import AlarmRule, SubjectKind
from meters.services.alarms.notices import tell
from meters.store import alarms as store

# How long a subject that is quiet again is remembered, so that what is sent again raises nothing.
REMEMBERED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Observation:
    """A value of a subject at an instant; None where it is not known. Of ``seen`` the instant alone counts."""

    subject: str
    label: str
    quantity: str
    value: float | None
    at: datetime
    account_id: UUID | None = None
    region_id: UUID | None = None


class LastHeard(NamedTuple):
    """When a subject was last heard."""

    subject: str
    label: str
    heard_at: datetime
    account_id: UUID | None = None
    region_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Rule:
    row: store.RuleRow
    limits: Limits


_Key = tuple[UUID, str]


@dataclass
class _Book:
    """The rules of a kind of subject: a subject's own stands in for the one of all that has its kind."""

    of_all: dict[str, list[_Rule]] = field(default_factory=lambda: defaultdict(list))
    of_one: dict[tuple[str, str], list[_Rule]] = field(default_factory=lambda: defaultdict(list))
    own_kinds: set[tuple[str, str]] = field(default_factory=set)
    by_id: dict[UUID, _Rule] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[store.RuleRow]) -> "_Book":
        book = cls()
        for row in rows:
            rule = _Rule(row, limits_of(row))
            if row.subject:
                book.own_kinds.add((row.kind, row.subject))
            if row.is_enabled:
                book.by_id[row.id] = rule
                if row.subject:
                    book.of_one[row.subject, row.quantity].append(rule)
                else:
                    book.of_all[row.quantity].append(rule)
        return book

    def rules(self, subject: str, quantity: str) -> Iterable[_Rule]:
        general = self.of_all.get(quantity, ())
        if not self.own_kinds:
            return general
        left = (rule for rule in general if (rule.row.kind, subject) not in self.own_kinds)
        return (*left, *self.of_one.get((subject, quantity), ()))


def limits_of(row: store.RuleRow | AlarmRule) -> Limits:
    """Return what a rule asks for; where it says nothing of clearing, what is no longer wrong is right."""
    set_at = row.set_at if row.set_at is not None else float("nan")
    return Limits(
        comparison=Comparison(row.comparison),
        set_at=set_at,
        clear_at=row.clear_at if row.clear_at is not None else set_at,
        no_data=timedelta(seconds=row.no_data_seconds) if row.no_data_seconds is not None else timedelta.max,
        hold=timedelta(seconds=row.hold_seconds),
        clear_hold=timedelta(seconds=row.clear_hold_seconds),
    )


def watched_quantities(subject_kind: str) -> frozenset[str]:
    """Return the quantities of a kind of subject that rules look at, in one query; ``seen`` where silence is one."""
    rules = AlarmRule.objects.filter(subject_kind=subject_kind, is_enabled=True)
    return frozenset(rules.order_by().values_list("quantity", flat=True).distinct())


@transaction.atomic
def observe(*, subject_kind: str, observations: Sequence[Observation], now: datetime) -> int:
    """Judge values, in a constant number of queries; returns how many alarms were raised or cleared.

    What came and went within the batch is no alarm. Subjects that are within bounds and have been cost nothing but
    the look. Callers hand in each subject's newest values; older ones than were looked at change nothing.
    """
    if not observations:
        return 0
    subjects = {each.subject for each in observations}
    store.lock_subjects(subject_kind)
    book = _Book.of(store.rules_of(subject_kind, subjects))
    if not book.by_id:
        return 0
    before = {(row.rule_id, row.subject): row for row in store.watches_of(book.by_id, subjects)}
    after: dict[_Key, store.WatchRow] = {}
    for seen in sorted(observations, key=attrgetter("at")):
        for rule in book.rules(seen.subject, seen.quantity):
            key = (rule.row.id, seen.subject)
            _look(rule, key, seen, before=before, after=after, now=now)
    return _settle(subject_kind, book, before, after, now=now)


def check_silence(*, subject_kind: str, last_heard: Iterable[tuple[object, ...]], now: datetime) -> int:
    """Judge since when subjects are silent; returns how many alarms were raised or cleared.

    Worth handing in: whoever was last heard ``shortest_silence`` ago or longer, and those of ``silent_subjects``.

    :param last_heard: (subject, label, heard_at, account_id, region_id) each.
    """
    heard = [LastHeard(*each) for each in last_heard]  # type: ignore[arg-type]
    return observe(
        subject_kind=subject_kind,
        observations=[
            Observation(each.subject, each.label, SEEN, None, each.heard_at, each.account_id, each.region_id)
            for each in heard
        ],
        now=now,
    )


def shortest_silence(subject_kind: str) -> timedelta | None:
    """Return after what silence the first rule of a kind of subject raises; None where none looks at it."""
    rules = AlarmRule.objects.filter(subject_kind=subject_kind, is_enabled=True, comparison=Comparison.SILENT)
    shortest = rules.order_by("no_data_seconds").values_list("no_data_seconds", flat=True).first()
    return None if shortest is None else timedelta(seconds=shortest)


def silent_subjects(subject_kind: str) -> frozenset[str]:
    """Return who is known to be silent, to be handed to ``check_silence`` once heard again."""
    watches = AlarmRule.objects.filter(
        subject_kind=subject_kind, comparison=Comparison.SILENT, watches__phase__in=(Phase.HOLDING, Phase.RAISED)
    )
    return frozenset(watches.order_by().values_list("watches__subject", flat=True))


@transaction.atomic
def advance(*, now: datetime) -> int:
    """Do what the passing of time brings: holds that came true, snoozes that are over, what nobody acknowledged.

    Harmless when several do so at once. Returns how many alarms were raised, cleared or told again.
    """
    store.lock_subjects(*SubjectKind.values)
    changed = sum(_let_time_pass(kind, rules, now=now) for kind, rules in store.waiting_rules().items())
    woken = store.lock_woken_alarms(now=now)
    tell(woken, news=News.RAISED, now=now)
    escalated = store.escalate_alarms(now=now)
    tell(escalated, news=News.ESCALATED, now=now)
    store.forget_watches(now - REMEMBERED)
    return changed + len(woken) + len(escalated)


def _let_time_pass(subject_kind: str, rules: Iterable[store.RuleRow], *, now: datetime) -> int:
    book = _Book.of(rules)
    before = {(row.rule_id, row.subject): row for row in store.held_watches(book.by_id)}
    after = {
        key: _moved(row, let_time_pass(book.by_id[row.rule_id].limits, _watch_of(row), now=now))
        for key, row in before.items()
    }
    changed = {key: row for key, row in after.items() if row != before[key]}
    return _settle(subject_kind, book, before, changed, now=now)


def _look(
    rule: _Rule,
    key: _Key,
    seen: Observation,
    *,
    before: dict[_Key, store.WatchRow],
    after: dict[_Key, store.WatchRow],
    now: datetime,
) -> None:
    known = after.get(key) or before.get(key)
    watch = _watch_of(known) if known else None
    if rule.limits.comparison is Comparison.SILENT:
        moved = look_at_silence(rule.limits, watch, heard_at=seen.at, now=now)
    else:
        moved = look_at_value(rule.limits, watch, value=seen.value, at=seen.at)
    if moved is not None and moved != watch:
        after[key] = store.WatchRow(
            *key, moved.phase, moved.since, moved.seen_at, seen.label, seen.value, seen.account_id, seen.region_id
        )


def _watch_of(row: store.WatchRow) -> Watch:
    return Watch(Phase(row.phase), row.since, row.seen_at)


def _moved(row: store.WatchRow, watch: Watch) -> store.WatchRow:
    return row._replace(phase=watch.phase, since=watch.since, seen_at=watch.seen_at)


def _settle(
    subject_kind: str,
    book: _Book,
    before: dict[_Key, store.WatchRow],
    after: dict[_Key, store.WatchRow],
    *,
    now: datetime,
) -> int:
    """Write what has changed, and what became of alarms by it."""
    to_raise: list[store.NewAlarm] = []
    over: list[tuple[str, str]] = []
    for key, row in after.items():
        known = before.get(key)
        deed = deed_between(_watch_of(known) if known else None, _watch_of(row))
        rule = book.by_id[row.rule_id]
        if deed is Deed.RAISE:
            to_raise.append(_new_alarm(rule, row))
        elif deed is Deed.CLEAR:
            over.append((rule.row.kind, row.subject))
    store.save_watches(after.values())
    raised = store.raise_alarms(subject_kind, to_raise, now=now)
    tell(raised, news=News.RAISED, now=now)
    cleared = store.clear_alarms(subject_kind, over, now=now)
    tell(cleared, news=News.CLEARED, now=now)
    return len(raised) + len(cleared)


def _new_alarm(rule: _Rule, row: store.WatchRow) -> store.NewAlarm:
    return store.NewAlarm(
        id=uuid4(),
        rule_id=rule.row.id,
        kind=rule.row.kind,
        subject=row.subject,
        label=row.label,
        account_id=row.account_id,
        region_id=row.region_id,
        severity=rule.row.severity,
        text=in_plain_words(rule.limits, label=row.label, quantity=rule.row.quantity, value=row.value),
        value=row.value,
    )
