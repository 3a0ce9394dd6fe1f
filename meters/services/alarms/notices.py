"""News of alarms, written with the deed for each channel, and ticked off once it was told."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from energy_portal.shared.jobs import enqueue_on_commit
from meters.alarms import Channel, News, channels_of, groups_of
from meters.models import AlarmNotice
from meters.store import alarms as store

TELL_TASK = "meters.tasks.tell_of_alarms"
# Who was not reachable for a day looks at the list; a message of yesterday would only mislead.
STALE = timedelta(days=1)
KEPT = timedelta(days=30)
_STATES = {News.ESCALATED: News.RAISED}


@dataclass(frozen=True, slots=True)
class MqttNotice:
    """News to be published of a subject, and the document that says it."""

    id: int
    subject: str
    payload: dict[str, Any]


def tell(alarms: Iterable[store.Touched], *, news: News, now: datetime) -> None:
    """Write news of alarms for every channel that is to tell it, in the caller's transaction."""
    notices = [
        (alarm.id, channel.value)
        for alarm in alarms
        for channel in channels_of(news, severity=alarm.severity, of_account=alarm.of_account, snoozed=alarm.snoozed)
    ]
    if notices:
        store.add_notices(notices, news=news, now=now)
        enqueue_on_commit(TELL_TASK)


def pending_mqtt_notices(limit: int = 500) -> list[MqttNotice]:
    """Return news that is not published yet, oldest first; to be marked as sent once the broker has it."""
    waiting = AlarmNotice.objects.filter(channel=Channel.MQTT, sent_at=None).select_related("alarm")
    return [
        MqttNotice(
            id=notice.pk,
            subject=notice.alarm.subject,
            payload={
                "id": str(notice.alarm_id),
                "kind": notice.alarm.kind,
                "state": _STATES.get(News(notice.news), News(notice.news)).value,
                "severity": notice.alarm.severity,
                "text": notice.alarm.text,
                "at": notice.created_at.isoformat(),
            },
        )
        for notice in waiting.order_by("id")[:limit]
    ]


def pages_to_tell(limit: int = 10_000) -> tuple[list[int], set[str]]:
    """Return news that open pages have not heard of yet, and the groups that those pages are in."""
    waiting = AlarmNotice.objects.filter(channel=Channel.WEBSOCKET, sent_at=None).order_by("id")
    rows = list(waiting.values_list("id", "alarm__subject_kind", "alarm__account_id")[:limit])
    groups = {group for _, kind, account_id in rows for group in groups_of(kind, account_id)}
    return [notice_id for notice_id, _, _ in rows], groups


def mark_sent(ids: Iterable[int], now: datetime) -> None:
    """Tick off what was told."""
    AlarmNotice.objects.filter(pk__in=list(ids), sent_at=None).update(sent_at=now, error="")


@transaction.atomic
def forget_notices(*, now: datetime) -> int:
    """Drop news that was told long ago, and what nobody came for within a day; returns how many."""
    told, _ = AlarmNotice.objects.filter(sent_at__lt=now - KEPT).delete()
    unheard, _ = AlarmNotice.objects.filter(sent_at=None, created_at__lt=now - STALE).delete()
    return told + unheard
