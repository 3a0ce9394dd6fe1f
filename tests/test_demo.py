import json
import stat
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db.models import F, Sum
from django.utils import timezone

from accounts.models import AccountAccess, CustomerAccount, User
from accounts.roles import Role
from billing.models import Bill, BillLine, BillRun, TariffVersion
from billing.services.tariffs import load_singapore_tariff
from energy_portal.management.demo import load as loading
from energy_portal.management.demo.state import Stage, stage, wipe
from energy_portal.shared.demo_logins import read_demo_logins
from field_ops.models import Agent, AgentPosition, ApprovalRequest, Assignment, Photo, Round
from field_ops.selectors.photos import path_of
from meters.devices.models import Command, Device, DeviceHour, FleetHour, RollupMark, StateMark
from meters.devices.services.directory import directory
from meters.models import Alarm, AlarmRule, ChainEvent, Meter, ReadingException, RegisterReading, RegistrationRequest
from tests.factories import CustomerAccountFactory

# The loader commits batch by batch and truncates: the database is emptied after each test.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _what_migrations_brought():
    load_singapore_tariff()
    RollupMark.objects.get_or_create(id=1)
    StateMark.objects.get_or_create(id=1)
    limits = {"quantity": "power_w", "comparison": "above", "set_at": 3_680.0, "clear_at": 3_500.0}
    AlarmRule.objects.get_or_create(subject_kind="device", kind="over_power", subject="", defaults=limits)


@pytest.fixture(autouse=True)
def home(settings, tmp_path, monkeypatch):
    """A home for the logins alone: the services of the run are at hand, and no others are started."""
    settings.PORTAL_HOME = tmp_path
    settings.UPLOAD_DIR = tmp_path / "media"
    for variable in ("DATABASE_URL", "REDIS_URL", "MQTT_URL"):
        monkeypatch.setenv(variable, "at hand")
    return tmp_path


def demo(*arguments):
    said = StringIO()
    call_command("demo", *arguments, stdout=said)
    return said.getvalue()


def small(*arguments):
    return demo("--accounts", "3", "--days", "40", *arguments)


@pytest.fixture(autouse=True)
def _no_devices_in_memory():
    """Know no device of a database that other tests emptied."""
    directory.forget()


