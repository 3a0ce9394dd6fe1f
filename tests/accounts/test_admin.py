import re
from datetime import timedelta

import pytest
from django.contrib import admin as site_admin
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import models
from accounts.actors import PORTAL, Actor
from accounts.roles import Role
from accounts.selectors.sources import keys_in_force, source_key
from accounts.services import access, audit, customers, sources
from tests.accounts.conftest import NOW, PASSWORD
from tests.factories import (
    AccountAccessFactory,
    CustomerAccountFactory,
    DataSourceFactory,
    PremisesFactory,
    UserFactory,
    since,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
MODELS = [model for model in site_admin.site._registry if model._meta.app_label == "accounts"]
MANAGED = {
    models.CustomerAccount,
    models.Premises,
    models.AccountAccess,
    models.Invitation,
}
NO_INLINES = {
    f"{prefix}-{part}_FORMS": "0"
    for prefix in ("family_members", "accesses", "invitations", "keys")
    for part in ("TOTAL", "INITIAL")
}


def url(model, page="changelist", *args):
    return reverse(f"admin:accounts_{model._meta.model_name}_{page}", args=args)


def act(client, model, action, *rows):
    body = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(url(model), body, follow=True)


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def by_admin(admin) -> Client:
    return client_of(admin)


@pytest.fixture
def by_manager(manager) -> Client:
    return client_of(manager)


def make_rows(size: int) -> None:
    for _ in range(size):
        held = AccountAccessFactory()
        account = held.account
        PremisesFactory()
        customers.add_family_member(account_id=account.pk, name="Wei", relationship="spouse", actor=PORTAL, now=NOW)
        access.invite(
            account_id=account.pk, email="li@example.org", right="view", valid=since(NOW), actor=PORTAL, now=NOW
        )
        source, _ = sources.create_source(
            name=f"source of {account.number}", scopes=["readings"], actor=PORTAL, now=NOW
        )
        models.IdempotencyRecord.objects.create(caller="user:1", key=account.number, path="/", body_hash="x")
        audit.record(action="test.made", obj=source, actor=Actor(user=held.user, source=source), now=NOW)


class TestPages:
    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_open_for_an_admin(self, by_admin, model):
        make_rows(2)
        assert by_admin.get(url(model)).status_code == 200
        assert by_admin.get(url(model, "change", model._default_manager.first().pk)).status_code == 200
        may_add = site_admin.site._registry[model].has_add_permission(_request(by_admin))
        assert by_admin.get(url(model, "add")).status_code == (200 if may_add else 403)

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_take_as_many_queries_for_20_rows_as_for_2(self, by_admin, model):
        by_admin.get(url(model))
        make_rows(2)
        few = self._queries(by_admin, model)
        make_rows(18)

        assert self._queries(by_admin, model) == few

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_let_managers_add_only_what_is_theirs(self, by_manager, model):
        make_rows(1)

        assert by_manager.get(url(model, "add")).status_code == (200 if model in MANAGED else 403)

    @pytest.mark.parametrize("model", [models.User, models.DataSource, models.IdempotencyRecord])
    def test_hide_people_keys_and_calls_from_managers(self, by_manager, model):
        make_rows(1)

        assert by_manager.get(url(model)).status_code == 403

    @pytest.mark.parametrize(("role", "status"), [(Role.CUSTOMER, 302), (Role.AGENT, 302), (Role.OPERATOR, 403)])
    def test_are_closed_to_everybody_else(self, role, status):
        assert client_of(UserFactory(role=role)).get(url(models.CustomerAccount)).status_code == status

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_delete_nothing(self, by_admin, model):
        make_rows(1)
        row = model._default_manager.first()

        assert by_admin.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403

    def _queries(self, client, model):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url(model)).status_code == 200
        return len(captured)


