"""What agents hear of, on their pages and by mail."""

from datetime import timedelta
from smtplib import SMTPException

import pytest
from django.core import mail

from field_ops.models import AgentNotice
from field_ops.selectors.notices import unseen
from field_ops.services.news import work_group
from field_ops.services.notices import mail_notices, mark_seen, notify
from tests.field_ops.factories import THEN, AgentFactory, AssignmentFactory

pytestmark = pytest.mark.django_db

SOON = THEN + timedelta(minutes=10)


@pytest.fixture
def agent():
    return AgentFactory()


def tell(agent, text="2 meters to read.", now=THEN):
    return notify(
        agent_id=agent.pk,
        kind=AgentNotice.Kind.ASSIGNED,
        assignment=AssignmentFactory(agent=agent),
        text=text,
        now=now,
    )


class TestNotify:
    def test_counts_on_the_badge_and_wakes_the_agents_pages(self, agent, monkeypatch):
        woken = []
        monkeypatch.setattr("field_ops.services.notices.tell", lambda *groups: woken.extend(groups))

        tell(agent)

        assert unseen(agent) == 1
        assert woken == [work_group(agent.pk)]


class TestMarkSeen:
    def test_marks_what_was_shown_and_no_more(self, agent):
        first, second = tell(agent), tell(agent)
        theirs = tell(AgentFactory())

        assert mark_seen(agent_id=agent.pk, up_to=first.pk, now=THEN) == 1
        assert mark_seen(agent_id=agent.pk, up_to=first.pk, now=SOON) == 0

        first.refresh_from_db()
        assert first.seen_at == THEN
        assert set(AgentNotice.objects.filter(seen_at=None)) == {second, theirs}


class TestMailNotices:
    def test_mails_one_digest_an_agent_once(self, agent):
        tell(agent, "SG-1 sent back: Blurred.")
        tell(agent)
        tell(AgentFactory())

        assert mail_notices(now=SOON) == 2
        assert mail_notices(now=SOON) == 0

        sent = next(each for each in mail.outbox if each.to == [agent.user.email])
        assert sent.subject == "2 news about your work"
        assert "SG-1 sent back: Blurred." in sent.body
        assert "2025-03-10 10:00" in sent.body

    def test_waits_for_ten_minutes_and_leaves_out_what_was_seen(self, agent):
        tell(agent, now=THEN + timedelta(seconds=1))
        mark_seen(agent_id=agent.pk, up_to=tell(agent, now=THEN - timedelta(minutes=1)).pk, now=THEN)
        tell(agent, now=THEN + timedelta(seconds=1))

        assert mail_notices(now=SOON) == 0

    def test_mails_nobody_who_may_not_log_in(self, agent):
        tell(agent)
        type(agent.user).objects.filter(pk=agent.user_id).update(status="suspended")

        assert mail_notices(now=SOON) == 0
        assert not mail.outbox

    def test_tries_again_what_could_not_be_sent(self, agent, monkeypatch):
        tell(agent)
        with monkeypatch.context() as broken:
            broken.setattr("django.core.mail.EmailMessage.send", _refuse)
            assert mail_notices(now=SOON) == 0

        assert mail_notices(now=SOON) == 1


def _refuse(*args, **kwargs):
    raise SMTPException
