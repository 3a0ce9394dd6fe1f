"""What people do about alarms, what time brings, and who is told."""

from datetime import UTC, datetime, timedelta
from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from accounts.actors import Actor
from accounts.models import AuditEntry
from meters.models import Alarm, AlarmNotice, RegionManager
from meters.services import alarms
from meters.services.exceptions import NoReason
from tests.factories import (
    AccountAccessFactory,
    AlarmRuleFactory,
    CustomerAccountFactory,
    ManagerFactory,
    NotificationChoiceFactory,
    RegionFactory,
    UserFactory,
    since,
)

pytestmark = pytest.mark.django_db

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def manager():
    return ManagerFactory(name="Mina", email="mina@example.org")


def smoke(subject="plug-1", *, now=NOON, severity="warning", kind="smoke", **more) -> Alarm:
    return alarms.raise_alarm(
        subject_kind="device",
        subject=subject,
        label=f"Plug {subject}",
        kind=kind,
        text=f"Plug {subject} smokes.",
        severity=severity,
        now=now,
        **more,
    )


def over(subject="plug-1", *, now) -> None:
    alarms.clear_alarm(subject_kind="device", subject=subject, kind="smoke", now=now)


def watched(*, watts=3100.0, at=NOON) -> None:
    alarms.observe(
        subject_kind="device",
        observations=[alarms.Observation("plug-1", "Plug", "power_w", watts, at)],
        now=at,
    )


def news(channel) -> list[str]:
    return list(AlarmNotice.objects.filter(channel=channel).order_by("id").values_list("news", flat=True))


class TestAcknowledge:
    def test_says_who_takes_care_of_it_and_keeps_it(self, manager):
        alarm = alarms.acknowledge(alarm_id=smoke().pk, note=" On my way. ", actor=Actor(user=manager), now=NOON + HOUR)

        assert (alarm.state, alarm.acknowledged_by, alarm.note) == ("acknowledged", manager, "On my way.")
        assert AuditEntry.objects.get(action="alarm.acknowledged").detail["note"] == "On my way."
        assert news("mqtt") == ["raised", "acknowledged"]
        assert news("email") == []

    def test_is_done_once_by_the_one_and_refused_to_the_other(self, manager):
        alarm = smoke()
        for _ in range(2):
            alarms.acknowledge(alarm_id=alarm.pk, note="", actor=Actor(user=manager), now=NOON)

        assert AuditEntry.objects.filter(action="alarm.acknowledged").count() == 1
        with pytest.raises(alarms.AlreadyAcknowledged, match="Mina"):
            alarms.acknowledge(alarm_id=alarm.pk, note="", actor=Actor(user=ManagerFactory()), now=NOON)

    def test_refuses_what_is_over(self, manager):
        alarm = smoke()
        over(now=NOON)

        with pytest.raises(alarms.AlarmOver):
            alarms.acknowledge(alarm_id=alarm.pk, note="", actor=Actor(user=manager), now=NOON)


class TestSnooze:
    def put_off(self, alarm, *, until=NOON + HOUR, note="Being repaired.", now=NOON):
        return alarms.snooze(alarm_id=alarm.pk, until=until, note=note, actor=Actor(user=ManagerFactory()), now=now)

    def test_tells_pages_alone_until_it_is_over_and_then_all_again(self):
        AlarmNotice.objects.all().delete()
        alarm = self.put_off(smoke(severity="critical"))
        over(now=NOON + 10 * MINUTE)
        again = smoke(severity="critical", now=NOON + 20 * MINUTE)
        assert again.snoozed_until == alarm.snoozed_until
        assert news("email") == news("mqtt") == ["raised"]

        assert alarms.advance(now=NOON + HOUR) == 1
        assert alarms.advance(now=NOON + HOUR) == 0

        assert news("email") == news("mqtt") == ["raised", "raised"]
        assert AuditEntry.objects.get(action="alarm.snoozed").detail["note"] == "Being repaired."

    @pytest.mark.parametrize(
        ("asked", "refusal"),
        [
            ({"note": "  "}, NoReason),
            ({"until": NOON}, alarms.WrongSnooze),
            ({"until": NOON + timedelta(days=31)}, alarms.WrongSnooze),
        ],
    )
    def test_needs_a_reason_and_a_while(self, asked, refusal):
        with pytest.raises(refusal):
            self.put_off(smoke(), **asked)


