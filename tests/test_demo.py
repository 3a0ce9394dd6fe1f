from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import CustomerAccount, User
from billing.models import Bill, TariffVersion
from billing.services.tariffs import load_singapore_tariff
from energy_portal.management.demo import load as loading
from energy_portal.management.demo.state import Stage, stage, wipe
from meters.batteries.models import QuarterMark
from meters.devices.models import RollupMark, StateMark
from meters.devices.services.directory import directory
from meters.models import AlarmRule, RegisterReading
from tests.factories import CustomerAccountFactory

# The loader commits batch by batch and truncates: the database is emptied after each test.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _what_migrations_brought():
    load_singapore_tariff()
    RollupMark.objects.get_or_create(id=1)
    StateMark.objects.get_or_create(id=1)
    QuarterMark.objects.get_or_create(id=1)
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
