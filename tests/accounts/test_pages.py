import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.models import AccountAccess, Invitation, User
from accounts.services import access, customers
from tests.accounts.conftest import NOW, PASSWORD
from tests.factories import AccountAccessFactory, UserFactory, since

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
STRONG = "pearl-harbour-9"


@pytest.fixture(autouse=True)
def _mail_at_once(django_capture_on_commit_callbacks, monkeypatch):
    monkeypatch.setattr("django.db.transaction.on_commit", lambda deed, *args, **kwargs: deed())


@pytest.fixture
def visit():
    def client(user: User | None = None) -> Client:
        made = Client()
        if user is not None:
            made.force_login(user)
        return made

    return client


def log_in(client, email, password=PASSWORD, **more):
    return client.post("/login", {"username": email, "password": password, **more})


def link_in_mail() -> str:
    return re.search(r"https?://[^/]+(/\S+)", mail.outbox[-1].body)[1]


class TestLogin:
    def test_lets_people_in_whatever_the_case_of_their_address(self, person, visit):
        answer = log_in(visit(), "MEI@Example.org")

        assert (answer.status_code, answer["Location"]) == (302, "/landing")

    def test_says_the_same_for_a_wrong_password_and_an_unknown_address(self, person, visit):
        texts = [
            re.sub(r'value="[^"]*"', "", log_in(visit(), email, "something-else").content.decode())
            for email in (person.email, "nobody@example.org")
        ]

        assert texts[0] == texts[1]
        assert "do not match" in texts[0]

    @pytest.mark.parametrize(
        ("next_", "where"),
        [("/usage", "/usage"), ("https://evil.example/x", "/landing"), ("//evil.example", "/landing")],
    )
    def test_goes_on_within_this_site_only(self, person, visit, next_, where):
        assert log_in(visit(), person.email, next=next_)["Location"] == where

    def test_locks_after_too_many_failures(self, person, visit, settings):
        for _ in range(settings.AXES_FAILURE_LIMIT):
            log_in(visit(), person.email, "something-else")
        answer = log_in(visit(), person.email)

        assert (answer.status_code, answer["Retry-After"]) == (429, "900")
        assert "Wait 15 minutes" in answer.content.decode()


class TestLogout:
    def test_takes_a_post(self, person, visit):
        client = visit(person)

        assert client.get("/logout").status_code == 405
        assert client.post("/logout")["Location"] == "/login"
        assert client.get("/password").status_code == 302


class TestPasswordChange:
    def change(self, client, old=PASSWORD, new=STRONG, again=STRONG):
        return client.post("/password", {"old_password": old, "new_password1": new, "new_password2": again})

    def test_keeps_this_session_and_ends_the_others(self, person, visit):
        here, elsewhere = visit(person), visit(person)

        assert self.change(here).status_code == 302
        assert here.get("/password").status_code == 200
        assert elsewhere.get("/password").status_code == 302
        person.refresh_from_db()
        assert person.check_password(STRONG)

    @pytest.mark.parametrize(
        "wrong", [{"old": "something-else"}, {"again": "pearl-harbour-8"}, {"new": "short", "again": "short"}]
    )
    def test_refuses_and_says_why(self, person, visit, wrong):
        answer = self.change(visit(person), **wrong)

        assert (answer.status_code, "errorlist" in answer.content.decode()) == (422, True)
        person.refresh_from_db()
        assert person.check_password(PASSWORD)


class TestPasswordReset:
    def ask(self, client, email):
        return client.post("/password/reset", {"email": email})

    def test_sets_a_new_password_once(self, person, visit):
        client = visit()
        self.ask(client, person.email.upper())
        form = client.get(link_in_mail(), follow=True)
        answer = client.post(form.request["PATH_INFO"], {"new_password1": STRONG, "new_password2": STRONG})

        assert answer["Location"] == "/login"
        assert log_in(client, person.email, STRONG).status_code == 302
        assert "works no more" in visit().get(link_in_mail(), follow=True).content.decode()

    def test_answers_the_same_for_strangers_and_mails_them_nothing(self, person, visit):
        known, unknown = self.ask(visit(), person.email), self.ask(visit(), "nobody@example.org")

        assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
        assert [letter.to for letter in mail.outbox] == [[person.email]]

    def test_mails_nothing_to_the_suspended(self, visit):
        user = UserFactory(status=User.Status.SUSPENDED)
        self.ask(visit(), user.email)

        assert mail.outbox == []

    def test_mails_an_address_three_times_an_hour_at_most(self, person, visit):
        for _ in range(5):
            assert self.ask(visit(), person.email).status_code == 302

        assert len(mail.outbox) == 3

    def test_refuses_a_link_that_was_made_up(self, visit):
        assert "works no more" in visit().get("/password/reset/abc/def-123", follow=True).content.decode()


