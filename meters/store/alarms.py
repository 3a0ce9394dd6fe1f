"""Alarms in batches: each statement serves as many subjects as there are."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from meters.store.arrays import array_text, texts_array

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('alarms of ' || kind, 0)) FROM unnest(%s::text[]) AS kind"
_TRY_TO_MAIL = "SELECT pg_try_advisory_lock(hashtextextended('mail about alarms', 0))"
_MAILED = "SELECT pg_advisory_unlock(hashtextextended('mail about alarms', 0))"
_RULE_COLUMNS = """id, kind, subject, quantity, comparison, set_at, clear_at, hold_seconds, clear_hold_seconds,
                   no_data_seconds, severity, is_enabled"""
_RULES = """
    SELECT :columns: FROM meters_alarmrule WHERE subject_kind = %s AND (subject = '' OR subject = ANY(%s::text[]))
""".replace(":columns:", _RULE_COLUMNS)
_WAITING_RULES = """
    SELECT :columns:, subject_kind FROM meters_alarmrule
    WHERE is_enabled AND id IN (SELECT rule_id FROM meters_alarmwatch WHERE phase IN ('holding', 'clearing'))
    ORDER BY subject_kind
""".replace(":columns:", _RULE_COLUMNS)
_WATCH_COLUMNS = "rule_id, subject, phase, since, seen_at, label, value, account_id, region_id"
# Served by the unique key (rule, subject): a descent a subject and rule, or one hash of a small table.
_WATCHES = """
    SELECT :columns: FROM meters_alarmwatch WHERE rule_id = ANY(%s::uuid[]) AND subject = ANY(%s::text[])
""".replace(":columns:", _WATCH_COLUMNS)
_HELD = """
    SELECT :columns: FROM meters_alarmwatch
    WHERE rule_id = ANY(%s::uuid[]) AND phase IN ('holding', 'clearing')
""".replace(":columns:", _WATCH_COLUMNS)
_SAVE = """
    INSERT INTO meters_alarmwatch (:columns:)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[],
                         %s::float8[], %s::uuid[], %s::uuid[])
    ON CONFLICT (rule_id, subject) DO UPDATE SET
        phase = excluded.phase, since = excluded.since, seen_at = excluded.seen_at, label = excluded.label,
        value = excluded.value, account_id = excluded.account_id, region_id = excluded.region_id
""".replace(":columns:", _WATCH_COLUMNS)
_FORGET = "DELETE FROM meters_alarmwatch WHERE phase = 'quiet' AND seen_at < %s"
# A snooze holds for what it was asked for, however often that comes and goes meanwhile.
_RAISE = """
    INSERT INTO meters_alarm (id, rule_id, kind, subject_kind, subject, label, account_id, region_id, severity, state,
                              text, value, raised_at, note, snoozed_until)
    SELECT new.id, new.rule_id, new.kind, %(subject_kind)s, new.subject, new.label, new.account_id, new.region_id,
           new.severity, 'raised', new.text, new.value, %(now)s, '', (
               SELECT max(snoozed_until) FROM meters_alarm AS earlier
               WHERE earlier.subject_kind = %(subject_kind)s AND earlier.subject = new.subject
                 AND earlier.kind = new.kind AND earlier.snoozed_until > %(now)s
           )
    FROM unnest(%(ids)s::uuid[], %(rules)s::uuid[], %(kinds)s::text[], %(subjects)s::text[], %(labels)s::text[],
                %(accounts)s::uuid[], %(regions)s::uuid[], %(severities)s::text[], %(texts)s::text[],
                %(values)s::float8[])
        AS new (id, rule_id, kind, subject, label, account_id, region_id, severity, text, value)
    ON CONFLICT (subject_kind, subject, kind) WHERE NOT state = 'cleared' DO NOTHING
    RETURNING id, severity, account_id IS NOT NULL, coalesce(snoozed_until > %(now)s, false)
"""
_CLEAR = """
    UPDATE meters_alarm AS alarm SET state = 'cleared', cleared_at = %(now)s
    FROM unnest(%(kinds)s::text[], %(subjects)s::text[]) AS over (kind, subject)
    WHERE alarm.subject_kind = %(subject_kind)s AND alarm.subject = over.subject AND alarm.kind = over.kind
      AND NOT alarm.state = 'cleared'
    RETURNING alarm.id, alarm.severity, alarm.account_id IS NOT NULL, coalesce(alarm.snoozed_until > %(now)s, false)
"""
# Counted from when it was last told, so that a snooze that ended starts the time anew.
_ESCALATE = """
    UPDATE meters_alarm AS alarm SET severity = 'critical', escalated_at = %(now)s
    FROM meters_alarmrule AS rule
    WHERE rule.id = alarm.rule_id AND alarm.state = 'raised' AND alarm.escalated_at IS NULL
      AND (alarm.snoozed_until IS NULL OR alarm.snoozed_until <= %(now)s)
      AND coalesce((
          SELECT max(created_at) FROM meters_alarmnotice AS notice
          WHERE notice.alarm_id = alarm.id AND notice.news = 'raised'
      ), alarm.raised_at) <= %(now)s - make_interval(mins => rule.escalate_after_minutes)
    RETURNING alarm.id, alarm.severity, alarm.account_id IS NOT NULL, false
"""
# What was told since it ended is awake already.
_WAKE = """
    SELECT alarm.id, alarm.severity, alarm.account_id IS NOT NULL, false FROM meters_alarm AS alarm
    WHERE alarm.state = 'raised' AND alarm.snoozed_until <= %(now)s AND NOT EXISTS (
        SELECT FROM meters_alarmnotice AS notice
        WHERE notice.alarm_id = alarm.id AND notice.news = 'raised' AND notice.created_at >= alarm.snoozed_until
    )
    FOR UPDATE OF alarm
