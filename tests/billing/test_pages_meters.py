"""Meters and their history, as the account's people see them."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from meters.models import Binding, ChainEvent
from tests.factories import BindingFactory, CustomerAccountFactory, InstallationFactory, UserFactory, since
from tests.households import home_of, report

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 15, 4, 10, tzinfo=UTC)
DAY = timedelta(days=1)
TODAY = NOW.replace(hour=0, minute=0)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def customer():
    return UserFactory()


@pytest.fixture
def client(customer) -> Client:
    made = Client()
    made.force_login(customer)
    return made


def text_of(page) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


class TestMeters:
    def test_lists_what_counts_and_what_counted(self, customer, client):
        _, register = home_of(customer)
        place = register.meter.installations.get()
        place.valid = since(NOW - 9 * DAY)
        place.save()
        former = InstallationFactory(service_point=place.service_point, valid=since(NOW - 30 * DAY, NOW - 9 * DAY))

        page = text_of(client.get("/meters"))

        assert page.index(register.meter.serial) < page.index(former.meter.serial)
        assert page.count("counts now") == 1

    def test_says_so_when_there_is_none(self, customer, client):
        account, _ = home_of(customer)
        Binding.objects.filter(account=account).delete()

        assert "No meter yet" in text_of(client.get("/meters"))


class TestMeter:
    def test_shows_events_with_their_reads_and_the_newest_readings_with_their_quality(self, customer, client):
        account, register = home_of(customer)
        report(register, start=TODAY, until=NOW)
        ChainEvent.objects.create(
            service_point=register.meter.installations.get().service_point,
            register=register,
            kind="moved_in",
            account=account,
            at=TODAY,
            value=1000,
        )

        page = text_of(client.get(f"/meters/{register.meter.serial}"))

        assert "You moved in 15 March 2025, 08:00" in page
        assert "1,000 kWh 1.8.0" in page
        assert "15 March 2025, 12:00 1,002.000" in page

    def test_keeps_to_the_account_s_own_time(self, customer, client):
        account, register = home_of(customer)
        report(register, start=TODAY - DAY, until=NOW)
        binding = Binding.objects.get(account=account)
        point = binding.service_point
        Binding.objects.filter(pk=binding.pk).update(valid=since(TODAY))
        before = BindingFactory(service_point=point, valid=since(TODAY - 9 * DAY, TODAY)).account
        for owner, kind in ((before, "moved_out"), (account, "moved_in")):
            ChainEvent.objects.create(
                service_point=point, register=register, kind=kind, account=owner, at=TODAY, value=1012
            )

        page = text_of(client.get(f"/meters/{register.meter.serial}"))

        assert "You moved in" in page
        assert "You moved out" not in page
        assert "14 March" not in page

    @pytest.mark.parametrize("serial", ["SG-none", None])
    def test_hides_the_meters_of_others(self, customer, client, serial):
        home_of(customer)
        _, other = home_of(UserFactory())

        assert client.get(f"/meters/{serial or other.meter.serial}").status_code == 404

    def test_shows_the_chosen_account_s_only(self, customer, client):
        first, register = home_of(customer, number="A-1")
        home_of(customer, number="A-2")
        client.post("/account", {"account": str(customer.accesses.exclude(account=first).get().account_id)})

        assert client.get(f"/meters/{register.meter.serial}").status_code == 404

    def test_is_not_for_whoever_has_no_account(self):
        other = Client()
        other.force_login(UserFactory())
        _, register = home_of(UserFactory(), number=CustomerAccountFactory.build().number + "-x")

        assert "No account yet" in other.get(f"/meters/{register.meter.serial}").content.decode()
