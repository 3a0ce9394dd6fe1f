"""Faults of appliances: found from what their plugs told, one thing with their alarms, and over when they are."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from accounts.roles import Role
from meters.devices.services.commands import NotAdministrator
from meters.insights.models import Appliance, Fault
from meters.insights.services import prices
from meters.insights.services.appliances import (
    RetiredDevice,
    UnknownKind,
    learn_anew,
    remove_appliance,
    set_appliance,
)
from meters.insights.services.faults import (
    FaultOver,
    FaultTaken,
    acknowledge_fault,
    diagnose_appliance,
    diagnose_due,
)
from meters.models import Alarm
from meters.services import alarms
from tests.factories import AccountAccessFactory, BindingFactory, DeviceFactory, ManagerFactory, UserFactory, since
from tests.meters.devices.days import drop_days, tell
from tests.meters.insights.fridge import minutes_from, watts_of

pytestmark = pytest.mark.django_db

START = datetime(2025, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HEALTHY_UNTIL = START + 2 * DAY
STUCK_UNTIL = HEALTHY_UNTIL + timedelta(hours=4)
MENDED_UNTIL = STUCK_UNTIL + timedelta(hours=4)


@pytest.fixture(scope="module", autouse=True)
def _no_days_left(django_db_blocker):
    yield
    with django_db_blocker.unblock():
        drop_days()


@pytest.fixture
def access():
    return AccountAccessFactory(right="administer")


@pytest.fixture
def device(access):
    return DeviceFactory(name="Fridge", account=access.account)


def live(device, start, end, **power):
    minutes = int((end - start) / timedelta(minutes=1))
    tell(device, minutes_from(start, minutes), watts_of(minutes, **power).tolist())


def diagnose(device, now):
    return diagnose_appliance(appliance_id=device.pk, now=now)


@pytest.fixture
def fridge(device):
    """Be a fridge that has been watched for two healthy days."""
    set_appliance(device_id=device.device_id, kind="refrigerator", actor=PORTAL, now=START)
    live(device, START, HEALTHY_UNTIL)
    diagnose(device, HEALTHY_UNTIL)
    return device


@pytest.fixture
def stuck(fridge):
    """Be a fridge that has run for four hours without a break."""
    live(fridge, HEALTHY_UNTIL, STUCK_UNTIL, stuck_from=0)
    [fault] = diagnose(fridge, STUCK_UNTIL)
    return fault


class TestDiagnose:
    def test_learns_what_is_usual_and_finds_nothing_wrong(self, fridge):
        appliance = Appliance.objects.get()

        assert appliance.standing == Appliance.Standing.WATCHED
        assert appliance.diagnosed_until == HEALTHY_UNTIL
        assert "stuck_on" in appliance.judged
        assert not Fault.objects.exists()

    def test_says_what_is_missing_while_too_little_is_known(self, device):
        set_appliance(device_id=device.device_id, kind="refrigerator", actor=PORTAL, now=START)

        assert diagnose(device, START + DAY) == []
        appliance = Appliance.objects.get()
        assert appliance.standing == Appliance.Standing.LEARNING
        assert appliance.standing_text
        assert appliance.not_judged["stuck_on"]

    def test_opens_a_fault_with_its_evidence_and_an_alarm(self, stuck, device):
        assert stuck.kind == "stuck_on"
        assert abs(stuck.began_at - HEALTHY_UNTIL) < timedelta(minutes=20)
        assert stuck.evidence["chart"]["power_w"]
        assert stuck.cost_kwh_a_day > 1
        alarm = Alarm.objects.get()
        assert (alarm.kind, alarm.subject, alarm.account) == ("appliance_stuck_on", device.device_id, device.account)
        assert stuck.alarm == alarm

    def test_goes_on_with_the_one_that_is_open(self, stuck, device):
        live(device, STUCK_UNTIL, MENDED_UNTIL, stuck_from=0)

        [again] = diagnose(device, MENDED_UNTIL)

        assert again.pk == stuck.pk
        assert again.detected_at == STUCK_UNTIL
        assert Alarm.objects.count() == 1

    def test_ends_it_once_nothing_is_wrong_any_more(self, stuck, device):
        live(device, STUCK_UNTIL, MENDED_UNTIL)

        diagnose(device, MENDED_UNTIL)

        stuck.refresh_from_db()
        assert (stuck.state, stuck.closed_at) == (Fault.State.CLOSED, MENDED_UNTIL)
        assert Alarm.objects.get(kind="appliance_stuck_on").state == Alarm.State.CLEARED

    def test_keeps_it_open_while_nothing_is_heard(self, stuck, device):
        assert diagnose(device, STUCK_UNTIL + timedelta(hours=5)) == []

        stuck.refresh_from_db()
        assert stuck.state == Fault.State.OPEN

    def test_learns_nothing_from_days_in_which_something_was_wrong(self, stuck, device):
        before = Appliance.objects.get().baseline["usuals"]["level_w"]
        live(device, STUCK_UNTIL, STUCK_UNTIL + DAY, stuck_from=0)

        diagnose(device, STUCK_UNTIL + DAY)

        assert Appliance.objects.get().baseline["usuals"]["level_w"] == before

    def test_tells_what_it_costs_where_somebody_knows_the_price(self, monkeypatch, access, fridge):
        monkeypatch.setattr(prices, "_PRICES", [lambda account, code, kwh, at: (kwh / 4, "SGD")])
        BindingFactory(account=access.account, valid=since(START - DAY))
        live(fridge, HEALTHY_UNTIL, STUCK_UNTIL, stuck_from=0)

        [fault] = diagnose(fridge, STUCK_UNTIL)

        a_month = Decimal(str(fault.cost_kwh_a_day)) * 365 / 12 / 4
        assert abs(fault.cost_a_month - a_month) < Decimal("0.01")
        assert fault.currency == "SGD"


class TestDiagnoseDue:
    def test_looks_once_an_hour_at_devices_in_service(self, device):
        set_appliance(device_id=device.device_id, kind="kettle", actor=PORTAL, now=START)

        looked_at = [
            diagnose_due(now=START + after, limit=10)
            for after in (timedelta(0), timedelta(minutes=5), timedelta(minutes=60))
        ]

        assert looked_at == [1, 0, 1]

    def test_goes_on_after_one_that_fails(self, monkeypatch, caplog):
        for _ in range(2):
            set_appliance(device_id=DeviceFactory().device_id, kind="kettle", actor=PORTAL, now=START)
        broken = Appliance.objects.order_by("pk").first()
        monkeypatch.setattr(
            "meters.insights.services.faults.lesson_of",
            lambda appliance, now: 1 / 0 if appliance.pk == broken.pk else None,
        )

        diagnose_due(now=START, limit=10)

        assert list(Appliance.objects.exclude(diagnosed_until=None)) == [Appliance.objects.exclude(pk=broken.pk).get()]
        assert f"device {broken.pk} could not be looked at" in caplog.text


class TestAcknowledge:
    def test_acknowledges_the_alarm_too(self, stuck, access):
        acknowledge_fault(fault_id=stuck.pk, note="Called.", actor=Actor(user=access.user), now=STUCK_UNTIL)

        stuck.refresh_from_db()
        assert (stuck.state, stuck.acknowledged_by, stuck.note) == ("acknowledged", access.user, "Called.")
        assert Alarm.objects.get().state == Alarm.State.ACKNOWLEDGED

    def test_follows_the_alarm(self, stuck):
        manager = ManagerFactory()

        alarms.acknowledge(alarm_id=stuck.alarm_id, note="", actor=Actor(user=manager), now=STUCK_UNTIL)

        stuck.refresh_from_db()
        assert (stuck.state, stuck.acknowledged_by) == ("acknowledged", manager)

    def test_is_one_persons(self, stuck, access):
        acknowledge_fault(fault_id=stuck.pk, note="", actor=Actor(user=ManagerFactory()), now=STUCK_UNTIL)

        with pytest.raises(FaultTaken):
            acknowledge_fault(fault_id=stuck.pk, note="", actor=Actor(user=access.user), now=STUCK_UNTIL)

    def test_refuses_what_is_over(self, stuck, device):
        live(device, STUCK_UNTIL, MENDED_UNTIL)
        diagnose(device, MENDED_UNTIL)

        with pytest.raises(FaultOver):
            acknowledge_fault(fault_id=stuck.pk, note="", actor=PORTAL, now=MENDED_UNTIL)


class TestSetAppliance:
    def test_is_said_by_whoever_administers_the_account(self, device, access):
        set_appliance(device_id=device.device_id, kind="kettle", actor=Actor(user=access.user), now=START)

        assert Appliance.objects.get().kind == "kettle"
        assert AuditEntry.objects.get(action="appliance.set").user == access.user

    def test_is_not_said_by_somebody_who_only_looks(self, device):
        onlooker = AccountAccessFactory(account=device.account, right="view").user

        with pytest.raises(NotAdministrator):
            set_appliance(device_id=device.device_id, kind="kettle", actor=Actor(user=onlooker), now=START)

    def test_forgets_what_was_usual_of_another_kind_and_ends_its_faults(self, stuck, device):
        set_appliance(device_id=device.device_id, kind="freezer", actor=PORTAL, now=STUCK_UNTIL)

        assert Appliance.objects.get().baseline == {}
        assert not Fault.objects.all().open().exists()
        assert Alarm.objects.get().state == Alarm.State.CLEARED

    def test_changes_nothing_when_said_again(self, fridge):
        set_appliance(device_id=fridge.device_id, kind="refrigerator", actor=PORTAL, now=HEALTHY_UNTIL)

        assert Appliance.objects.get().baseline
        assert AuditEntry.objects.filter(action="appliance.set").count() == 1

    def test_refuses_what_it_does_not_know_and_what_is_out_of_service(self, device):
        with pytest.raises(UnknownKind):
            set_appliance(device_id=device.device_id, kind="piano", actor=PORTAL, now=START)
        device.status, device.retired_at = "retired", START
        device.save()
        with pytest.raises(RetiredDevice):
            set_appliance(device_id=device.device_id, kind="kettle", actor=PORTAL, now=START)


class TestRemoveAppliance:
    def test_ends_what_was_wrong_and_looks_at_it_no_more(self, stuck, device):
        remove_appliance(device_id=device.device_id, actor=PORTAL, now=MENDED_UNTIL)

        assert Fault.objects.get().state == Fault.State.CLOSED
        assert diagnose_due(now=MENDED_UNTIL + DAY, limit=10) == 0


class TestLearnAnew:
    def test_takes_only_days_from_now_on(self, stuck, device):
        learn_anew(device_id=device.device_id, actor=PORTAL, now=STUCK_UNTIL)
        live(device, STUCK_UNTIL, MENDED_UNTIL)

        diagnose(device, MENDED_UNTIL)

        appliance = Appliance.objects.get()
        assert appliance.standing == Appliance.Standing.LEARNING
        assert appliance.baseline["since"] == STUCK_UNTIL.timestamp()


class TestVisibility:
    def test_shows_each_role_what_is_theirs(self, stuck, access):
        def sees(user):
            return Fault.objects.visible_to(user).exists()

        assert [sees(user) for user in (access.user, ManagerFactory(), UserFactory(role=Role.OPERATOR))] == [True] * 3
        assert not sees(UserFactory())