class TestDemo:
    def test_makes_bills_whose_lines_add_up(self):
        small()

        issued = Bill.objects.filter(status="issued")
        assert issued.count() >= 3
        for bill in issued:
            energy = BillLine.objects.filter(bill=bill, kind="energy")
            assert bill.subtotal == energy.aggregate(sum=Sum("amount"))["sum"]
            assert bill.total == bill.subtotal + bill.tax
            assert bill.consumption_kwh == energy.aggregate(sum=Sum("quantity"))["sum"]
        assert not BillRun.objects.exclude(status="done").exists()

    def test_bills_what_the_dial_counted(self):
        demo("--accounts", "1", "--days", "70")

        bill = Bill.objects.filter(account__number="A-1001", status="issued").latest("month")
        dial = RegisterReading.objects.filter(register__meter__serial="SG-300117")
        first, last = (dial.get(time=instant).value for instant in (bill.period.lower, bill.period.upper))
        assert bill.consumption_kwh == last - first

    def test_tells_its_stories(self):
        demo("--accounts", "8", "--days", "70")

        assert ChainEvent.objects.filter(kind="removed").count() == 1
        assert ReadingException.objects.filter(code="rollover").count() == 1
        assert ReadingException.objects.filter(code="conflict", status="open").count() == 1
        assert CustomerAccount.objects.get(number="A-1004-N").bindings.count() == 1
        assert RegistrationRequest.objects.filter(status="open").count() == 1
        assert Bill.objects.filter(status="draft", held_because="incomplete_energy").count() == 1

    def test_shows_devices_that_tell_draw_and_were_switched(self):
        small()

        mine = Device.objects.filter(account__number="A-1001")
        assert mine.count() == 5
        assert mine.filter(state__is_online=True, state__power_w__isnull=False).count() == 5
        assert Device.objects.filter(state__is_online=False).count() == 2
        assert DeviceHour.objects.values("device").distinct().count() == Device.objects.count()
        assert FleetHour.objects.aggregate(sum=Sum("energy_wh"))["sum"] > 1_000
        assert Alarm.objects.open().filter(kind="over_power").count() == 1
        assert set(Command.objects.values_list("status", flat=True)) == {"effective", "failed", "expired"}

    def test_shows_agents_at_work_and_what_they_brought(self, settings):
        demo("--accounts", "18", "--days", "40")

        assert not Meter.objects.filter(status="active", region=None).exists()
        statuses = set(Assignment.objects.values_list("status", flat=True))
        assert statuses == {"pending", "in_progress", "completed", "overdue"}
        assert set(Assignment.objects.values_list("origin", flat=True)) == {"round", "proposal", "manual"}
        assert Round.objects.get().next_on > timezone.now().date()
        requests = ApprovalRequest.objects
        assert set(requests.values_list("status", flat=True)) == {"pending", "under_review", "approved", "returned"}
        reasons = dict(
            requests.filter(status__in=("pending", "under_review")).values_list(
                "submission__meter__serial", "risk_reasons"
            )
        )
        assert sorted(reasons.values()) == [[], [], [], [], ["far_from_meter"], ["outside_expected_range"]]
        assert requests.get(status="returned").review_notes
        approved = requests.get(status="approved").submission
        assert RegisterReading.objects.filter(register=approved.register, time=approved.read_at, quality=18).exists()
        assert all(path_of(photo).stat().st_size == photo.stored_bytes for photo in Photo.objects.all())
        for agent in Agent.objects.all():
            assert agent.current_load == agent.assignments.open().filter(is_in_review=False).count() > 0
            assert AgentPosition.objects.filter(shift__agent=agent).count() > 30
        assert not Assignment.objects.exclude(meter__region=F("agent__region")).filter(origin="proposal").exists()

    def test_lets_every_role_in(self, home, rf):
        small()

        logins = read_demo_logins(home)
        users = [authenticate(rf.post("/"), username=login.email, password=login.password) for login in logins]
        assert {user.role for user in users} == set(Role)
        assert AccountAccess.objects.filter(user__email="family@example.org", right="view").exists()

    def test_keeps_the_logins_to_oneself(self, home):
        small()

        path = home / "demo-logins.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(json.loads(path.read_text())["logins"]) == 9

    def test_lets_its_machine_send(self, home, client):
        small()
        key = json.loads((home / "demo-logins.json").read_text())["source"]["key"]

        answer = client.get(
            "/get_consumption",
            {"account_id": "A-1001", "period": "last_month"},
            headers={"Authorization": f"Bearer {key}"},
        )

        assert answer.status_code == 200
        assert answer.json()["consumption_kwh"] > 0

    def test_does_nothing_the_second_time(self):
        small()
        before = set(User.objects.values_list("pk", flat=True))

        said = small()

        assert "Demo data are there" in said
        assert set(User.objects.values_list("pk", flat=True)) == before

    def test_begins_anew_when_asked(self):
        small()
        before = RegisterReading.objects.count()
        Bill.objects.filter(status="issued").update(status="archived")

        demo("--wipe", "--accounts", "1", "--days", "3")

        assert stage() is Stage.LOADED
        assert 0 < RegisterReading.objects.count() < before / 10
        assert not Bill.objects.filter(status="archived").exists()

    def test_repairs_a_load_that_broke_off(self, monkeypatch):
        def broken(**options):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(loading, "run_bills", broken)
            with pytest.raises(KeyboardInterrupt):
                small()
        assert stage() is Stage.STARTED

        small()

        assert stage() is Stage.LOADED
        assert Bill.objects.filter(status="issued").exists()

    def test_leaves_accounts_of_ones_own_alone(self):
        CustomerAccountFactory()

        said = small()

        assert "no demo data were loaded" in said
        with pytest.raises(CommandError, match="--force"):
            small("--wipe")
        assert CustomerAccount.objects.count() == 1

    def test_stays_out_of_production(self, settings):
        settings.SECURE_SSL_REDIRECT = True

        with pytest.raises(CommandError, match="production"):
            small()

    @pytest.mark.parametrize("arguments", [("--accounts", "0"), ("--days", "0"), ("--days", "99999")])
    def test_refuses_absurd_sizes(self, arguments):
        with pytest.raises(CommandError, match="must be from"):
            demo(*arguments)


class TestWipe:
    def test_keeps_published_prices_and_drops_the_demo_s(self):
        published = TariffVersion.objects.count()
        small()
        assert TariffVersion.objects.count() > published

        wipe()

        assert TariffVersion.objects.count() == published > 0
        assert stage() is Stage.EMPTY


class TestPrices:
    def test_name_themselves_as_made_up(self):
        small()

        used = BillLine.objects.filter(kind="energy").values_list(F("tariff_version__name"), flat=True)
        assert used
        assert all(name.endswith("(demo)") for name in used if name.startswith("2026"))