class TestAdvance:
    def test_makes_critical_once_what_nobody_acknowledged(self):
        AlarmRuleFactory(escalate_after_minutes=30)
        watched()

        alarms.advance(now=NOON + 29 * MINUTE)
        assert Alarm.objects.get().severity == "warning"

        alarms.advance(now=NOON + 30 * MINUTE)
        alarms.advance(now=NOON + 90 * MINUTE)
        alarm = Alarm.objects.get()
        assert (alarm.severity, alarm.escalated_at) == ("critical", NOON + 30 * MINUTE)
        assert news("email") == ["escalated"]

    def test_leaves_alone_what_somebody_takes_care_of(self, manager):
        AlarmRuleFactory(escalate_after_minutes=30)
        watched()
        alarms.acknowledge(alarm_id=Alarm.objects.get().pk, note="", actor=Actor(user=manager), now=NOON)

        assert alarms.advance(now=NOON + HOUR) == 0

    def test_counts_anew_once_a_snooze_is_over(self, manager):
        AlarmRuleFactory(escalate_after_minutes=30)
        watched()
        alarms.snooze(alarm_id=Alarm.objects.get().pk, until=NOON + HOUR, note="x", actor=Actor(user=manager), now=NOON)
        alarms.advance(now=NOON + HOUR)

        alarms.advance(now=NOON + HOUR + 29 * MINUTE)
        assert Alarm.objects.get().escalated_at is None

        alarms.advance(now=NOON + HOUR + 30 * MINUTE)
        assert Alarm.objects.get().escalated_at is not None

    def test_forgets_who_has_been_quiet_for_a_day(self):
        rule = AlarmRuleFactory()
        watched()
        watched(watts=0.0, at=NOON + MINUTE)
        assert rule.watches.count() == 1

        alarms.advance(now=NOON + timedelta(days=2))

        assert not rule.watches.exists()


class TestAlarmRules:
    SETTINGS = alarms.AlarmSettings("power_w", "above", set_at=3000.0, clear_at=2800.0)
    ACT = {"actor": Actor(), "now": NOON}  # noqa: RUF012

    def add(self, subject="", settings=SETTINGS, kind="too_much"):
        return alarms.add_alarm_rule(subject_kind="device", kind=kind, subject=subject, settings=settings, **self.ACT)

    def test_let_go_of_what_they_no_longer_look_at(self):
        rule = self.add()
        watched()

        alarms.change_alarm_rule(
            rule_id=rule.pk,
            settings=alarms.AlarmSettings("power_w", "above", set_at=3000.0, clear_at=2800.0, is_enabled=False),
            **self.ACT,
        )

        assert Alarm.objects.get().state == "cleared"
        assert not rule.watches.exists()
        assert AuditEntry.objects.get(action="alarm_rule.changed").detail["after"]["is_enabled"] is False

    def test_let_go_of_a_subject_that_gets_its_own(self):
        self.add()
        watched()

        own = self.add(subject="plug-1")
        assert Alarm.objects.get().state == "cleared"

        watched(at=NOON + MINUTE)
        assert Alarm.objects.open().get().rule == own

    def test_clear_what_hangs_on_them_when_they_go(self):
        rule = self.add()
        watched()

        alarms.remove_alarm_rule(rule_id=rule.pk, **self.ACT)

        assert not Alarm.objects.open().exists()

    def test_are_one_a_kind_and_scope(self):
        self.add()

        with pytest.raises(alarms.AlarmRuleTaken):
            self.add()

    @pytest.mark.parametrize(
        ("settings", "field"),
        [
            (alarms.AlarmSettings("power_w", "above", set_at=3.0, clear_at=4.0), "clear_at"),
            (alarms.AlarmSettings("power_w", "below", set_at=3.0, clear_at=2.0), "clear_at"),
            (alarms.AlarmSettings("power_w", "above", set_at=float("inf"), clear_at=2.0), "set_at"),
            (alarms.AlarmSettings("power_w", "above", set_at=3.0), "clear_at"),
            (alarms.AlarmSettings("Power!", "above", set_at=3.0, clear_at=2.0), "quantity"),
            (alarms.AlarmSettings("power_w", "near", set_at=3.0, clear_at=2.0), "comparison"),
            (alarms.AlarmSettings("power_w", "silent", no_data_seconds=60), "quantity"),
            (alarms.AlarmSettings("seen", "silent"), "no_data_seconds"),
            (alarms.AlarmSettings("seen", "silent", no_data_seconds=60, severity="bad"), "severity"),
            (alarms.AlarmSettings("seen", "silent", no_data_seconds=60, hold_seconds=-1), "hold_seconds"),
        ],
    )
    def test_name_the_field_that_cannot_be_so(self, settings, field):
        with pytest.raises(alarms.WrongAlarmRule) as refusal:
            self.add(settings=settings)

        assert [error.field for error in refusal.value.errors] == [field]


