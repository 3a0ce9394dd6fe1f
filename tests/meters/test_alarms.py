"""Alarms come and go as their rules say, whatever is sent twice, late or all at once."""

from datetime import UTC, datetime, timedelta

import pytest

from meters.models import Alarm, AlarmNotice, AlarmWatch
from meters.services import alarms
from meters.services.alarms import Observation
from tests.factories import AlarmRuleFactory, CustomerAccountFactory

pytestmark = pytest.mark.django_db

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def power(watts, *, at=NOON, subject="plug-1", **more) -> Observation:
    return Observation(subject, f"Plug {subject}", "power_w", watts, at, **more)


def observe(*observations, now=None) -> int:
    latest = max(each.at for each in observations)
    return alarms.observe(subject_kind="device", observations=observations, now=now or latest)


def states(subject="plug-1") -> list[str]:
    return list(Alarm.objects.filter(subject=subject).order_by("raised_at").values_list("state", flat=True))


class TestObserve:
    def test_raises_at_the_threshold_and_says_so_in_plain_words(self):
        account = CustomerAccountFactory()
        rule = AlarmRuleFactory(kind="too_much")

        assert observe(power(3000.0, account_id=account.pk)) == 1

        alarm = Alarm.objects.get()
        assert (alarm.rule, alarm.kind, alarm.account, alarm.value) == (rule, "too_much", account, 3000.0)
        assert alarm.text == "The power of Plug plug-1 is 3,000 W; 3,000 W or more is too high."

    def test_clears_only_at_the_other_threshold(self):
        AlarmRuleFactory()
        observe(power(3100.0))

        observe(power(2801.0, at=NOON + MINUTE))
        assert states() == ["raised"]

        observe(power(2800.0, at=NOON + 2 * MINUTE))
        assert states() == ["cleared"]

    def test_waits_for_the_hold_to_come_true(self):
        AlarmRuleFactory(hold_seconds=60)
        observe(power(3100.0))
        assert states() == []

        alarms.advance(now=NOON + 59 * MINUTE / 60)
        assert states() == []

        alarms.advance(now=NOON + MINUTE)
        assert states() == ["raised"]
        assert Alarm.objects.get().label == "Plug plug-1"

    def test_forgets_a_hold_that_broke(self):
        AlarmRuleFactory(hold_seconds=60)
        observe(power(3100.0))
        observe(power(100.0, at=NOON + MINUTE / 2))

        alarms.advance(now=NOON + 2 * MINUTE)

        assert states() == []

    def test_does_nothing_about_what_is_sent_again(self):
        AlarmRuleFactory()
        batch = (power(3100.0), power(100.0, at=NOON + MINUTE))
        observe(batch[0])
        observe(batch[1])

        assert observe(*batch) == observe(batch[0]) == 0
        assert states() == ["cleared"]

    def test_takes_names_as_they_are(self):
        AlarmRuleFactory()
        name = 'Über "{,}" \\ NULL'

        observe(alarms.Observation("NULL", name, "power_w", 3100.0, NOON))

        assert (Alarm.objects.get().subject, Alarm.objects.get().label) == ("NULL", name)

    def test_takes_a_missing_value_for_nothing(self):
        AlarmRuleFactory()
        observe(power(3100.0))

        assert observe(power(None, at=NOON + MINUTE)) == 0
        assert states() == ["raised"]

    def test_lets_a_subjects_own_rule_stand_in_for_the_one_of_all(self):
        AlarmRuleFactory(kind="too_much")
        AlarmRuleFactory(kind="too_much", subject="plug-1", set_at=5000.0, clear_at=4000.0)
        AlarmRuleFactory(kind="too_much", subject="plug-2", is_enabled=False)

        observe(power(3100.0), power(3100.0, subject="plug-2"), power(3100.0, subject="plug-3"))

        assert set(Alarm.objects.values_list("subject", flat=True)) == {"plug-3"}

    def test_remembers_nobody_who_is_within_bounds(self):
        AlarmRuleFactory()

        observe(power(100.0), power(2999.0, subject="plug-2"))

        assert not AlarmWatch.objects.exists()

    @pytest.mark.parametrize("batch", [2, 200])
    def test_asks_the_same_number_of_questions_for_any_batch(self, batch, django_assert_num_queries):
        AlarmRuleFactory()
        odd = [power(3100.0, subject=f"odd-{n}") for n in range(batch)]
        observe(*odd)
        mixed = [
            *(power(100.0, subject=each.subject, at=NOON + MINUTE) for each in odd),
            *(power(3100.0, subject=f"new-{n}", at=NOON + MINUTE) for n in range(batch)),
        ]

        with django_assert_num_queries(10):
            observe(*mixed)

        assert Alarm.objects.open().count() == batch


class TestCheckSilence:
    def test_raises_once_and_clears_when_heard_again(self):
        AlarmRuleFactory(comparison="silent", quantity="seen", set_at=None, clear_at=None, no_data_seconds=3600)

        def check(heard_at, now):
            return alarms.check_silence(
                subject_kind="device", last_heard=[("plug-1", "Plug", heard_at, None, None)], now=now
            )

        assert check(NOON, NOON + 59 * MINUTE) == 0
        assert check(NOON, NOON + 60 * MINUTE) == 1
        assert check(NOON, NOON + 61 * MINUTE) == 0
        assert alarms.silent_subjects("device") == {"plug-1"}
        assert Alarm.objects.get().text == "Plug has not been heard from for an hour."
        assert check(NOON + 62 * MINUTE, NOON + 62 * MINUTE) == 1
        assert states() == ["cleared"]
        assert alarms.silent_subjects("device") == frozenset()


class TestRaiseAlarm:
    def test_is_idempotent_until_it_is_cleared(self):
        raising = {"subject_kind": "device", "subject": "plug-1", "label": "Plug", "kind": "smoke", "text": "Smoke."}
        first = alarms.raise_alarm(**raising, now=NOON)

        assert alarms.raise_alarm(**raising, now=NOON + MINUTE) == first
        assert AlarmNotice.objects.filter(alarm=first, channel="mqtt").count() == 1
        assert alarms.clear_alarm(subject_kind="device", subject="plug-1", kind="smoke", now=NOON + MINUTE)
        assert not alarms.clear_alarm(subject_kind="device", subject="plug-1", kind="smoke", now=NOON + MINUTE)
        assert alarms.raise_alarm(**raising, now=NOON + 2 * MINUTE) != first
