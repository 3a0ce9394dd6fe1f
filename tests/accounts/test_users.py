import pytest
from django.test import Client

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry, User
from accounts.roles import Role
from accounts.services import users
from energy_portal.shared.errors import Invalid
from tests.accounts.conftest import NOW, PASSWORD

pytestmark = pytest.mark.django_db


def suspend(user, actor=PORTAL):
    return users.suspend_user(user_id=user.pk, actor=actor, now=NOW)


class TestCreateUser:
    def test_refuses_the_same_address_in_another_case(self, person):
        with pytest.raises(users.EmailTaken):
            users.create_user(email="MEI@example.org", name="Other", actor=PORTAL, now=NOW)

    def test_lets_nobody_in_without_a_password(self):
        user = users.create_user(email="Li@Example.org ", name="Li", actor=PORTAL, now=NOW)

        assert user.email == "li@example.org"
        assert not user.has_usable_password()

    @pytest.mark.parametrize("password", ["", "short", "1234567890", "password123"])
    def test_refuses_weak_passwords(self, password):
        with pytest.raises(users.WeakPassword):
            users.create_user(email="li@example.org", name="Li", password=password, actor=PORTAL, now=NOW)

        assert not User.objects.exists()

    def test_never_audits_a_password(self):
        users.create_user(email="li@example.org", name="Li", password="pearl-harbour-9", actor=PORTAL, now=NOW)

        assert "pearl" not in str(AuditEntry.objects.get().detail)


class TestChangeUser:
    def test_refuses_to_change_ones_own_role(self, admin):
        with pytest.raises(users.NotOnOneself):
            users.change_user(user_id=admin.pk, changes={"role": Role.CUSTOMER}, actor=Actor(user=admin), now=NOW)

    def test_refuses_the_status_which_has_services_of_its_own(self, person):
        with pytest.raises(Invalid, match="status"):
            users.change_user(user_id=person.pk, changes={"status": "suspended"}, actor=PORTAL, now=NOW)

    def test_leaves_people_their_name_and_telephone_only(self, person):
        with pytest.raises(Invalid, match="role"):
            users.change_profile(user_id=person.pk, changes={"role": Role.ADMIN}, actor=Actor(user=person), now=NOW)


class TestSuspendUser:
    def test_ends_sessions_for_good(self, person):
        client = Client()
        client.force_login(person)
        assert client.get("/password").status_code == 200

        suspend(person)
        assert client.get("/password").status_code == 302
        users.reinstate_user(user_id=person.pk, actor=PORTAL, now=NOW)
        assert client.get("/password").status_code == 302

    def test_ends_tokens_for_good(self, person, api):
        client = api(user=person)
        assert client.get("/api/v1/me").status_code == 200

        suspend(person)
        assert client.get("/api/v1/me").status_code == 401
        users.reinstate_user(user_id=person.pk, actor=PORTAL, now=NOW)
        answer = client.get("/api/v1/me")
        assert (answer.status_code, answer.json()["code"]) == (401, "login_ended")

    def test_shuts_both_doors(self, person, api):
        suspend(person)

        answer = api().post("/api/v1/auth/token", {"email": person.email, "password": PASSWORD}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
        page = Client().post("/login", {"username": person.email, "password": PASSWORD})
        assert (page.status_code, "do not match" in page.content.decode()) == (200, True)

    def test_refuses_oneself(self, admin):
        with pytest.raises(users.NotOnOneself):
            suspend(admin, Actor(user=admin))


class TestChangePassword:
    def test_ends_tokens_made_under_the_old_one(self, person, api):
        client = api(user=person)
        users.change_password(user_id=person.pk, password="pearl-harbour-9", actor=PORTAL, now=NOW)

        assert client.get("/api/v1/me").status_code == 401
