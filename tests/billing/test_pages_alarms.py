"""Alarms as customers read them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils.html import strip_tags

from tests.factories import AccountAccessFactory, AlarmFactory, ManagerFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 1, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def access():
    return AccountAccessFactory()


def text_of(user, path) -> str:
    client = Client()
    client.force_login(user)
    return " ".join(strip_tags(client.get(path).text).split())


class TestAlarms:
    def test_say_what_is_wrong_since_when_and_what_to_do(self, access):
        AlarmFactory(
            account=access.account,
            kind="over_temperature",
            label="Kettle",
            text="The kettle is hot.",
            severity="critical",
            raised_at=NOW,
        )

        page = text_of(access.user, "/alarms")

        assert "Urgent: Kettle The kettle is hot. Switch it off" in page
        assert "Since 1 March, 12:00." in page

    @pytest.mark.parametrize(
        ("state", "words"),
        [
            ({"state": "acknowledged"}, "We are taking care of it."),
            ({"snoozed_until": NOW + timedelta(hours=1)}, "We know of it."),
        ],
    )
    def test_say_what_is_done(self, access, state, words):
        AlarmFactory(account=access.account, note="He never pays.", **state)

        page = text_of(access.user, "/alarms")

        assert words in page
        assert "He never pays." not in page

    def test_show_the_worst_first_and_what_is_over_below(self, access):
        for text, severity in (("Odd.", "info"), ("Burns.", "critical"), ("Warm.", "warning")):
            AlarmFactory(account=access.account, text=text, severity=severity)
        AlarmFactory(account=access.account, text="Was.", state="cleared", cleared_at=NOW - timedelta(days=2))
        AlarmFactory(account=access.account, text="Long ago.", state="cleared", cleared_at=NOW - timedelta(days=31))

        page = text_of(access.user, "/alarms")

        places = [page.index(text) for text in ("Burns.", "Warm.", "Odd.", "Was.")]
        assert places == sorted(places)
        assert "Long ago." not in page

    def test_are_their_own(self, access):
        AlarmFactory(account=AccountAccessFactory().account, text="Somebody else's.")

        assert "All is well" in text_of(access.user, "/alarms")

    def test_send_staff_to_the_admins_list(self):
        client = Client()
        client.force_login(ManagerFactory())

        assert client.get("/alarms").url == "/admin/meters/alarm/"

    def test_ask_for_a_login(self):
        assert Client().get("/alarms").url.startswith("/login")


class TestHome:
    def test_has_the_worst_three_above_all_else(self, access):
        for n in range(5):
            AlarmFactory(account=access.account, text=f"Wrong {n}.")

        page = text_of(access.user, "/home")

        assert page.count("Wrong ") == 3
        assert "2 more alarms" in page
        assert "alarm" not in text_of(AccountAccessFactory().user, "/home").replace("Alarms Change", "")
