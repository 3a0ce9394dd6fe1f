"""Who is told of what by e-mail."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor
from accounts.models import AuditEntry, NotificationKind, User
from accounts.selectors.notifications import addresses_told, choices_of, wanting, wants
from accounts.services.notifications import choose_notifications
from energy_portal.shared.errors import Invalid
from tests.accounts.conftest import NOW
from tests.factories import AccountAccessFactory, CustomerAccountFactory, NotificationChoiceFactory, UserFactory, since

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
DAY = timedelta(days=1)


def choose(user, **choices):
    choose_notifications(user_id=user.pk, choices=choices, actor=Actor(user=user), now=NOW)


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


class TestWants:
    @pytest.mark.parametrize("kind", NotificationKind)
    def test_names_whoever_administers_the_account_unless_they_chose_otherwise(self, account, administrator, kind):
        assert wants(account, kind) == [administrator]

        choose(administrator, **{kind: False})

        assert wants(account, kind) == []

    def test_names_whoever_looks_on_for_alarms_only_until_they_choose_more(self, account, viewer):
        assert [kind for kind in NotificationKind if wants(account, kind)] == ["alarm"]

        choose(viewer, bill_issued=True)

        assert wants(account, "bill_issued") == [viewer]

    def test_tells_of_the_household_only_those_who_administer_it(self, account, viewer):
        NotificationChoiceFactory(user=viewer, kind=NotificationKind.HOUSEHOLD)

        assert wants(account, "household") == []

    @pytest.mark.parametrize("valid", [since(NOW - 2 * DAY, NOW), since(NOW + DAY)])
    def test_leaves_out_those_whose_access_is_over_or_has_not_begun(self, account, valid):
        AccountAccessFactory(account=account, right="administer", valid=valid)

        assert wants(account, "bill_issued") == []

    def test_leaves_out_those_who_are_suspended(self, account, administrator):
        User.objects.filter(pk=administrator.pk).update(status=User.Status.SUSPENDED)

        assert wants(account, "bill_issued") == []

    def test_takes_two_queries_for_many_accounts(self):
        accesses = [AccountAccessFactory(right="administer") for _ in range(3)]

        with CaptureQueriesContext(connection) as captured:
            found = wanting([access.account_id for access in accesses], "reminder", now=NOW)

        assert found == {access.account_id: [access.user] for access in accesses}
        assert len(captured) == 2


class TestAddressesTold:
    def test_adds_the_account_s_own_address(self, account, administrator):
        assert addresses_told([account], "alarm", now=NOW)[account.pk] == {account.email, administrator.email}

    def test_respects_what_the_login_of_that_address_chose(self):
        user = UserFactory(email="mei@example.org")
        account = CustomerAccountFactory(email="Mei@example.org")
        AccountAccessFactory(account=account, user=user, right="administer")
        choose(user, alarm=False)

        assert addresses_told([account], "alarm", now=NOW) == {account.pk: set()}


class TestChoose:
    def test_keeps_the_kinds_that_are_not_named_and_notes_who_chose(self, administrator):
        choose(administrator, alarm=False)
        choose(administrator, reminder=False)

        standing = choices_of(administrator, administers_any=True)

        assert [kind for kind, wanted in standing.items() if not wanted] == ["reminder", "alarm"]
        assert AuditEntry.objects.filter(action="user.notifications_chosen", user=administrator).count() == 2

    def test_refuses_a_kind_that_does_not_exist(self, administrator):
        with pytest.raises(Invalid, match="weather"):
            choose(administrator, weather=True)


class TestPage:
    def test_keeps_what_is_ticked(self, account, administrator):
        client = logged_in(administrator)
        assert client.get("/notifications").content.decode().count(" checked") == len(NotificationKind)

        answer = client.post("/notifications", {"alarm": "on", "sent": "1"})

        assert answer.status_code == 302
        assert [kind for kind in NotificationKind if wants(account, kind)] == ["alarm"]

    def test_offers_whoever_looks_on_nothing_about_the_household(self, viewer):
        page = logged_in(viewer).get("/notifications").content.decode()

        assert 'name="bill_issued"' in page
        assert 'name="household"' not in page


class TestApi:
    def test_tells_and_changes_the_choice(self, api, administrator):
        client = api(user=administrator)

        answer = client.patch("/api/v1/me/notifications", {"alarm": False}, format="json")

        assert answer.json()["alarm"] is False
        assert client.get("/api/v1/me/notifications").json() == answer.json()

    def test_is_for_customers(self, api, manager):
        assert api(user=manager).get("/api/v1/me/notifications").status_code == 403
