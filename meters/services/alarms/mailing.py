"""Mail about alarms: one digest a person and run, however many alarms there are."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from smtplib import SMTPException
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F, Q
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.models import CustomerAccount, NotificationKind, User
from accounts.roles import Role
from accounts.selectors.notifications import addresses_told
from energy_portal.shared.clock import zone
from meters.alarms import Channel, News
from meters.models import Alarm, AlarmNotice, AlarmSeverity, RegionManager
from meters.services.alarms.notices import STALE, mark_sent
from meters.store import alarms as store

logger = logging.getLogger(__name__)

TOLD_IN_FULL = 20
# Alarms of a kind that people choose apart from all others.
_CHOSEN_APART = {"anomaly": NotificationKind.ANOMALY}
_A_RUN = 5_000


@dataclass(frozen=True)
class Told:
    """An alarm of a digest: what became of it since the last one."""

    alarm: Alarm
    news: frozenset[str]

    @property
    def is_over(self) -> bool:
        return News.CLEARED in self.news

    @property
    def is_escalated(self) -> bool:
        return News.ESCALATED in self.news and not self.is_over


@dataclass(frozen=True)
class _Reader:
    address: str
    zone: ZoneInfo


def send_digests(*, now: datetime) -> int:
    """Mail what is news to whoever has to know it; returns how many mails went out.

    Managers hear of what is critical, those of some regions of what is so in these, an account's people of what
    concerns their account, unless they chose not to. What could not be sent is tried again for a day, so that a mail
    may come twice and is not lost. One run at a time: a second one that starts meanwhile does nothing.
    """
    with store.mailing_alone() as alone:
        return _send_digests(now) if alone else 0


def _send_digests(now: datetime) -> int:
    waiting = AlarmNotice.objects.filter(channel=Channel.EMAIL, sent_at=None, created_at__gt=now - STALE)
    notices = list(waiting.select_related("alarm__account").order_by("id")[:_A_RUN])
    if not notices:
        return 0
    AlarmNotice.objects.filter(pk__in=[notice.pk for notice in notices]).update(attempts=F("attempts") + 1)
    digests: dict[_Reader, list[AlarmNotice]] = defaultdict(list)
    readers = _Readers.of(notices, now)
    for notice in notices:
        for reader in readers.of_alarm(notice.alarm):
            digests[reader].append(notice)
    failed = _send(digests)
    mark_sent({notice.pk for notice in notices} - failed.keys(), now)
    for notice_id, error in failed.items():
        AlarmNotice.objects.filter(pk=notice_id).update(error=error)
    return len(digests) if not failed else sum(not failed.keys() & {n.pk for n in told} for told in digests.values())


@dataclass(frozen=True)
class _Readers:
    managers: tuple[_Reader, ...]
    of_regions: Mapping[UUID, frozenset[_Reader]]
    of_account: Mapping[tuple[UUID, NotificationKind], frozenset[_Reader]]

    @classmethod
    def of(cls, notices: Iterable[AlarmNotice], now: datetime) -> "_Readers":
        """Find who is to be told, in eight queries at most, and one for each manager of some regions."""
        site = zone(settings.SITE_ZONE)
        active = User.objects.filter(status=User.Status.ACTIVE)
        bound = Q(pk__in=RegionManager.objects.values("user"))
        managers = active.filter(role=Role.MANAGER)
        critical = {notice.alarm_id for notice in notices if notice.alarm.severity == AlarmSeverity.CRITICAL}
        of_regions: dict[UUID, set[_Reader]] = defaultdict(set)
        for manager in managers.filter(bound) if critical else ():
            for alarm_id in Alarm.objects.visible_to(manager).filter(pk__in=critical).values_list("pk", flat=True):
                of_regions[alarm_id].add(_Reader(manager.email.lower(), site))
        concerned: dict[NotificationKind, set[CustomerAccount]] = defaultdict(set)
        for notice in notices:
            if notice.alarm.account is not None:
                concerned[_chosen_as(notice.alarm)].add(notice.alarm.account)
        people: dict[tuple[UUID, NotificationKind], set[_Reader]] = defaultdict(set)
        for kind, accounts in concerned.items():
            told = addresses_told(accounts, kind, now=now)
            for account in accounts:
                people[account.pk, kind] |= {_Reader(address, zone(account.zone)) for address in told[account.pk]}
        return cls(
            tuple(
                _Reader(address.lower(), site) for address in managers.exclude(bound).values_list("email", flat=True)
            ),
            {alarm_id: frozenset(found) for alarm_id, found in of_regions.items()},
            {key: frozenset(found) for key, found in people.items()},
        )

    def of_alarm(self, alarm: Alarm) -> Iterable[_Reader]:
        own = self.of_account.get((alarm.account_id, _chosen_as(alarm)), ()) if alarm.account_id else ()
        readers = dict.fromkeys(own)
        if alarm.severity == AlarmSeverity.CRITICAL:
            readers |= dict.fromkeys((*self.managers, *self.of_regions.get(alarm.pk, ())))
        return readers


def _chosen_as(alarm: Alarm) -> NotificationKind:
    return _CHOSEN_APART.get(alarm.kind, NotificationKind.ALARM)


def _send(digests: Mapping[_Reader, Sequence[AlarmNotice]]) -> dict[int, str]:
    """Send a digest to each; returns the notices that somebody did not get, with the reason."""
    failed: dict[int, str] = {}
    connection = get_connection()
    for reader, notices in digests.items():
        try:
            _digest(reader, notices, connection).send()
        except (OSError, SMTPException) as error:
            logger.warning("A digest of %s alarms could not be sent: %s", len(notices), error)
            failed |= {notice.pk: str(error)[:500] for notice in notices}
    return failed


def _digest(reader: _Reader, notices: Sequence[AlarmNotice], connection: BaseEmailBackend) -> EmailMessage:
    news: dict[UUID, set[str]] = defaultdict(set)
    for notice in notices:
        news[notice.alarm_id].add(notice.news)
    alarms = {notice.alarm_id: notice.alarm for notice in notices}
    told = [Told(alarm, frozenset(news[key])) for key, alarm in alarms.items()]
    told.sort(key=lambda each: (each.is_over, each.alarm.severity != AlarmSeverity.CRITICAL, each.alarm.raised_at))
    standing = sum(not each.is_over for each in told)
    with timezone.override(reader.zone):
        body = render_to_string(
            "meters/mail/alarms.txt",
            {
                "standing": [each for each in told if not each.is_over][:TOLD_IN_FULL],
                "over": [each for each in told if each.is_over][:TOLD_IN_FULL],
                "left_out": max(0, standing - TOLD_IN_FULL) + max(0, len(told) - standing - TOLD_IN_FULL),
                "link": settings.PORTAL_URL,
            },
        )
    return EmailMessage(
        _subject(told, standing), body, settings.DEFAULT_FROM_EMAIL, [reader.address], connection=connection
    )


def _subject(told: Sequence[Told], standing: int) -> str:
    if len(told) == 1:
        only = told[0]
        return f"{'Over' if only.is_over else 'Alarm'}: {only.alarm.label}"
    if standing == 0:
        return f"{len(told)} alarms are over"
    over = len(told) - standing
    return f"{standing} alarm{'' if standing == 1 else 's'}" + (f", {over} over" if over else "")
