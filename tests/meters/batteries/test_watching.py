import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from meters.alarms import in_plain_words
from meters.batteries import tasks
from meters.batteries.models import Battery, BatteryLook
from meters.batteries.quantities import System
from meters.batteries.services import watching
from meters.batteries.services.watching import end_alarms_of_retired, watch_batteries, watch_silence
from meters.models import Alarm, AlarmRule
from meters.models.alarms import SubjectKind
from meters.services.alarms import advance, limits_of
from tests.factories import BatteryFactory, CustomerAccountFactory
from tests.meters.batteries.telling import MINUTE, NOON, SECOND, tell
from tests.meters.devices.test_hours_races import thread

pytestmark = pytest.mark.django_db


def alarms(**only: object) -> dict[str, str]:
    return dict(Alarm.objects.filter(subject_kind=SubjectKind.BATTERY, **only).values_list("kind", "state"))


def watch_for(battery: Battery, values: dict[str, float], *, since: datetime = NOON, seconds: int = 90) -> datetime:
    """Have a battery tell the same every five seconds, and look each time; return when it ended."""
    now = since
    for second in range(0, seconds + 1, 5):
        now = since + second * SECOND
        tell(battery, [(now, values)], now=now)
        watch_batteries(now=now)
        advance(now=now)
    return now


@pytest.fixture
def battery() -> Battery:
    return BatteryFactory.create(name="Berlin 1", account=CustomerAccountFactory.create())


class TestWatchBatteries:
    def test_raises_what_is_wrong_for_long_enough_and_clears_it_once_it_is_right(self, battery: Battery) -> None:
        until = watch_for(battery, {"cell_max_voltage_v": 3.65}, seconds=15)
        raised = alarms()
        watch_for(battery, {"cell_max_voltage_v": 3.5}, since=until + SECOND, seconds=65)

        assert raised == {"cell_voltage_outside": "raised"}
        assert alarms() == {"cell_voltage_outside": "cleared"}

    def test_says_in_plain_words_what_is_wrong_and_whose_it_is(self, battery: Battery) -> None:
        watch_for(battery, {"cell_max_voltage_v": 3.65}, seconds=15)

        alarm = Alarm.objects.get()
        assert alarm.text == (
            "The distance of a cell's voltage beyond its limits of Berlin 1 is 0.05 V; 0.01 V or more is too high."
        )
        assert (alarm.subject, alarm.account_id, alarm.severity) == (battery.battery_id, battery.account_id, "critical")

    def test_tells_derating_with_its_cause(self, battery: Battery) -> None:
        power = [
            (
                NOON + n * SECOND,
                {"apparent_power_kw": 90.0 if n < 200 else 40.0, "temp_igbt_c": 60.0 if n < 190 else 83.0},
            )
            for n in range(0, 300, 5)
        ]
        tell(battery, power, system=System.PCS)
        watch_batteries(now=NOON + 300 * SECOND)
        advance(now=NOON + 400 * SECOND)

        assert alarms() == {"derating_igbt_temp": "raised"}

    def test_ponders_once_a_minute_and_glances_in_between(self, battery: Battery, monkeypatch) -> None:
        pondered = []
        monkeypatch.setattr(watching, "ponder", lambda *_: pondered.append(1) or iter(()))

        watch_for(battery, {"soc_percent": 50.0}, seconds=120)

        assert len(pondered) == 3

    def test_looks_only_at_what_was_heard_since(self, battery: Battery, monkeypatch) -> None:
        tell(battery, [(NOON, {"soc_percent": 50.0})])
        watch_batteries(now=NOON)
        monkeypatch.setattr(watching, "_observed", lambda *_: pytest.fail("looked again"))

        assert watch_batteries(now=NOON + SECOND) == 0

    def test_leaves_the_past_alone(self, battery: Battery) -> None:
        rows = [(NOON + n * SECOND, {"cell_max_voltage_v": 3.9}) for n in range(60)]
        tell(battery, rows, is_live=False)
        tell(battery, [(NOON + 20 * MINUTE, {"temp_igbt_c": 30.0})], system=System.PCS)

        watch_batteries(now=NOON + 20 * MINUTE)
        advance(now=NOON + 22 * MINUTE)

        assert alarms() == {}

    def test_looks_at_no_retired_battery(self, battery: Battery) -> None:
        tell(battery, [(NOON, {"cell_max_voltage_v": 3.9})])
        Battery.objects.update(status=Battery.Status.RETIRED, retired_at=NOON)

        watch_batteries(now=NOON)

        assert not BatteryLook.objects.exists()

    def test_puts_off_whom_it_has_no_room_to_ponder(self, battery: Battery, monkeypatch) -> None:
        monkeypatch.setattr(watching, "MOST_PONDERED", 1)
        other = BatteryFactory.create()
        for second in (0, 5):
            for each in (battery, other):
                now = NOON + second * SECOND
                tell(each, [(now, {"soc_percent": 50.0})])
            watch_batteries(now=now)

        assert set(BatteryLook.objects.values_list("pondered_at", flat=True)) == {NOON, NOON + 5 * SECOND}

    def test_costs_as_many_queries_for_many_as_for_one(self, battery: Battery) -> None:
        def cost() -> int:
            with CaptureQueriesContext(connection) as context:
                watch_batteries(now=NOON + MINUTE)
            return len(context)

        def told(each: Battery) -> None:
            tell(each, [(NOON, {"cell_max_voltage_v": 3.9})])
            tell(each, [(NOON, {"temp_igbt_c": 99.0})], system=System.PCS)

        told(battery)
        one = cost()
        for each in BatteryFactory.create_batch(8):
            told(each)

        assert cost() == one
        assert one <= 16