"""
_NOTE = """
    INSERT INTO meters_alarmnotice (alarm_id, channel, news, created_at, attempts, error)
    SELECT alarm_id, channel, %s, %s, 0, '' FROM unnest(%s::uuid[], %s::text[]) AS new (alarm_id, channel)
"""


class RuleRow(NamedTuple):
    """A rule as it is stored."""

    id: UUID
    kind: str
    subject: str
    quantity: str
    comparison: str
    set_at: float | None
    clear_at: float | None
    hold_seconds: int
    clear_hold_seconds: int
    no_data_seconds: int | None
    severity: str
    is_enabled: bool


class WatchRow(NamedTuple):
    """A watch as it is stored."""

    rule_id: UUID
    subject: str
    phase: str
    since: datetime
    seen_at: datetime
    label: str
    value: float | None
    account_id: UUID | None
    region_id: UUID | None


class NewAlarm(NamedTuple):
    """An alarm that is to be raised, of a kind and a subject."""

    id: UUID
    rule_id: UUID | None
    kind: str
    subject: str
    label: str
    account_id: UUID | None
    region_id: UUID | None
    severity: str
    text: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Touched:
    """An alarm that a statement changed, and what decides on who is told."""

    id: UUID
    severity: str
    of_account: bool
    snoozed: bool


def lock_subjects(*subject_kinds: str) -> None:
    """Wait for whoever judges subjects of some kinds, and keep others waiting until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, (sorted(subject_kinds),))


def rules_of(subject_kind: str, subjects: Collection[str]) -> list[RuleRow]:
    """Return the rules of all subjects of a kind, and those of single ones of them, switched off or not."""
    return [RuleRow(*row) for row in _fetched(_RULES, (subject_kind, texts_array(subjects)))]


def waiting_rules() -> dict[str, list[RuleRow]]:
    """Return, by kind of subject, the rules under which something comes true or is over by time alone."""
    found: dict[str, list[RuleRow]] = defaultdict(list)
    for *columns, subject_kind in _fetched(_WAITING_RULES, ()):
        found[subject_kind].append(RuleRow(*columns))
    return found


def watches_of(rule_ids: Iterable[UUID], subjects: Iterable[str]) -> list[WatchRow]:
    """Return what is remembered of subjects under rules."""
    return [WatchRow(*row) for row in _fetched(_WATCHES, (array_text(rule_ids), texts_array(subjects)))]


def held_watches(rule_ids: Iterable[UUID]) -> list[WatchRow]:
    """Return what comes true, or is over, by the passing of time alone."""
    return [WatchRow(*row) for row in _fetched(_HELD, (array_text(rule_ids),))]


def save_watches(rows: Collection[WatchRow]) -> None:
    """Write watches over what is remembered of the same subjects under the same rules."""
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_SAVE, _columns(rows, texts=_WATCH_TEXTS))


def forget_watches(before: datetime) -> None:
    """Drop what is remembered of subjects that have been quiet since before an instant."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, (before,))


def raise_alarms(subject_kind: str, alarms: Collection[NewAlarm], *, now: datetime) -> list[Touched]:
    """Raise alarms but those that are open already; returns what was raised."""
    if not alarms:
        return []
    names = ("ids", "rules", "kinds", "subjects", "labels", "accounts", "regions", "severities", "texts", "values")
    columns = dict(zip(names, _columns(alarms, texts=_ALARM_TEXTS), strict=True))
    return _touched(_RAISE, {**columns, "subject_kind": subject_kind, "now": now})


def clear_alarms(subject_kind: str, over: Sequence[tuple[str, str]], *, now: datetime) -> list[Touched]:
    """Clear the open alarms of (kind, subject); returns what was cleared."""
    if not over:
        return []
    kinds, subjects = map(texts_array, zip(*over, strict=True))
    return _touched(_CLEAR, {"subject_kind": subject_kind, "kinds": kinds, "subjects": subjects, "now": now})


def escalate_alarms(*, now: datetime) -> list[Touched]:
    """Make critical what nobody acknowledged for as long as its rule says; returns it."""
    return _touched(_ESCALATE, {"now": now})


def lock_woken_alarms(*, now: datetime) -> list[Touched]:
    """Lock and return what nobody acknowledged and whose snooze is over, unless it was told since."""
    return _touched(_WAKE, {"now": now})


def add_notices(notices: Collection[tuple[UUID, str]], *, news: str, now: datetime) -> None:
    """Write news of alarms, each for a channel."""
    if notices:
        ids, channels = zip(*notices, strict=True)
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, (news, now, array_text(ids), texts_array(channels)))


_WATCH_TEXTS, _ALARM_TEXTS = frozenset({1, 2, 5}), frozenset({2, 3, 4, 7, 8})


def _columns(rows: Iterable[tuple[Any, ...]], *, texts: frozenset[int]) -> list[str]:
    """Write rows as an array a column; ``texts`` are the places of those that hold texts."""
    columns = enumerate(zip(*rows, strict=True))
    return [texts_array(column) if place in texts else array_text(column) for place, column in columns]


def _touched(statement: str, parameters: dict[str, Any]) -> list[Touched]:
    return [Touched(*row) for row in _fetched(statement, parameters)]


def _fetched(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


@contextmanager
def mailing_alone() -> Iterator[bool]:
    """Tell whether nobody else mails at the moment, and keep others from it until the end.

    Held by the connection rather than by a transaction, since mail servers take their time.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TRY_TO_MAIL)
        alone = bool(cursor.fetchone()[0])
        try:
            yield alone
        finally:
            if alone:
                cursor.execute(_MAILED)