class TestSendDigests:
    @pytest.fixture
    def account(self):
        account = CustomerAccountFactory(email="owner@example.org")
        AccountAccessFactory(account=account, user=UserFactory(email="Son@example.org"))
        AccountAccessFactory(
            account=account, user=UserFactory(email="gone@example.org"), valid=since(NOON - 2 * HOUR, NOON - HOUR)
        )
        return account

    def test_sends_one_mail_a_person_however_many_alarms_there_are(self, manager, account):
        for n in range(25):
            smoke(f"plug-{n}", account_id=account.pk, severity="critical" if n == 0 else "warning")

        assert alarms.send_digests(now=NOON) == 3

        by_address = {message.to[0]: message for message in mail.outbox}
        assert set(by_address) == {"owner@example.org", "son@example.org", "mina@example.org"}
        assert by_address["mina@example.org"].subject == "Alarm: Plug plug-0"
        assert by_address["owner@example.org"].subject == "25 alarms"
        assert by_address["owner@example.org"].body.count("smokes.") == 20
        assert "5 more alarms are" in by_address["owner@example.org"].body

    def test_leaves_out_whoever_chose_to_hear_of_no_alarms(self, account):
        NotificationChoiceFactory(user=account.accesses.earliest("created_at").user, kind="alarm", wanted=False)
        smoke(account_id=account.pk)

        assert alarms.send_digests(now=NOON) == 1
        assert mail.outbox[0].to == ["owner@example.org"]

    @pytest.mark.parametrize(("declined", "subject"), [("anomaly", "Plug plug-1"), ("alarm", "Plug SP-1")])
    def test_lets_people_choose_apart_what_is_unusual_in_their_use(self, account, declined, subject):
        access = account.accesses.earliest("created_at")
        access.right = "administer"
        access.save()
        NotificationChoiceFactory(user=access.user, kind=declined, wanted=False)
        smoke(account_id=account.pk)
        smoke("SP-1", kind="anomaly", account_id=account.pk)

        alarms.send_digests(now=NOON)

        subjects = {message.to[0]: message.subject for message in mail.outbox}
        assert subjects == {"owner@example.org": "2 alarms", "son@example.org": f"Alarm: {subject}"}

    def test_tells_what_came_and_went_as_over(self, account):
        smoke(account_id=account.pk)
        over(now=NOON + 5 * MINUTE)

        alarms.send_digests(now=NOON + HOUR)

        assert {message.subject for message in mail.outbox} == {"Over: Plug plug-1"}
        assert "From 1 March, 20:00 until 1 March, 20:05." in mail.outbox[0].body

    def test_sends_nothing_twice(self, account):
        smoke(account_id=account.pk)
        alarms.send_digests(now=NOON)

        assert alarms.send_digests(now=NOON) == 0
        assert len(mail.outbox) == 2

    def test_tries_again_what_the_server_did_not_take(self, account, monkeypatch):
        smoke(account_id=account.pk)
        with monkeypatch.context() as broken:
            broken.setattr(EmailBackend, "send_messages", _refuse)
            assert alarms.send_digests(now=NOON) == 0
        assert AlarmNotice.objects.get(channel="email").error == "gone"

        assert alarms.send_digests(now=NOON + MINUTE) == 2

    def test_asks_the_same_number_of_questions_for_any_batch(self, account, manager, django_assert_num_queries):
        for n in range(30):
            smoke(f"plug-{n}", account_id=(account if n else CustomerAccountFactory()).pk, severity="critical")

        with django_assert_num_queries(10):
            alarms.send_digests(now=NOON)

    def test_tells_managers_of_regions_what_is_critical_in_these(self, manager):
        region = RegionFactory()
        for name in ("ria", "rob"):
            bound = ManagerFactory(email=f"{name}@example.org")
            RegionManager.objects.create(region=region if name == "ria" else RegionFactory(), user=bound)
        smoke("plug-1", region_id=region.pk, severity="critical")
        smoke("plug-2", severity="critical")
        smoke("plug-3", region_id=region.pk, severity="warning")

        alarms.send_digests(now=NOON)

        told = {message.to[0]: message.subject for message in mail.outbox}
        assert told == {"mina@example.org": "2 alarms", "ria@example.org": "Alarm: Plug plug-1"}


def _refuse(*_args):
    raise SMTPServerDisconnected("gone")


class TestPendingMqttNotices:
    def test_says_it_as_the_published_topic_does(self):
        alarm = smoke(severity="critical")

        (notice,) = alarms.pending_mqtt_notices()
        alarms.mark_sent([notice.id], NOON)

        assert notice.subject == "plug-1"
        assert notice.payload == {
            "id": str(alarm.pk),
            "kind": "smoke",
            "state": "raised",
            "severity": "critical",
            "text": "Plug plug-1 smokes.",
            "at": "2025-03-01T12:00:00+00:00",
        }
        assert alarms.pending_mqtt_notices() == []


class TestForgetNotices:
    def test_drops_what_is_old_and_keeps_what_is_waited_for(self):
        smoke(now=NOON - timedelta(days=40))
        alarms.mark_sent(AlarmNotice.objects.filter(channel="websocket").values_list("pk", flat=True), NOON)
        smoke("plug-2")

        assert alarms.forget_notices(now=NOON) == 1
        assert set(AlarmNotice.objects.values_list("alarm__subject", flat=True)) == {"plug-1", "plug-2"}