class TestInvitation:
    @pytest.fixture
    def link(self, account) -> str:
        access.invite(
            account_id=account.pk, email="li@example.org", right="view", valid=since(NOW), actor=PORTAL, now=NOW
        )
        return link_in_mail()

    def test_makes_a_login_for_somebody_new_and_lets_them_in(self, account, link, visit):
        client = visit()
        assert account.number in client.get(link).content.decode()
        answer = client.post(link, {"name": "Li", "new_password1": STRONG, "new_password2": STRONG})

        assert answer["Location"] == "/landing"
        assert account.number in client.get("/household").content.decode()

    def test_sends_whoever_has_a_login_to_it_and_back(self, link, visit):
        user = UserFactory(email="li@example.org")
        client = visit()
        assert f"/login?next={link}" in client.get(link).content.decode()
        assert client.post(link, {"name": "X", "new_password1": STRONG, "new_password2": STRONG}).status_code == 200

        log_in(client, user.email)
        assert client.post(link)["Location"] == "/landing"
        assert AccountAccess.objects.get().user == user

    def test_refuses_another_login(self, link, visit, person):
        answer = visit(person).post(link)

        assert "You are logged in as" in answer.content.decode()
        assert not AccountAccess.objects.exists()

    def test_is_closed_to_a_replay_and_to_made_up_tokens(self, link, visit):
        visit().post(link, {"name": "Li", "new_password1": STRONG, "new_password2": STRONG})

        assert visit().post(link).status_code == 404
        assert visit().get("/invitations/made-up").status_code == 404

    def test_shows_what_is_wrong_with_a_password(self, link, visit):
        answer = visit().post(link, {"name": "Li", "new_password1": "short", "new_password2": "short"})

        assert (answer.status_code, "too short" in answer.content.decode()) == (422, True)


class TestHousehold:
    def test_asks_to_log_in(self, visit):
        assert visit().get("/household")["Location"] == "/login?next=/household"

    def test_offers_changes_to_administrators_only(self, administrator, viewer, visit):
        assert "Invite somebody" in visit(administrator).get("/household").content.decode()
        assert "Invite somebody" not in visit(viewer).get("/household").content.decode()

    def test_invites_until_the_end_of_a_local_day(self, administrator, visit):
        client = visit(administrator)
        answer = client.post(
            "/household/invite", {"email": "li@example.org", "right": "view", "until": "2025-04-30"}, follow=True
        )

        assert "on its way to li@example.org" in answer.content.decode()
        assert Invitation.objects.get().valid.upper.isoformat() == "2025-04-30T16:00:00+00:00"
        assert mail.outbox[0].to == ["li@example.org"]

    @pytest.mark.parametrize("wrong", [{"email": "nobody"}, {"until": "2025-03-14"}, {"right": "own"}])
    def test_shows_what_is_wrong_with_an_invitation(self, administrator, visit, wrong):
        answer = visit(administrator).post("/household/invite", {"email": "li@example.org", "right": "view", **wrong})

        assert answer.status_code == 422
        assert not Invitation.objects.exists()

    def test_adds_and_removes_members(self, account, administrator, visit):
        client = visit(administrator)
        client.post("/household/members", {"name": "Wei", "relationship": "spouse"})
        member = account.family_members.get()
        client.post(f"/household/members/{member.pk}/remove")

        assert not account.family_members.exists()

    def test_sends_invitations_again_and_takes_them_back(self, account, administrator, visit):
        client = visit(administrator)
        client.post("/household/invite", {"email": "li@example.org", "right": "view"})
        first, offer = link_in_mail(), Invitation.objects.get()
        client.post(f"/household/invitations/{offer.pk}/send")
        second = link_in_mail()

        assert first != second
        assert visit().get(first).status_code == 404
        client.post(f"/household/invitations/{offer.pk}/revoke")
        assert visit().get(second).status_code == 404

    def test_ends_access(self, administrator, viewer, visit):
        held = viewer.accesses.get()
        visit(administrator).post(f"/household/access/{held.pk}/end")

        held.refresh_from_db()
        assert held.valid.upper == NOW

    def test_says_why_the_last_administrator_stays(self, administrator, visit):
        held = administrator.accesses.get()
        answer = visit(administrator).post(f"/household/access/{held.pk}/end", follow=True)

        assert "Let somebody else administer" in answer.content.decode()

    @pytest.mark.parametrize(
        "path",
        [
            "/household/invite",
            "/household/members",
            "/household/members/{member}/remove",
            "/household/access/{held}/end",
        ],
    )
    def test_forbids_changes_to_whoever_may_only_see(self, account, administrator, viewer, visit, path):
        member = customers.add_family_member(
            account_id=account.pk, name="Wei", relationship="spouse", actor=PORTAL, now=NOW
        )
        path = path.format(member=member.pk, held=administrator.accesses.get().pk)
        body = {"email": "li@example.org", "right": "view", "name": "Li", "relationship": "child"}

        assert visit(viewer).post(path, body).status_code == 403
        assert account.family_members.count() == 1

    def test_hides_what_belongs_to_another_household(self, account, administrator, stranger, visit):
        member = customers.add_family_member(
            account_id=account.pk, name="Wei", relationship="spouse", actor=PORTAL, now=NOW
        )
        AccountAccess.objects.filter(user=stranger).update(right="administer")
        client = visit(stranger)

        assert client.post(f"/household/members/{member.pk}/remove").status_code == 404
        assert client.post(f"/household/access/{administrator.accesses.get().pk}/end").status_code == 404

    def test_takes_as_many_queries_for_20_as_for_2(self, account, administrator, visit):
        client = visit(administrator)
        counts = []
        for size in (2, 18):
            AccountAccessFactory.create_batch(size, account=account, valid=since(NOW - timedelta(days=1)))
            for number in range(size):
                customers.add_family_member(
                    account_id=account.pk, name=f"Guest {number}", relationship="tenant", actor=PORTAL, now=NOW
                )
            with CaptureQueriesContext(connection) as captured:
                assert client.get("/household").status_code == 200
            counts.append(len(captured))

        assert counts[0] == counts[1]
