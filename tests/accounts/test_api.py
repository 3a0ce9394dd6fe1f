from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry, CustomerAccount, DataSource, SourceKey
from accounts.roles import Role
from accounts.selectors.sources import source_key
from accounts.services import access, customers
from accounts.services.sources import create_source, rotate_key
from tests.accounts.conftest import NOW, PASSWORD
from tests.factories import AccountAccessFactory, CustomerAccountFactory, UserFactory, since

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
NEW_SOURCE = {"name": "south", "scopes": ["queries"]}
NEW_MEMBER = {"name": "Wei", "relationship": "spouse"}
NEW_INVITATION = {"email": "li@example.org", "right": "view"}

# What each caller gets; the viewer and the administrator belong to the account, the stranger to another.
CALLERS = ("nobody", "stranger", "agent", "source", "viewer", "administrator", "manager", "admin")
MATRIX = (
    ("get", "/me", None, (401, 200, 200, 403, 200, 200, 200, 200)),
    ("get", "/accounts", None, (401, 200, 403, 403, 200, 200, 200, 200)),
    ("get", "/accounts/{account}", None, (401, 404, 403, 403, 200, 200, 200, 200)),
    ("get", "/accounts/{account}/members", None, (401, 404, 403, 403, 200, 200, 200, 200)),
    ("post", "/accounts/{account}/members", NEW_MEMBER, (401, 404, 403, 403, 403, 201, 201, 201)),
    ("delete", "/accounts/{account}/members/{member}", None, (401, 404, 403, 403, 403, 204, 204, 204)),
    ("get", "/accounts/{account}/access", None, (401, 404, 403, 403, 200, 200, 200, 200)),
    ("delete", "/accounts/{account}/access/{access}", None, (401, 404, 403, 403, 403, 204, 204, 204)),
    ("get", "/accounts/{account}/invitations", None, (401, 404, 403, 403, 403, 200, 200, 200)),
    ("post", "/accounts/{account}/invitations", NEW_INVITATION, (401, 404, 403, 403, 403, 201, 201, 201)),
    ("delete", "/accounts/{account}/invitations/{invitation}", None, (401, 404, 403, 403, 403, 204, 204, 204)),
    ("get", "/sources", None, (401, 403, 403, 403, 403, 403, 403, 200)),
    ("post", "/sources", NEW_SOURCE, (401, 403, 403, 403, 403, 403, 403, 201)),
    ("get", "/sources/{source}", None, (401, 403, 403, 403, 403, 403, 403, 200)),
    ("delete", "/sources/{source}", None, (401, 403, 403, 403, 403, 403, 403, 204)),
    ("post", "/sources/{source}/keys", None, (401, 403, 403, 403, 403, 403, 403, 201)),
    ("delete", "/sources/{source}/keys/{key}", None, (401, 403, 403, 403, 403, 403, 403, 204)),
)
CASES = [
    pytest.param(method, path, body, who, status, id=f"{method} {path} {who}")
    for method, path, body, statuses in MATRIX
    for who, status in zip(CALLERS, statuses, strict=True)
]


@pytest.fixture
def clients(account, viewer, administrator, stranger, manager, admin, source_and_key, api):
    people = {
        "stranger": stranger,
        "viewer": viewer,
        "administrator": administrator,
        "manager": manager,
        "admin": admin,
        "agent": UserFactory(role=Role.AGENT),
    }

    def client(who: str) -> APIClient:
        if who == "nobody":
            return api()
        return api(source_and_key[1]) if who == "source" else api(user=people[who])

    return client


@pytest.fixture
def ids(account, source_and_key):
    member = customers.add_family_member(account_id=account.pk, name="Li", relationship="child", actor=PORTAL, now=NOW)
    offer = access.invite(
        account_id=account.pk, email="wei@example.org", right="view", valid=since(NOW), actor=PORTAL, now=NOW
    )
    other, _ = create_source(name="other", scopes=["queries"], actor=PORTAL, now=NOW)
    return {
        "account": account.pk,
        "member": member.pk,
        "access": AccountAccessFactory(account=account).pk,
        "invitation": offer.pk,
        "source": other.public_id,
        "key": other.keys.get().pk,
    }