class TestUsers:
    def form(self, user, **more):
        return {
            "email": user.email,
            "name": user.name,
            "role": user.role,
            "phone": "",
            "department": "",
            "region": "",
            "permissions": "",
            **more,
        }

    def test_are_made_with_a_mail_to_set_the_password(self, by_admin, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            answer = by_admin.post(
                url(models.User, "add"), {"email": "Li@example.org", "name": "Li", "role": "agent"}, follow=True
            )

        assert answer.status_code == 200
        user = models.User.objects.get(email="li@example.org")
        assert (user.role, user.has_usable_password()) == ("agent", False)
        assert mail.outbox[0].to == ["li@example.org"]

    def test_are_changed_with_an_entry(self, by_admin, admin, person):
        by_admin.post(url(models.User, "change", person.pk), self.form(person, name="Mei Lim", role="operator"))

        person.refresh_from_db()
        assert (person.name, person.role) == ("Mei Lim", "operator")
        entry = models.AuditEntry.objects.get(action="user.changed")
        assert (entry.user, entry.detail["after"]) == (admin, {"name": "Mei Lim", "role": "operator"})

    def test_keep_their_status_and_superuser_whatever_is_posted(self, by_admin, person):
        forged = {"status": "suspended", "is_superuser": "on", "is_staff": "on", "groups": "1"}
        by_admin.post(url(models.User, "change", person.pk), self.form(person, **forged))

        person.refresh_from_db()
        assert (person.status, person.is_superuser) == ("active", False)

    def test_cannot_raise_themselves_even_with_an_extra_right(self, manager, person):
        manager.permissions = ["accounts.change_user", "accounts.add_user", "accounts.view_user"]
        manager.save()
        client = client_of(manager)
        answer = client.post(url(models.User, "change", manager.pk), self.form(manager, role="admin"))

        assert answer.status_code == 403
        assert client.post(url(models.User, "add"), self.form(person, role="admin")).status_code == 403
        manager.refresh_from_db()
        assert manager.role == "manager"

    def test_leave_an_admin_their_own_role(self, by_admin, admin):
        by_admin.post(url(models.User, "change", admin.pk), self.form(admin, role="customer"))

        admin.refresh_from_db()
        assert admin.role == "admin"

    def test_get_a_password_by_the_service(self, by_admin, person):
        body = {"password1": "pearl-harbour-9", "password2": "pearl-harbour-9", "usable_password": "true"}
        answer = by_admin.post(reverse("admin:auth_user_password_change", args=[person.pk]), body)

        assert answer.status_code == 302
        person.refresh_from_db()
        assert person.check_password("pearl-harbour-9")
        assert person.login_epoch == 1
        assert models.AuditEntry.objects.filter(action="user.password_changed").exists()

    def test_keep_their_own_session_when_they_set_their_own_password(self, by_admin, admin):
        body = {"password1": "pearl-harbour-9", "password2": "pearl-harbour-9", "usable_password": "true"}
        by_admin.post(reverse("admin:auth_user_password_change", args=[admin.pk]), body)

        assert by_admin.get(url(models.User)).status_code == 200

    def test_are_suspended_and_let_in_again(self, by_admin, admin, person):
        answer = act(by_admin, models.User, "suspend", person, admin)
        person.refresh_from_db()
        assert person.status == "suspended"
        assert "cannot suspend yourself" in answer.content.decode()

        act(by_admin, models.User, "reinstate", person)
        person.refresh_from_db()
        assert person.status == "active"

    def test_are_unlocked(self, by_admin, person, settings):
        for _ in range(settings.AXES_FAILURE_LIMIT):
            Client().post("/login", {"username": person.email, "password": "something-else"})
        assert Client().post("/login", {"username": person.email, "password": PASSWORD}).status_code == 429

        act(by_admin, models.User, "unlock", person)
        assert Client().post("/login", {"username": person.email, "password": PASSWORD}).status_code == 302


class TestAccounts:
    def form(self, **more):
        return {
            "number": "A-7",
            "status": "active",
            "owner_name": "Mei Tan",
            "email": "",
            "address": "",
            "zone": "Asia/Singapore",
            **NO_INLINES,
            **more,
        }

    def members(self, *rows, initial=0):
        form = {"family_members-TOTAL_FORMS": str(len(rows)), "family_members-INITIAL_FORMS": str(initial)}
        return form | {f"family_members-{n}-{name}": value for n, row in enumerate(rows) for name, value in row.items()}

    def test_are_opened_with_members_and_entries(self, by_manager, manager):
        rows = self.members({"name": "Wei", "relationship": "spouse"})
        assert by_manager.post(url(models.CustomerAccount, "add"), self.form(**rows)).status_code == 302

        account = models.CustomerAccount.objects.get(number="A-7")
        assert [str(member) for member in account.family_members.all()] == ["Wei (spouse)"]
        entries = models.AuditEntry.objects.filter(user=manager).values_list("action", flat=True)
        assert set(entries) == {"account.created", "account.member_added"}
        assert account.history.get().history_user == manager

    def test_change_correct_and_remove(self, by_manager):
        account = CustomerAccountFactory(number="A-7")
        wei, li = (
            customers.add_family_member(account_id=account.pk, name=name, relationship="child", actor=PORTAL, now=NOW)
            for name in ("Wei", "Li")
        )
        rows = self.members(
            {"id": wei.pk, "account": account.pk, "name": "Wei Jun", "relationship": "child"},
            {"id": li.pk, "account": account.pk, "name": "Li", "relationship": "child", "DELETE": "on"},
            initial=2,
        )
        by_manager.post(url(models.CustomerAccount, "change", account.pk), self.form(owner_name="Mei Lim", **rows))

        account.refresh_from_db()
        assert account.owner_name == "Mei Lim"
        assert [member.name for member in account.family_members.all()] == ["Wei Jun"]
        assert account.history.count() == 2

    def test_show_their_history(self, by_manager, account):
        assert by_manager.get(url(models.CustomerAccount, "history", account.pk)).status_code == 200

    def test_refuse_a_number_that_is_taken(self, by_manager):
        CustomerAccountFactory(number="A-7")
        answer = by_manager.post(url(models.CustomerAccount, "add"), self.form())

        assert (answer.status_code, "already exists" in answer.content.decode()) == (200, True)

    def test_tell_what_the_service_refuses(self, by_manager):
        rows = self.members(*({"name": f"Guest {n}", "relationship": "tenant"} for n in range(51)))
        answer = by_manager.post(url(models.CustomerAccount, "add"), self.form(**rows), follow=True)

        assert "50 family members at most" in answer.content.decode()
        assert not models.CustomerAccount.objects.exists()


class TestAccess:
    def test_is_granted_and_ended(self, by_manager, account, person):
        body = {"account": account.pk, "user": person.pk, "right": "view", "ends_0": "2025-04-01", "ends_1": "00:00"}
        assert by_manager.post(url(models.AccountAccess, "add"), body).status_code == 302
        held = models.AccountAccess.objects.get()
        assert (held.valid.lower, held.valid.upper.isoformat()) == (NOW, "2025-03-31T16:00:00+00:00")

        act(by_manager, models.AccountAccess, "end_now", held)
        assert not models.AccountAccess.objects.exists()

    def test_is_refused_in_words(self, by_manager, account, viewer, manager):
        again = by_manager.post(
            url(models.AccountAccess, "add"), {"account": account.pk, "user": viewer.pk, "right": "view"}
        )
        staff = by_manager.post(
            url(models.AccountAccess, "add"), {"account": account.pk, "user": manager.pk, "right": "view"}
        )

        assert "has access to the account in that period" in again.content.decode()
        assert "Access is for customers" in staff.content.decode()

    def test_is_offered_taken_back_and_sent_again(self, by_manager, account, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            body = {"account": account.pk, "email": "li@example.org", "right": "view"}
            assert by_manager.post(url(models.Invitation, "add"), body).status_code == 302
        offer = models.Invitation.objects.get()
        with django_capture_on_commit_callbacks(execute=True):
            act(by_manager, models.Invitation, "send_again", offer)
        assert [letter.to for letter in mail.outbox] == [["li@example.org"]] * 2

        act(by_manager, models.Invitation, "take_back", offer)
        offer.refresh_from_db()
        assert offer.revoked_at == NOW


class TestSources:
    def form(self, **more):
        given = {"name": "south", "scopes": ["readings"], "label_convention": "period_end", "zone": ""}
        return {**given, "messages_per_minute": "", **NO_INLINES, **more}

    def test_show_their_key_once(self, by_admin):
        answer = by_admin.post(url(models.DataSource, "add"), self.form(), follow=True)
        key = re.search(r"ep_[0-9a-f]{12}_[0-9a-f]{64}", answer.content.decode())[0]

        assert source_key(text=key, now=NOW).source.name == "south"
        assert key not in by_admin.get(url(models.DataSource)).content.decode()

    def test_make_a_new_key_by_the_button(self, by_admin):
        source, _ = sources.create_source(name="south", scopes=["readings"], actor=PORTAL, now=NOW)
        pressed = {"accounts_datasource_make_new_key": "", "scopes": ["readings", "queries"]}
        answer = by_admin.post(url(models.DataSource, "change", source.pk), self.form(**pressed), follow=True)

        assert "shown this once" in answer.content.decode()
        assert len(keys_in_force(source=source, now=NOW)) == 2
        source.refresh_from_db()
        assert source.scopes == ["queries", "readings"]

    def test_say_why_there_is_no_third_key(self, by_admin):
        source, _ = sources.create_source(name="south", scopes=["readings"], actor=PORTAL, now=NOW)
        act(by_admin, models.DataSource, "make_new_keys", source)
        answer = act(by_admin, models.DataSource, "make_new_keys", source)

        assert "revoke one first" in answer.content.decode()
        assert source.keys.count() == 2

    def test_are_revoked_for_good(self, by_admin):
        source, key = sources.create_source(name="south", scopes=["readings"], actor=PORTAL, now=NOW)
        act(by_admin, models.DataSource, "revoke", source)

        assert source_key(text=key, now=NOW) is None
        assert by_admin.post(url(models.DataSource, "change", source.pk), self.form(name="north")).status_code == 403

    def test_lose_single_keys(self, by_admin):
        source, key = sources.create_source(name="south", scopes=["readings"], actor=PORTAL, now=NOW)
        act(by_admin, models.SourceKey, "revoke", source.keys.get())

        assert source_key(text=key, now=NOW) is None

    def test_say_whether_a_key_was_used(self, by_admin):
        source = DataSourceFactory()
        models.SourceKey.objects.create(source=source, prefix="p", key_hash="h", last_used_at=NOW - timedelta(days=2))

        assert "13 Mar 2025 12:00" in by_admin.get(url(models.DataSource)).content.decode()


def _request(client):
    return client.get(url(models.CustomerAccount)).wsgi_request
