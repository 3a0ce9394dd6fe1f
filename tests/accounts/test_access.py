import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.core import mail
from django.db import connection

from accounts.actors import PORTAL, Actor
from accounts.models import AccountAccess, AuditEntry, Invitation, User
from accounts.selectors.access import household, open_invitation
from accounts.services import access, users
from tests.accounts.conftest import NOW
from tests.factories import AccountAccessFactory, CustomerAccountFactory, ManagerFactory, UserFactory, since

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
STRONG = "pearl-harbour-9"
DAY = timedelta(days=1)


def invite(account, actor=PORTAL, **more):
    given = {"email": "li@example.org", "right": "view", "valid": since(NOW), **more}
    return access.invite(account_id=account.pk, actor=actor, now=NOW, **given)


def token_in_mail() -> str:
    return re.search(r"/invitations/(\S+)", mail.outbox[-1].body)[1]


@pytest.fixture
def token(account, django_capture_on_commit_callbacks) -> str:
    with django_capture_on_commit_callbacks(execute=True):
        invite(account)
    return token_in_mail()


class TestInvite:
    def test_mails_a_link_whose_token_is_stored_as_a_hash(self, account, token, settings):
        invitation = Invitation.objects.get()

        assert mail.outbox[0].to == ["li@example.org"]
        assert f"{settings.PORTAL_URL}/invitations/{token}" in mail.outbox[0].body
        assert token not in str(Invitation.objects.values().get())
        assert open_invitation(token=token, now=NOW) == invitation

    def test_mails_nothing_before_the_commit(self, account):
        invite(account)

        assert mail.outbox == []

    def test_refuses_whoever_may_only_see_the_account(self, account, viewer):
        with pytest.raises(access.NotAdministrator):
            invite(account, Actor(user=viewer))

    def test_hides_the_account_from_strangers(self, account, stranger):
        with pytest.raises(access.NoSuchAccount):
            invite(account, Actor(user=stranger))

    def test_says_the_same_whether_or_not_the_address_has_a_login(self, account, administrator):
        UserFactory(email="li@example.org")
        with_login = invite(account, Actor(user=administrator))
        without = invite(account, Actor(user=administrator), email="wei@example.org")

        assert with_login.right == without.right
        assert Invitation.objects.count() == 2

    def test_refuses_a_second_open_invitation(self, account):
        invite(account)
        with pytest.raises(access.InvitationOpen):
            invite(account, email="LI@example.org")

    def test_refuses_somebody_who_has_access(self, account, viewer):
        with pytest.raises(access.AccessExists):
            invite(account, email=viewer.email)

    def test_stops_at_the_limit(self, account):
        for number in range(access.MOST_OPEN_INVITATIONS):
            invite(account, email=f"guest{number}@example.org")
        with pytest.raises(access.TooManyInvitations):
            invite(account)

    @pytest.mark.parametrize("valid", [since(NOW, NOW), since(NOW + DAY, NOW), since(NOW - 2 * DAY, NOW - DAY)])
    def test_refuses_a_period_that_is_empty_or_over(self, account, valid):
        with pytest.raises(access.BadPeriod):
            invite(account, valid=valid)


