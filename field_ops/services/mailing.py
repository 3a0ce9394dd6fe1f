"""Mail to agents about what they have not seen on their pages: one digest each, however much it is."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from energy_portal.shared.clock import zone
from field_ops.models import Agent, AgentNotice

logger = logging.getLogger(__name__)

UNSEEN_FOR = timedelta(minutes=10)
STALE = timedelta(days=1)
TOLD_IN_FULL = 20
_A_RUN = 5_000


def mail_notices(*, now: datetime) -> int:
    """Mail agents what they have not seen for ten minutes; returns how many mails went out.

    Notices are claimed before anything is sent, so that two runs at once never send the same; what could not be sent
    is given back and tried again for a day.
    """
    mails = 0
    connection = get_connection()
    for agent, notices in _claimed(now).items():
        try:
            _digest(agent, notices, connection).send()
        except (OSError, SMTPException) as error:
            logger.warning("A digest of %s notices could not be sent: %s", len(notices), error)
            AgentNotice.objects.filter(pk__in=[notice.pk for notice in notices]).update(mailed_at=None)
        else:
            mails += 1
    return mails


@transaction.atomic
def _claimed(now: datetime) -> dict[Agent, list[AgentNotice]]:
    rows = AgentNotice.objects.filter(
        seen_at=None, mailed_at=None, created_at__lte=now - UNSEEN_FOR, created_at__gt=now - STALE
    )
    locked = rows.select_for_update(skip_locked=True, of=("self",)).order_by("pk")[:_A_RUN]
    claimed = list(locked.select_related("agent__user"))
    AgentNotice.objects.filter(pk__in=[notice.pk for notice in claimed]).update(mailed_at=now)
    found: dict[Agent, list[AgentNotice]] = defaultdict(list)
    for notice in claimed:
        if notice.agent.user.is_active:
            found[notice.agent].append(notice)
    return found


def _digest(agent: Agent, notices: Sequence[AgentNotice], connection: BaseEmailBackend) -> EmailMessage:
    with timezone.override(zone(settings.SITE_ZONE)):
        body = render_to_string(
            "field_ops/mail/notices.txt",
            {
                "notices": notices[:TOLD_IN_FULL],
                "left_out": max(0, len(notices) - TOLD_IN_FULL),
                "link": f"{settings.PORTAL_URL}/field/",
            },
        )
    only = notices[0].text.splitlines()[0][:100]
    subject = only if len(notices) == 1 else f"{len(notices)} news about your work"
    return EmailMessage(subject, body, settings.DEFAULT_FROM_EMAIL, [agent.user.email], connection=connection)