class TestAtTheSameTime:
    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture(autouse=True)
    def _rule(self) -> None:
        AlarmRule.objects.all().delete()
        AlarmRule.objects.create(
            kind="igbt_temp_outside",
            subject_kind=SubjectKind.BATTERY,
            quantity="igbt_temp_excess_c",
            comparison="above",
            set_at=0.5,
            clear_at=-5.0,
        )

    def told(self) -> None:
        tell(BatteryFactory.create(), [(NOON, {"temp_igbt_c": 99.0})], system=System.PCS)

    def test_a_second_look_does_nothing_meanwhile(self) -> None:
        self.told()
        looked = []
        watched, may_commit = threading.Event(), threading.Event()

        def watch() -> None:
            with transaction.atomic():
                looked.append(watch_batteries(now=NOON))
                watched.set()
                may_commit.wait(60)

        with thread(watch) as ended:
            watched.wait(60)
            looked.append(watch_batteries(now=NOON))
            may_commit.set()
            ended()

        assert looked == [1, 0]
        assert Alarm.objects.count() == 1

    def test_a_look_that_dies_is_done_again(self, monkeypatch) -> None:
        self.told()
        with monkeypatch.context() as patched:
            patched.setattr(BatteryLook.objects, "bulk_create", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                watch_batteries(now=NOON)
        died = Alarm.objects.count()

        watch_batteries(now=NOON)

        assert (died, Alarm.objects.count()) == (0, 1)


class TestSilence:
    def test_is_an_alarm_of_who_was_heard_live_and_ends_with_the_next_word(self, battery: Battery) -> None:
        tell(battery, [(NOON, {"soc_percent": 50.0})])
        watch_silence(now=NOON + 6 * MINUTE)
        silent = alarms()
        tell(battery, [(NOON + 7 * MINUTE, {"soc_percent": 50.0})])
        watch_silence(now=NOON + 7 * MINUTE)
        watch_silence(now=NOON + 7 * MINUTE + SECOND)

        assert silent == {"offline": "raised"}
        assert alarms() == {"offline": "cleared"}

    def test_is_none_of_a_battery_that_files_tell_of(self, battery: Battery) -> None:
        tell(battery, [(NOON, {"soc_percent": 50.0})], is_live=False)

        watch_silence(now=NOON + timedelta(days=1))

        assert alarms() == {}

    def test_costs_as_many_queries_for_many_as_for_one(self, battery: Battery, django_assert_num_queries) -> None:
        for each in BatteryFactory.create_batch(4):
            tell(each, [(NOON, {"soc_percent": 50.0})])

        with django_assert_num_queries(11):
            watch_silence(now=NOON + 6 * MINUTE)

        assert len(Alarm.objects.all()) == 4


class TestEndAlarmsOfRetired:
    def test_ends_theirs_alone(self, battery: Battery) -> None:
        other = BatteryFactory.create()
        for each in (battery, other):
            tell(each, [(NOON, {"soc_percent": 50.0})])
        watch_silence(now=NOON + 6 * MINUTE)
        Battery.objects.filter(pk=battery.pk).update(status=Battery.Status.RETIRED, retired_at=NOON)

        assert end_alarms_of_retired(now=NOON + 7 * MINUTE) == 1
        assert Alarm.objects.open().get().subject == other.battery_id


class TestTasks:
    def test_do_nothing_where_there_is_nothing(self) -> None:
        assert (tasks.watch_batteries(), tasks.watch_silent_batteries()) == (0, 0)


class TestRules:
    def test_have_words_of_their_own_each(self) -> None:
        rules = AlarmRule.objects.filter(subject_kind=SubjectKind.BATTERY).exclude(comparison="silent")

        texts = [
            in_plain_words(limits_of(rule), label="X", quantity=rule.quantity, value=rule.set_at) for rule in rules
        ]

        assert len(texts) == 22
        assert not [text for text in texts if text.split(" of X")[0].endswith(tuple("_"))]
        assert not [rule for rule, text in zip(rules, texts, strict=True) if rule.quantity.replace("_", " ") in text]