class TestAcceptInvitation:
    def accept(self, token, now=NOW, **who):
        return access.accept_invitation(token=token, now=now, **(who or {"name": "Li", "password": STRONG}))

    def test_makes_a_login_for_somebody_new(self, account, token):
        granted = self.accept(token)

        assert (granted.account, granted.right, granted.valid.lower) == (account, "view", NOW)
        assert granted.user.email == "li@example.org"
        assert granted.user.check_password(STRONG)
        assert AuditEntry.objects.filter(action="invitation.accepted", user=granted.user).exists()

    def test_gives_access_to_whoever_logs_in_with_that_address(self, account, token):
        user = UserFactory(email="Li@example.org")

        assert self.accept(token, user=user).user == user

    def test_works_once(self, token):
        self.accept(token)
        with pytest.raises(access.InvitationClosed):
            self.accept(token)

        assert AccountAccess.objects.count() == 1

    def test_refuses_another_login(self, token, person):
        with pytest.raises(access.NotInvited):
            self.accept(token, user=person)

    def test_refuses_to_make_a_second_login_for_an_address(self, token):
        UserFactory(email="li@example.org")
        with pytest.raises(users.EmailTaken):
            self.accept(token)

        assert Invitation.objects.get().accepted_at is None

    def test_refuses_people_who_work_here(self, token):
        with pytest.raises(access.NotACustomer):
            self.accept(token, user=ManagerFactory(email="li@example.org"))

    def test_refuses_weak_passwords_and_stays_open(self, token):
        with pytest.raises(users.WeakPassword):
            self.accept(token, name="Li", password="short")

        assert not User.objects.filter(email="li@example.org").exists()
        assert self.accept(token)

    def test_refuses_what_has_lapsed(self, token):
        with pytest.raises(access.InvitationClosed):
            self.accept(token, now=NOW + timedelta(days=15))

    def test_refuses_what_was_revoked(self, token):
        access.revoke_invitation(invitation_id=Invitation.objects.get().pk, actor=PORTAL, now=NOW)
        with pytest.raises(access.InvitationClosed):
            self.accept(token)

    def test_refuses_the_former_link_once_it_was_sent_again(self, token, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            access.send_again(invitation_id=Invitation.objects.get().pk, actor=PORTAL, now=NOW)
        with pytest.raises(access.InvitationClosed):
            self.accept(token)

        assert self.accept(token_in_mail())

    def test_keeps_the_end_that_was_offered(self, account, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            invite(account, valid=since(NOW - DAY, NOW + 3 * DAY))
        granted = self.accept(token_in_mail(), now=NOW + DAY)

        assert (granted.valid.lower, granted.valid.upper) == (NOW + DAY, NOW + 3 * DAY)


@pytest.mark.django_db(transaction=True)
class TestAcceptingAtOnce:
    def test_lets_one_of_two_through(self):
        invite(CustomerAccountFactory())
        token = token_in_mail()
        start = Barrier(2)

        def accept(name: str) -> bool:
            start.wait()
            try:
                access.accept_invitation(token=token, name=name, password=STRONG, now=NOW)
            except access.InvitationClosed:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(accept, ["One", "Two"]))

        assert sorted(outcomes) == [False, True]
        assert AccountAccess.objects.count() == User.objects.count() == 1


class TestEndAccess:
    def end(self, held, actor=PORTAL):
        access.end_access(access_id=held.pk, actor=actor, now=NOW)

    def test_closes_the_account_at_once(self, account, viewer, administrator):
        self.end(viewer.accesses.get(), Actor(user=administrator))

        assert viewer.accesses.get().valid.upper == NOW
        assert not type(account).objects.visible_to(viewer).exists()

    def test_takes_back_what_has_not_begun(self, account):
        held = AccountAccessFactory(account=account, valid=since(NOW + DAY))
        self.end(held)

        assert not AccountAccess.objects.exists()
        assert AuditEntry.objects.filter(action="access.ended", object_id=str(held.pk)).exists()

    def test_lets_people_leave(self, viewer):
        self.end(viewer.accesses.get(), Actor(user=viewer))

        assert viewer.accesses.get().valid.upper == NOW

    def test_refuses_whoever_may_only_see_the_account(self, viewer, administrator):
        with pytest.raises(access.NotAdministrator):
            self.end(administrator.accesses.get(), Actor(user=viewer))

    def test_hides_accesses_from_strangers(self, viewer, stranger):
        with pytest.raises(access.NoSuchAccess):
            self.end(viewer.accesses.get(), Actor(user=stranger))

    def test_keeps_the_last_administrator_of_a_household(self, administrator):
        with pytest.raises(access.LastAdministrator):
            self.end(administrator.accesses.get(), Actor(user=administrator))

    def test_lets_a_manager_end_even_that(self, administrator, manager):
        self.end(administrator.accesses.get(), Actor(user=manager))

        assert administrator.accesses.get().valid.upper == NOW

    def test_does_nothing_twice(self, viewer):
        self.end(viewer.accesses.get())
        with pytest.raises(access.NoSuchAccess):
            self.end(viewer.accesses.get())


class TestGrantAccess:
    def test_refuses_an_overlap(self, account, viewer):
        with pytest.raises(access.AccessExists):
            access.grant_access(
                account=account, user=viewer, right="administer", valid=since(NOW), actor=PORTAL, now=NOW
            )


class TestHousehold:
    def test_shows_what_is_in_force_or_to_come(self, account, viewer, administrator):
        AccountAccessFactory(account=account, valid=since(NOW - 2 * DAY, NOW - DAY))
        coming = AccountAccessFactory(account=account, valid=since(NOW + DAY))
        invite(account)

        seen = household(account=account, user=administrator, now=NOW)
        assert {held.user for held in seen.accesses} == {viewer, administrator, coming.user}
        assert [one.email for one in seen.invitations] == ["li@example.org"]

    def test_hides_invitations_from_whoever_may_only_see(self, account, viewer):
        invite(account)
        seen = household(account=account, user=viewer, now=NOW)

        assert (seen.may_administer, seen.invitations) == (False, ())

    def test_takes_as_many_queries_for_20_as_for_2(self, account, administrator, django_assert_num_queries):
        for size in (2, 17):
            AccountAccessFactory.create_batch(size, account=account)
            for number in range(size):
                invite(account, email=f"guest{size}-{number}@example.org", actor=Actor(user=administrator))
            with django_assert_num_queries(5):
                seen = household(account=account, user=administrator, now=NOW)
                assert [held.user.name for held in seen.accesses]
                assert [one.invited_by.name for one in seen.invitations]
