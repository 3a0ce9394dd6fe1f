"""Commands from the asking to the effect, against the database."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor
from accounts.models import AuditEntry
from accounts.roles import Role
from meters.devices.commanding import EFFECT_WINDOW
from meters.devices.models import Command, Device, DeviceSample
from meters.devices.selectors.commands import UnknownDevice
from meters.devices.services import commands
from meters.devices.services.commands import CommandAck
from meters.series.partitions import ensure_partitions
from meters.series.spec import Grain, SeriesSpec
from tests.factories import AccountAccessFactory, DataSourceFactory, ManagerFactory, UserFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 11, 4, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MACHINE = Actor()


@pytest.fixture
def device():
    return Device.objects.create(device_id="plug-1")


def ask(device, *, switch=True, now=NOW, actor=MACHINE, **more):
    return commands.send_command(device_id=device.device_id, switch=switch, actor=actor, now=now, **more)


def delivered(device, *, switch=True, now=NOW):
    command = ask(device, switch=switch, now=now)
    commands.take_due(limit=10, now=now)
    commands.note_sent(sent={command.pk: now})
    commands.note_acks(acks=[CommandAck(command.pk, device.device_id, True)], now=now + SECOND)
    return command


def tell(device, time, **values):
    spec = SeriesSpec.of(DeviceSample, owner="device", identity=("switch",), grain=Grain.DAY)
    ensure_partitions(spec, [time], floor=time, ceiling=time)
    DeviceSample.objects.create(device=device, time=time, received_at=time, **values)


def story(command):
    return [step.status for step in command.steps.all()]


def status(command):
    command.refresh_from_db()
    return command.status


class TestSendCommand:
    def test_queues_it_with_who_asked_and_until_when(self, device, settings):
        manager = ManagerFactory()

        command = ask(device, actor=Actor(user=manager))

        assert (command.status, command.user, command.attempts) == ("queued", manager, 0)
        assert command.expires_at == NOW + timedelta(seconds=settings.COMMAND_EXPIRY_SECONDS)
        assert story(command) == ["queued"]
        assert AuditEntry.objects.get(action="command.queued").user == manager

    def test_names_the_machine_that_asked(self, device):
        source = DataSourceFactory()

        assert ask(device, actor=Actor(source=source)).source == source

    def test_refuses_a_critical_load(self, device):
        Device.objects.update(is_critical=True)

        with pytest.raises(commands.CriticalLoad):
            ask(device)

        assert not Command.objects.exists()

    def test_refuses_a_device_out_of_service(self, device):
        Device.objects.update(status="retired", retired_at=NOW)

        with pytest.raises(commands.RetiredDevice):
            ask(device)

    @pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=1, seconds=1)])
    def test_refuses_a_lifetime_of_nothing_or_of_more_than_a_day(self, device, lifetime):
        with pytest.raises(commands.Invalid):
            ask(device, expires_in=lifetime)

    def test_brings_the_open_one_of_the_same_device_to_its_end(self, device):
        first, second = delivered(device), ask(device, switch=False, now=NOW + 2 * SECOND)
        third = ask(device, now=NOW + 3 * SECOND)

        assert [status(command) for command in (first, second, third)] == ["not_effective", "failed", "queued"]
        assert [command.id for command in commands.take_due(limit=10, now=NOW + 3 * SECOND)] == [third.pk]

    @pytest.mark.parametrize("right", ["administer", "view"])
    def test_asks_of_a_customer_the_right_to_administer(self, device, right):
        access = AccountAccessFactory(right=right)
        Device.objects.update(account=access.account)

        if right == "view":
            with pytest.raises(commands.NotAdministrator):
                ask(device, actor=Actor(user=access.user))
        else:
            assert ask(device, actor=Actor(user=access.user)).user == access.user

    @pytest.mark.parametrize("role", [Role.CUSTOMER, Role.AGENT])
    def test_hides_the_device_from_whoever_does_not_see_it(self, device, role):
        with pytest.raises(UnknownDevice):
            ask(device, actor=Actor(user=UserFactory(role=role)))

    def test_lets_an_operator_switch_any_device(self, device):
        assert ask(device, actor=Actor(user=UserFactory(role=Role.OPERATOR))).status == "queued"


class TestTakeDue:
    def test_hands_a_command_out_once_and_again_when_nothing_came_of_it(self, device):
        command = ask(device)

        first = commands.take_due(limit=10, now=NOW)
        at_once = commands.take_due(limit=10, now=NOW + SECOND)
        again = commands.take_due(limit=10, now=NOW + 3 * SECOND)

        assert [(item.id, item.device_id, item.switch, item.expires_at) for item in first] == [
            (command.pk, "plug-1", True, command.expires_at)
        ]
        assert at_once == []
        assert again == first

    def test_lets_it_expire_when_nobody_acknowledges(self, device):
        command = ask(device)
        commands.take_due(limit=10, now=NOW)
        commands.note_sent(sent={command.pk: NOW})

        assert commands.take_due(limit=10, now=command.expires_at) == []
        assert status(command) == "expired"
        assert command.settled_at == command.expires_at
        assert story(command) == ["queued", "sent", "expired"]

    def test_costs_the_same_number_of_queries_however_much_is_due(self, device):
        def queries():
            with CaptureQueriesContext(
                connection,
            ) as captured:
                commands.take_due(limit=100, now=NOW + SECOND)
            return len(captured)

        delivered(device)
        one = queries()
        for number in range(5):
            delivered(Device.objects.create(device_id=f"more-{number}"))

        assert queries() == one


class TestNoteAcks:
    def test_takes_the_device_at_its_word_that_it_refuses(self, device):
        command = ask(device)
        commands.take_due(limit=10, now=NOW)

        commands.note_acks(acks=[CommandAck(command.pk, "plug-1", False)], now=NOW)

        assert status(command) == "failed"
        assert command.reason == "The device refused it."

    def test_counts_an_answer_of_another_device_and_does_nothing_with_it(self, device):
        command = ask(device)

        strangers = commands.note_acks(acks=[CommandAck(command.pk, "plug-2", True)], now=NOW)

        assert (strangers, status(command)) == (1, "queued")

    def test_hears_an_answer_twice_and_acts_once(self, device):
        command = delivered(device)

        commands.note_acks(acks=[CommandAck(command.pk, "plug-1", True)] * 2, now=NOW + 5 * SECOND)

        assert story(command) == ["queued", "sent", "delivered"]

    def test_keeps_in_the_ledger_what_came_too_late(self, device):
        command = ask(device)
        commands.take_due(limit=10, now=command.expires_at)

        for _ in range(2):
            commands.note_acks(acks=[CommandAck(command.pk, "plug-1", True)], now=command.expires_at + SECOND)

        assert status(command) == "expired"
        assert [step.detail for step in command.steps.all()][2:] == ["Too late, the device answered ok."]

    def test_may_come_before_the_brokers_receipt(self, device):
        command = ask(device)
        commands.take_due(limit=10, now=NOW)

        commands.note_acks(acks=[CommandAck(command.pk, "plug-1", True)], now=NOW)
        commands.note_sent(sent={command.pk: NOW})

        assert status(command) == "delivered"


class TestEffect:
    def test_is_there_once_telemetry_shows_it(self, device):
        command = delivered(device)
        commands.take_due(limit=10, now=NOW + SECOND)
        assert status(command) == "delivered"

        tell(device, NOW + 2 * SECOND, power_w=800.0)
        commands.take_due(limit=10, now=NOW + 3 * SECOND)

        assert status(command) == "effective"
        assert story(command) == ["queued", "sent", "delivered", "effective"]

    def test_counts_what_the_device_told_before_it_acknowledged(self, device):
        command = ask(device)
        commands.take_due(limit=10, now=NOW)
        tell(device, NOW, switch=True)
        commands.note_acks(acks=[CommandAck(command.pk, "plug-1", True)], now=NOW + SECOND)
        commands.note_sent(sent={command.pk: NOW + SECOND / 2})

        commands.take_due(limit=10, now=NOW + SECOND)

        assert status(command) == "effective"
        assert command.sent_at == NOW + SECOND / 2

    def test_is_not_shown_by_what_the_device_told_before_it_was_sent(self, device):
        tell(device, NOW - 2 * SECOND, switch=True)
        command = delivered(device)

        commands.take_due(limit=10, now=NOW + SECOND + EFFECT_WINDOW)

        assert status(command) == "not_effective"

    def test_counts_the_newest_word_of_the_switch(self, device):
        command = delivered(device, switch=False)
        tell(device, NOW + SECOND, switch=True, power_w=0.0)
        tell(device, NOW + 2 * SECOND, temperature_c=30.0)

        commands.take_due(limit=10, now=NOW + SECOND + EFFECT_WINDOW)

        assert status(command) == "not_effective"
        assert command.reason == "The device tells otherwise: its switch is on."
