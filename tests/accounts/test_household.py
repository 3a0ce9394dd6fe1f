"""Access that is changed, the household's page, and who hears of it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.test import Client

import accounts.tasks  # noqa: F401  workers import it themselves
from accounts.actors import PORTAL, Actor
from accounts.models import AccountAccess, AuditEntry, CustomerAccount, Invitation
from accounts.selectors.access import household
from accounts.services import access
from tests.accounts.conftest import NOW
from tests.factories import LONG_AGO, AccountAccessFactory, NotificationChoiceFactory, UserFactory, since

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
DAY = timedelta(days=1)
SINGAPORE = ZoneInfo("Asia/Singapore")


@pytest.fixture(autouse=True)
def _mail_at_once(monkeypatch):
    monkeypatch.setattr("django.db.transaction.on_commit", lambda deed, *args, **kwargs: deed())


def change(which, *, actor=PORTAL, right="view", until=None) -> AccountAccess:
    return access.change_access(access_id=which.pk, right=right, until=until, actor=actor, now=NOW)


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


class TestChangeAccess:
    def test_keeps_on_record_what_an_access_was_until_now(self, account, administrator, viewer):
        old = viewer.accesses.get()

        new = change(old, actor=Actor(user=administrator), right="administer", until=NOW + DAY)

        old.refresh_from_db()
        assert (old.right, old.valid.upper) == ("view", NOW)
        assert (new.right, new.valid.lower, new.valid.upper) == ("administer", NOW, NOW + DAY)
        assert AuditEntry.objects.get(action="access.changed").detail["before"]["right"] == "view"
        assert household(account=account, user=administrator, now=NOW).former == (old,)

    def test_gives_the_same_right_another_end_in_place(self, account, administrator, viewer):
        changed = change(viewer.accesses.get(), actor=Actor(user=administrator), until=NOW + DAY)

        assert (changed.pk, changed.valid.lower, changed.valid.upper) == (viewer.accesses.get().pk, LONG_AGO, NOW + DAY)

    def test_changes_what_has_not_begun_in_place(self, account, administrator):
        coming = AccountAccessFactory(account=account, valid=since(NOW + DAY))

        changed = change(coming, actor=Actor(user=administrator), right="administer")

        assert (changed.pk, changed.right, changed.valid.lower) == (coming.pk, "administer", NOW + DAY)

    @pytest.mark.parametrize("until", [NOW, NOW - DAY])
    def test_refuses_an_end_that_is_over(self, viewer, until):
        with pytest.raises(access.BadPeriod):
            change(viewer.accesses.get(), until=until)

    def test_refuses_whoever_only_looks_on_even_for_themselves(self, administrator, viewer):
        with pytest.raises(access.NotAdministrator):
            change(viewer.accesses.get(), actor=Actor(user=viewer), right="administer")

    def test_hides_accesses_from_strangers(self, viewer, stranger):
        with pytest.raises(access.NoSuchAccess):
            change(viewer.accesses.get(), actor=Actor(user=stranger))

    @pytest.mark.parametrize("wish", [{"right": "view"}, {"right": "administer", "until": NOW + DAY}])
    def test_leaves_a_household_its_last_administrator(self, administrator, wish):
        with pytest.raises(access.LastAdministrator):
            change(administrator.accesses.get(), actor=Actor(user=administrator), **wish)

    def test_refuses_to_run_into_the_login_s_next_access(self, account, viewer):
        AccountAccess.objects.filter(user=viewer).update(valid=since(LONG_AGO, NOW + DAY))
        AccountAccessFactory(account=account, user=viewer, valid=since(NOW + 2 * DAY))

        with pytest.raises(access.AccessExists):
            change(viewer.accesses.earliest("valid"))


class TestHouseholdNews:
    def test_tells_the_other_administrators_who_want_it(self, account, administrator, viewer):
        other, silent = (AccountAccessFactory(account=account, right="administer").user for _ in range(2))
        NotificationChoiceFactory(user=silent, kind="household", wanted=False)

        change(viewer.accesses.get(), actor=Actor(user=administrator), until=NOW + DAY)

        assert [message.to for message in mail.outbox] == [[other.email]]
        assert f"{viewer} to account A-1001 was changed" in mail.outbox[0].body
        assert "Their access ends on 16 March 2025, 12:00." in mail.outbox[0].body

    def test_tells_of_those_who_join_and_leave(self, account, administrator):
        newcomer = UserFactory(name="Li")
        given = access.grant_access(
            account=account, user=newcomer, right="view", valid=since(NOW), actor=Actor(user=newcomer), now=NOW
        )
        access.end_access(access_id=given.pk, actor=Actor(user=newcomer), now=NOW + DAY)

        assert ["now has access" in message.body for message in mail.outbox] == [True, False]
        assert "is ended" in mail.outbox[1].body


class TestPage:
    def test_invites_from_the_start_of_a_day_to_the_end_of_another(self, account, administrator):
        wish = {"email": "li@example.org", "right": "view", "since": "2025-04-01", "until": "2025-04-30"}

        logged_in(administrator).post("/household/invite", wish)

        offered = Invitation.objects.get().valid
        assert offered.lower == datetime(2025, 4, 1, tzinfo=SINGAPORE)
        assert offered.upper == datetime(2025, 5, 1, tzinfo=SINGAPORE)
        assert "1 April 2025" in logged_in(administrator).get("/household").content.decode()

    def test_refuses_an_end_before_the_start(self, administrator):
        wish = {"email": "li@example.org", "right": "view", "since": "2025-04-30", "until": "2025-04-01"}

        answer = logged_in(administrator).post("/household/invite", wish)

        assert (answer.status_code, "The end lies before the start." in answer.content.decode()) == (422, True)

    def test_changes_an_access_by_its_form(self, administrator, viewer):
        path = f"/household/access/{viewer.accesses.get().pk}"

        answer = logged_in(administrator).post(path, {"right": "administer", "until": ""})

        assert answer.status_code == 302
        assert CustomerAccount.objects.administered_by(viewer, now=NOW).exists()

    def test_says_what_is_wrong_with_a_change(self, administrator, viewer):
        path = f"/household/access/{viewer.accesses.get().pk}"

        answer = logged_in(administrator).post(path, {"right": "own", "until": ""})

        assert (answer.status_code, "errorlist" in answer.content.decode()) == (422, True)

    @pytest.mark.parametrize("form", [{"right": "administer", "until": ""}, {"right": "own"}])
    def test_lets_whoever_looks_on_change_nothing(self, viewer, form):
        client = logged_in(viewer)

        assert client.post(f"/household/access/{viewer.accesses.get().pk}", form).status_code == 403
        assert client.post("/household/invite", {"email": "li@example.org", "right": "view"}).status_code == 403
        assert client.post("/household/members", {"name": "Li", "relationship": "child"}).status_code == 403

    def test_shows_former_accesses_to_administrators_only(self, account, administrator, viewer):
        AccountAccessFactory(account=account, user=UserFactory(name="Gone Away"), valid=since(LONG_AGO, NOW - DAY))

        assert "Gone Away" in logged_in(administrator).get("/household").content.decode()
        assert "Gone Away" not in logged_in(viewer).get("/household").content.decode()


class TestApi:
    def test_changes_what_is_named_and_keeps_the_rest(self, api, account, administrator, viewer):
        path = f"/api/v1/accounts/{account.pk}/access/{viewer.accesses.get().pk}"
        client = api(user=administrator)

        end = client.patch(path, {"end": "2025-04-01T00:00:00Z"}, format="json").json()
        right = client.patch(path, {"right": "administer"}, format="json").json()

        assert (end["right"], end["end"][:10]) == ("view", "2025-04-01")
        assert (right["right"], right["end"]) == ("administer", end["end"])

    def test_refuses_whoever_only_looks_on(self, api, account, viewer):
        path = f"/api/v1/accounts/{account.pk}/access/{viewer.accesses.get().pk}"

        assert api(user=viewer).patch(path, {"right": "administer"}, format="json").status_code == 403