class TestPermissions:
    @pytest.mark.parametrize(("method", "path", "body", "who", "status"), CASES)
    def test_admit_whom_they_should(self, clients, ids, method, path, body, who, status):
        answer = getattr(clients(who), method)(f"/api/v1{path.format(**ids)}", body, format="json")

        assert answer.status_code == status, answer.content
        if status >= 400:
            assert answer["Content-Type"] == "application/problem+json"
        if status == 401:
            assert answer["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize("path", ["members/{}", "access/{}", "invitations/{}"])
    def test_hide_what_belongs_to_another_account(self, clients, account, path):
        answer = clients("manager").delete(f"/api/v1/accounts/{account.pk}/{path.format(uuid4())}")

        assert answer.status_code == 404

    def test_hide_members_behind_the_wrong_account(self, clients, ids):
        other = CustomerAccountFactory()
        answer = clients("manager").delete(f"/api/v1/accounts/{other.pk}/members/{ids['member']}")

        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_member")


class TestLists:
    @pytest.mark.parametrize(
        ("path", "make"),
        [
            ("/accounts", lambda account, size: CustomerAccountFactory.create_batch(size)),
            ("/accounts/{}/members", lambda account, size: [_member(account) for _ in range(size)]),
            ("/accounts/{}/access", lambda account, size: AccountAccessFactory.create_batch(size, account=account)),
            ("/accounts/{}/invitations", lambda account, size: [_invitation(account) for _ in range(size)]),
            ("/sources", lambda account, size: [_source() for _ in range(size)]),
        ],
    )
    def test_take_as_many_queries_for_20_rows_as_for_2(self, api, admin, account, path, make):
        client = api(user=admin)
        make(account, 2)
        few = self._queries(client, path.format(account.pk))
        make(account, 18)
        many = self._queries(client, path.format(account.pk))

        assert few == many

    def test_hold_only_what_one_may_see(self, api, viewer, account):
        CustomerAccountFactory.create_batch(3)
        answer = api(user=viewer).get("/api/v1/accounts").json()

        assert [row["number"] for row in answer["results"]] == [account.number]

    def test_filter_by_number(self, api, manager, account):
        CustomerAccountFactory.create_batch(3)
        answer = api(user=manager).get("/api/v1/accounts", {"number": account.number}).json()

        assert [row["id"] for row in answer["results"]] == [str(account.pk)]

    def _queries(self, client, path):
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(f"/api/v1{path}")
        assert answer.json()["results"]
        return len(captured)


class TestKeys:
    def test_of_a_wrong_secret_open_nothing(self, api, source_and_key):
        answer = api(source_and_key[1][:-1] + "0z").get("/api/v1/me")

        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_key")
        assert answer["WWW-Authenticate"].startswith("Bearer")

    def test_without_any_the_caller_is_told_to_log_in(self, api):
        answer = api().get("/api/v1/me")

        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")

    def test_are_shown_once_to_whoever_makes_them(self, api, admin):
        client = api(user=admin)
        made = client.post("/api/v1/sources", NEW_SOURCE, format="json").json()
        listed = client.get(f"/api/v1/sources/{made['id']}")

        assert source_key(text=made["key"], now=NOW).source.name == "south"
        assert made["key"].rpartition("_")[2] not in listed.content.decode()
        assert SourceKey.objects.get().key_hash not in listed.content.decode()
        assert AuditEntry.objects.get(action="source.created").user == admin

    def test_refuse_a_third_by_409(self, api, admin, source_and_key):
        source, _ = source_and_key
        rotate_key(source_id=source.public_id, actor=PORTAL, now=NOW)
        answer = api(user=admin).post(f"/api/v1/sources/{source.public_id}/keys")

        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_keys")

    @pytest.mark.parametrize("body", [{}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["all"]}, {"name": 5}])
    def test_are_not_made_for_a_bad_source(self, api, admin, body):
        answer = api(user=admin).post("/api/v1/sources", body, format="json")

        assert (answer.status_code, DataSource.objects.count()) == (400, 0)


