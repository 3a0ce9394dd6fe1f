from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from meters.devices.models import DeviceState, StateMark
from meters.devices.selectors.pulse import pulse_at
from meters.devices.services.registry import create_device, retire_device
from meters.devices.services.state import (
    note_status,
    note_statuses,
    refresh_late,
    refresh_states,
    silence_devices,
)
from meters.devices.services.watching import end_alarms_of_retired, watch_silence
from meters.models import Alarm, AlarmRule
from tests.factories import DeviceFactory
from tests.meters.devices.helpers import state_of, store_sample

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 15, 4, 10, 3, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def rule_for(kind: str, **fields: object) -> None:
    AlarmRule.objects.filter(subject_kind="device", kind=kind).delete()
    AlarmRule.objects.create(kind=kind, subject_kind="device", hold_seconds=0, clear_hold_seconds=0, **fields)


@pytest.fixture(autouse=True)
def _forget():
    cache.clear()


@pytest.fixture
def device():
    return DeviceFactory()


class TestRefreshStates:
    def test_keeps_the_newest_of_each_quantity_with_its_time(self, device):
        store_sample(device, ago(50), power_w=1000.0, switch=True)
        store_sample(device, ago(40), power_w=2500.0)
        store_sample(device, ago(30), temperature_c=31.5)

        refresh_states(now=NOW)

        state = state_of(device)
        assert (state.power_w, state.power_at) == (2500.0, ago(40))
        assert (state.temperature_c, state.temperature_at) == (31.5, ago(30))
        assert (state.switch, state.switch_at) == (True, ago(50))
        assert (state.seen_at, state.heard_at) == (ago(30), ago(30))
        assert (state.is_online, state.online_changed_at) == (True, ago(30))

    def test_is_not_led_back_by_what_comes_out_of_order(self, device):
        store_sample(device, ago(40), power_w=2500.0)
        refresh_states(now=ago(20))
        store_sample(device, ago(300), received_at=ago(10), power_w=7.0, temperature_c=20.0)

        refresh_states(now=NOW)

        state = state_of(device)
        assert (state.power_w, state.power_at, state.temperature_c) == (2500.0, ago(40), 20.0)
        assert (state.seen_at, state.heard_at) == (ago(40), ago(10))

    def test_sees_what_was_committed_late_behind_the_last_run(self, device):
        store_sample(device, ago(20), power_w=1.0)
        refresh_states(now=ago(10))
        store_sample(device, ago(12), received_at=ago(12), power_w=2.0)

        refresh_states(now=NOW)

        assert state_of(device).power_w == 2.0

    def test_changes_nothing_the_second_time(self, device):
        store_sample(device, ago(5), power_w=1.0)
        refresh_states(now=NOW)
        before = DeviceState.objects.extra(select={"place": "ctid::text"}).values().get()

        refresh_states(now=NOW)

        assert DeviceState.objects.extra(select={"place": "ctid::text"}).values().get() == before

    def test_catches_up_after_a_long_stop(self, device):
        StateMark.objects.update(until=NOW - timedelta(days=3))
        store_sample(device, NOW - timedelta(hours=20), power_w=5.0)
        store_sample(device, ago(2), temperature_c=5.0)

        refreshed = refresh_states(now=NOW)

        state = state_of(device)
        assert (state.power_w, state.temperature_c, state.is_online) == (5.0, 5.0, True)
        assert refreshed.until == ago(5)

    def test_leaves_what_is_heard_of_a_retired_device(self):
        retired = DeviceFactory(status="retired", retired_at=NOW)
        store_sample(retired, ago(5), power_w=1.0)

        refresh_states(now=NOW)

        assert not DeviceState.objects.exists()

    def test_costs_as_many_queries_for_many_devices_as_for_one(self):
        def queries(devices):
            for device in devices:
                store_sample(device, ago(5), power_w=1.0)
            StateMark.objects.update(until=ago(30))
            with CaptureQueriesContext(
                connection,
            ) as captured:
                refresh_states(now=NOW)
            return len(captured)

        assert queries([DeviceFactory()]) == queries(DeviceFactory.create_batch(9))

    def test_counts_what_came_when(self, device):
        for seconds in (80, 69, 68, 30):
            store_sample(device, ago(seconds), power_w=1.0)
        refresh_states(now=ago(60))
        refresh_states(now=NOW)

        pulse = pulse_at(now=NOW)

        counted = {bar.start: bar.rate for bar in pulse.bars if bar.rate}
        assert sum(counted.values()) * 5 == 4
        assert pulse.rate == pytest.approx(3 / 60)
        assert pulse.highest == max(counted.values())


class TestPulse:
    def test_knows_no_rate_where_nothing_was_counted(self):
        pulse = pulse_at(now=NOW)

        assert (pulse.rate, pulse.counted_until, pulse.highest) == (None, None, 0)
        assert len(pulse.bars) == 120


class TestLongSilence:
    def test_leaves_who_was_heard_long_ago_offline_since_then(self):
        device = create_device(device_id="plug-1", details={}, actor=PORTAL, now=ago(9000))
        store_sample(device, ago(7200), power_w=5.0)

        refresh_states(now=NOW)

        state = state_of(device)
        assert (state.is_online, state.online_changed_at, state.power_w) == (False, ago(7200), 5.0)


