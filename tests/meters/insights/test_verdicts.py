"""What people say of anomalies, and that an act on one or on its alarm is an act on both."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.actors import Actor
from accounts.models import AuditEntry
from meters.insights.models import Anomaly
from meters.insights.services import verdicts
from meters.models import Alarm
from meters.services import alarms
from tests.factories import AlarmFactory, AnomalyFactory, ManagerFactory, UserFactory

pytestmark = pytest.mark.django_db

NOON = datetime(2025, 3, 1, 13, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def customer():
    return UserFactory()


def anomaly_with_alarm(**more) -> Anomaly:
    anomaly = AnomalyFactory(**more)
    anomaly.alarm = AlarmFactory(kind="anomaly", subject_kind="service_point", subject=anomaly.subject)
    anomaly.save()
    return anomaly


def acknowledge(anomaly, user, *, note="Seen.", now=NOON):
    return verdicts.acknowledge(anomaly_id=anomaly.pk, note=note, actor=Actor(user=user), now=now)


def snooze(anomaly, user, *, until=NOON + HOUR, note="Later.", now=NOON):
    return verdicts.snooze(anomaly_id=anomaly.pk, until=until, note=note, actor=Actor(user=user), now=now)


def judge(anomaly, user, verdict, *, note="", now=NOON):
    return verdicts.judge(anomaly_id=anomaly.pk, verdict=verdict, note=note, actor=Actor(user=user), now=now)


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


class TestAcknowledge:
    def test_acknowledges_the_alarm_too(self, customer):
        anomaly = anomaly_with_alarm()

        found = acknowledge(anomaly, customer)

        alarm = Alarm.objects.get()
        assert (found.state, found.acknowledged_by, found.acknowledged_at, found.note) == (
            "acknowledged",
            customer,
            NOON,
            "Seen.",
        )
        assert (alarm.state, alarm.acknowledged_by, alarm.note) == ("acknowledged", customer, "Seen.")
        assert actions() == ["alarm.acknowledged"]

    def test_is_done_by_acknowledging_the_alarm(self, customer):
        anomaly = anomaly_with_alarm()

        alarms.acknowledge(alarm_id=anomaly.alarm_id, note="On it.", actor=Actor(user=customer), now=NOON)

        anomaly.refresh_from_db()
        assert (anomaly.state, anomaly.acknowledged_by, anomaly.note) == ("acknowledged", customer, "On it.")

    def test_does_without_an_alarm(self, customer):
        anomaly = AnomalyFactory()

        acknowledge(anomaly, customer)
        acknowledge(anomaly, customer, now=NOON + HOUR)

        anomaly.refresh_from_db()
        assert (anomaly.state, anomaly.acknowledged_at) == ("acknowledged", NOON)
        assert actions() == ["anomaly.acknowledged"]

    @pytest.mark.parametrize("make", [AnomalyFactory, anomaly_with_alarm])
    def test_is_refused_once_somebody_else_does_it_without_telling_who(self, customer, make):
        anomaly = make()
        acknowledge(anomaly, ManagerFactory(email="boss@example.org"))

        with pytest.raises(verdicts.AnomalyTaken) as refused:
            acknowledge(anomaly, customer)

        assert "boss" not in refused.value.detail

    def test_is_refused_once_it_is_over(self, customer):
        anomaly = AnomalyFactory(state="closed", closed_at=NOON)

        with pytest.raises(verdicts.AnomalyOver):
            acknowledge(anomaly, customer)

    def test_leaves_the_alarm_of_a_later_anomaly_alone(self, customer):
        anomaly = anomaly_with_alarm(state="closed", closed_at=NOON)

        with pytest.raises(verdicts.AnomalyOver):
            acknowledge(anomaly, customer)

        assert Alarm.objects.get().state == "raised"


class TestSnooze:
    @pytest.mark.parametrize("make", [AnomalyFactory, anomaly_with_alarm])
    def test_puts_off_both_until_it_is_time(self, customer, make):
        anomaly = make()

        snooze(anomaly, customer)

        anomaly.refresh_from_db()
        assert (anomaly.state, anomaly.snoozed_until, anomaly.note) == ("snoozed", NOON + HOUR, "Later.")
        assert all(alarm.snoozed_until == NOON + HOUR for alarm in Alarm.objects.all())
        assert verdicts.wake_snoozed(now=NOON + HOUR / 2) == 0
        assert verdicts.wake_snoozed(now=NOON + HOUR) == 1
        anomaly.refresh_from_db()
        assert anomaly.state == "open"

    def test_is_done_by_putting_off_the_alarm(self, customer):
        anomaly = anomaly_with_alarm()

        alarms.snooze(alarm_id=anomaly.alarm_id, until=NOON + HOUR, note="Later.", actor=Actor(user=customer), now=NOON)

        anomaly.refresh_from_db()
        assert (anomaly.state, anomaly.snoozed_until) == ("snoozed", NOON + HOUR)

    def test_keeps_what_somebody_takes_care_of_acknowledged(self, customer):
        anomaly = anomaly_with_alarm()
        acknowledge(anomaly, customer)

        assert snooze(anomaly, customer).state == "acknowledged"

    @pytest.mark.parametrize("until", [NOON, NOON + timedelta(days=31)])
    def test_refuses_the_past_and_the_far_future(self, customer, until):
        with pytest.raises(verdicts.WrongAnomalySnooze):
            snooze(AnomalyFactory(), customer, until=until)

    def test_needs_no_reason(self, customer):
        assert snooze(anomaly_with_alarm(), customer, note=" ").note == "No reason given."


class TestJudge:
    def test_ends_what_was_normal_and_clears_its_alarm(self, customer):
        anomaly = anomaly_with_alarm()

        found = judge(anomaly, customer, "normal", note="We had guests.")

        assert (found.verdict, found.verdict_by, found.verdict_at, found.note) == (
            "normal",
            customer,
            NOON,
            "We had guests.",
        )
        assert (found.state, found.closed_at) == ("closed", NOON)
        assert Alarm.objects.get().state == "cleared"

    def test_leaves_what_was_wrong_open(self, customer):
        anomaly = anomaly_with_alarm()

        found = judge(anomaly, customer, "real")

        assert (found.verdict, found.state) == ("real", "open")
        assert Alarm.objects.get().state == "raised"

    def test_lets_the_newest_word_hold_and_records_each(self, customer):
        anomaly = AnomalyFactory(state="closed", closed_at=NOON - HOUR)

        judge(anomaly, customer, "normal")
        judge(anomaly, customer, "normal")
        found = judge(anomaly, customer, "real", now=NOON + HOUR)

        assert (found.verdict, found.verdict_at, found.closed_at) == ("real", NOON + HOUR, NOON - HOUR)
        assert actions() == ["anomaly.judged", "anomaly.judged"]

    def test_leaves_the_alarm_of_a_later_anomaly_alone(self, customer):
        anomaly = anomaly_with_alarm(state="closed", closed_at=NOON)

        judge(anomaly, customer, "normal")

        assert Alarm.objects.get().state == "raised"

    def test_wants_one_of_two_words(self, customer):
        with pytest.raises(verdicts.WrongVerdict):
            judge(AnomalyFactory(), customer, "perhaps")