class TestTokens:
    def obtain(self, user, **more):
        return APIClient().post(
            "/api/v1/auth/token", {"email": user.email, "password": PASSWORD, **more}, format="json"
        )

    def refresh(self, token):
        return APIClient().post("/api/v1/auth/refresh", {"refresh": token}, format="json")

    def test_open_the_api_and_note_the_login(self, person):
        access_token = self.obtain(person, email="MEI@example.org").json()["access"]
        client = APIClient(headers={"Authorization": f"Bearer {access_token}"})
        answer = client.get("/api/v1/me").json()

        assert (answer["email"], answer["role"]) == ("mei@example.org", "customer")
        assert answer["last_login"] is not None

    def test_say_the_same_for_a_wrong_password_and_an_unknown_address(self, person):
        wrong = self.obtain(person, password="something-else")
        unknown = self.obtain(person, email="nobody@example.org")

        assert wrong.status_code == unknown.status_code == 401
        assert wrong.json() == unknown.json()
        assert wrong.json()["code"] == "invalid_credentials"

    def test_lock_after_too_many_failures_in_whatever_case(self, person, settings):
        for number in range(settings.AXES_FAILURE_LIMIT):
            self.obtain(person, email=person.email.upper() if number % 2 else person.email, password="something-else")
        answer = self.obtain(person)

        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_failures")
        assert int(answer["Retry-After"]) == 900

    def test_rotate_and_refuse_the_former(self, person):
        first = self.obtain(person).json()["refresh"]
        second = self.refresh(first).json()["refresh"]

        again = self.refresh(first)
        assert (again.status_code, again.json()["code"]) == (401, "invalid_token")
        assert self.refresh(second).status_code == 200

    def test_are_given_back_by_logging_out(self, person):
        token = self.obtain(person).json()["refresh"]
        answer = APIClient().post("/api/v1/auth/logout", {"refresh": token}, format="json")

        assert answer.status_code == 204
        assert self.refresh(token).status_code == 401

    @pytest.mark.parametrize("token", ["", "x", "a.b.c", 5, None])
    def test_that_are_none_are_refused(self, token):
        assert self.refresh(token).status_code in {400, 401}

    def test_of_access_do_not_refresh(self, person):
        assert self.refresh(self.obtain(person).json()["access"]).status_code == 401


@pytest.mark.django_db(transaction=True)
class TestRefreshAtOnce:
    def test_gives_new_tokens_to_one_of_several(self):
        user = UserFactory()
        token = TestTokens().obtain(user).json()["refresh"]

        def refresh(_: int) -> int:
            try:
                return TestTokens().refresh(token).status_code
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(refresh, range(4))) == [200, 401, 401, 401]


class TestMe:
    def test_changes_name_and_telephone_only(self, api, person):
        answer = api(user=person).patch("/api/v1/me", {"name": "Mei Lim", "role": "admin"}, format="json")

        assert (answer.status_code, answer.json()["name"], answer.json()["role"]) == (200, "Mei Lim", "customer")


class TestHistory:
    def test_of_an_account_that_a_person_changes_over_the_api_names_them(self, account, manager):
        customers.change_account(
            account_id=account.pk, changes={"owner_name": "Li"}, actor=Actor(user=manager), now=NOW
        )

        assert CustomerAccount.objects.get().history.first().history_user == manager


class TestSchema:
    def test_describes_every_path_without_a_warning(self, tmp_path):
        wanted = ("--urlconf", "accounts.api.urls", "--file", str(tmp_path / "schema.yaml"))
        call_command("spectacular", "--fail-on-warn", "--validate", *wanted)
        text = (tmp_path / "schema.yaml").read_text()

        assert "sourceKey" in text
        assert "/accounts/{account_id}/members" in text


def _member(account):
    return customers.add_family_member(account_id=account.pk, **NEW_MEMBER, actor=PORTAL, now=NOW)


def _invitation(account):
    email = f"{uuid4().hex}@example.org"
    return access.invite(account_id=account.pk, email=email, right="view", valid=since(NOW), actor=PORTAL, now=NOW)


def _source():
    return create_source(name=uuid4().hex, scopes=["queries"], actor=PORTAL, now=NOW)