class TestRefreshLate:
    def test_notes_that_a_device_was_heard_that_sends_old_days_only(self, device):
        old = NOW - timedelta(days=9)
        store_sample(device, old, received_at=ago(20), power_w=3.0)
        refresh_states(now=NOW)
        assert not DeviceState.objects.exists()

        refresh_late(now=NOW)

        state = state_of(device)
        assert (state.seen_at, state.heard_at, state.power_w, state.is_online) == (old, ago(20), 3.0, True)


class TestSilence:
    def test_takes_offline_who_was_not_heard_for_long(self, device, settings):
        settings.DEVICE_OFFLINE_SECONDS = 900
        store_sample(device, ago(905), power_w=1.0)
        refresh_states(now=ago(900))
        fresh = DeviceFactory()
        store_sample(fresh, ago(10), power_w=1.0)
        refresh_states(now=NOW)

        assert silence_devices(now=NOW) == 1

        assert (state_of(device).is_online, state_of(device).online_changed_at) == (False, NOW)
        assert state_of(fresh).is_online

    def test_is_over_with_the_next_word(self, device):
        store_sample(device, ago(2000), power_w=1.0)
        refresh_states(now=ago(1990))
        silence_devices(now=ago(500))
        store_sample(device, ago(3), power_w=2.0)

        refresh_states(now=NOW)

        assert (state_of(device).is_online, state_of(device).online_changed_at) == (True, ago(3))


class TestNoteStatus:
    def test_believes_the_last_will_over_what_was_heard_before_it(self, device):
        store_sample(device, ago(20), power_w=1.0)

        assert note_status(device_id=device.device_id, online=False, now=ago(10))
        refresh_states(now=NOW)

        assert (state_of(device).is_online, state_of(device).power_w) == (False, 1.0)

    def test_counts_as_a_word(self, device):
        note_status(device_id=device.device_id, online=True, now=NOW)

        state = state_of(device)
        assert (state.is_online, state.heard_at, state.online_changed_at) == (True, NOW, NOW)

    def test_keeps_since_when_it_is_online(self, device):
        note_status(device_id=device.device_id, online=True, now=ago(60))
        note_status(device_id=device.device_id, online=True, now=NOW)

        assert (state_of(device).online_changed_at, state_of(device).heard_at) == (ago(60), NOW)

    def test_knows_nothing_of_strangers_and_the_retired(self):
        retired = DeviceFactory(status="retired", retired_at=NOW)

        assert not note_status(device_id=retired.device_id, online=True, now=NOW)
        assert not note_status(device_id="nobody", online=True, now=NOW)

    def test_takes_the_last_word_of_each_in_one_query(self, django_assert_num_queries):
        one, other = DeviceFactory.create_batch(2)
        statuses = [(one.device_id, True), (other.device_id, True), (one.device_id, False)]

        with django_assert_num_queries(1):
            assert note_statuses(statuses=statuses, now=NOW) == 2

        assert (state_of(one).is_online, state_of(other).is_online) == (False, True)


class TestAlarms:
    def test_are_raised_by_what_crosses_a_rule_and_cleared_again(self, device):
        rule_for("over_power", quantity="power_w", comparison="above", set_at=3000.0, clear_at=2900.0)
        store_sample(device, ago(60), power_w=3500.0)
        store_sample(DeviceFactory(), ago(60), power_w=100.0)

        refresh_states(now=ago(50))

        alarm = Alarm.objects.get()
        assert (alarm.subject, alarm.kind, alarm.value, alarm.state) == (
            device.device_id,
            "over_power",
            3500.0,
            "raised",
        )

        store_sample(device, ago(20), power_w=50.0)
        refresh_states(now=NOW)

        alarm.refresh_from_db()
        assert alarm.state == "cleared"

    def test_look_at_voltage_too(self, device):
        rule_for("low", quantity="voltage_v", comparison="below", set_at=207.0, clear_at=210.0)
        store_sample(device, ago(20), voltage_v=200.0)

        refresh_states(now=NOW)

        assert Alarm.objects.get().kind == "low"

    def test_tell_of_silence_until_a_device_is_heard_again(self, device):
        rule_for("offline", quantity="seen", comparison="silent", no_data_seconds=3600)
        note_status(device_id=device.device_id, online=True, now=ago(4000))
        note_status(device_id=DeviceFactory().device_id, online=True, now=ago(10))

        watch_silence(now=NOW)

        assert Alarm.objects.get().subject == device.device_id
        note_status(device_id=device.device_id, online=True, now=NOW)
        watch_silence(now=NOW)
        assert Alarm.objects.get().state == "cleared"

    def test_ask_nothing_of_the_states_where_no_rule_looks_at_silence(self, device, django_assert_num_queries):
        AlarmRule.objects.all().delete()
        note_status(device_id=device.device_id, online=True, now=ago(4000))

        with django_assert_num_queries(1):
            assert watch_silence(now=NOW) == 0

    def test_end_with_the_device(self, device):
        rule_for("over_power", quantity="power_w", comparison="above", set_at=3000.0, clear_at=2900.0)
        store_sample(device, ago(60), power_w=3500.0)
        refresh_states(now=ago(50))

        retire_device(pk=device.pk, actor=PORTAL, now=NOW)
        assert end_alarms_of_retired(now=NOW) == 1

        assert Alarm.objects.get().state == "cleared"
