import csv
import io
from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.admin.sites import AdminSite
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.actors import PORTAL
from accounts.models import AuditEntry, CustomerAccount, DataSource, Invitation, SourceKey, User
from accounts.services.sources import rotate_key
from energy_portal.shared.admin import PortalAdmin
from energy_portal.shared.admin_exports import ListExport
from meters.models import ChainEvent, ReadingException, ServicePoint
from tests.factories import (
    AccountAccessFactory,
    AdminFactory,
    CustomerAccountFactory,
    DataSourceFactory,
    ManagerFactory,
    UserFactory,
    supplied_register,
)

pytestmark = pytest.mark.django_db

PAGES = admin.site._registry
OURS = [model for model in PAGES if model.__module__.split(".")[0] in {"accounts", "meters", "billing", "field_ops"}]
AN_INSTANT = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)


def export_url(model, page="export"):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}")


def body(answer):
    assert answer.status_code == 200, answer.status_code
    return b"".join(answer.streaming_content).decode("utf-8-sig")


def table(answer):
    return list(csv.DictReader(io.StringIO(body(answer))))


@pytest.fixture
def admin_client():
    client = Client()
    client.force_login(AdminFactory())
    return client


def make_rows(number=1):
    for _ in range(number):
        register = supplied_register(account=CustomerAccountFactory())
        point = ServicePoint.objects.get(installations__meter=register.meter)
        ChainEvent.objects.create(service_point=point, register=register, kind="installed", at=AN_INSTANT, value=7)
        ReadingException.objects.create(
            register=register, time=AN_INSTANT, code="conflict", offered_value=1, opened_at=AN_INSTANT
        )
        AccountAccessFactory()
        rotate_key(source_id=DataSourceFactory().public_id, actor=PORTAL, now=AN_INSTANT)
        Invitation.objects.create(
            account=CustomerAccountFactory(),
            email=UserFactory.build().email,
            token_hash=f"{Invitation.objects.count():064d}",
            valid=(AN_INSTANT, None),
            expires_at=AN_INSTANT,
        )


def count_queries(client):
    counts = {}
    for model in OURS:
        with CaptureQueriesContext(connection) as asked:
            body(client.get(export_url(model)))
        counts[model] = len(asked)
    return counts


class TestEveryList:
    def test_leaves_as_csv(self):
        assert [model for model, page in PAGES.items() if not isinstance(page, ListExport)] == []

    def test_offers_its_export_and_streams_it(self, admin_client):
        make_rows()
        for model in OURS:
            shown = admin_client.get(export_url(model, "changelist"))

            lines = body(admin_client.get(export_url(model))).splitlines()

            assert f'href="{export_url(model)}' in shown.text, model
            assert lines[0].startswith("id,"), model
            assert len(lines) >= 1 + min(1, shown.context["cl"].result_count), model

    def test_costs_as_many_queries_for_one_row_as_for_many(self, admin_client):
        make_rows()
        count_queries(admin_client)
        few = count_queries(admin_client)
        make_rows(3)

        assert count_queries(admin_client) == few

    def test_keeps_every_secret(self, admin_client):
        make_rows()
        hashes = [
            *User.objects.values_list("password", flat=True),
            *SourceKey.objects.values_list("key_hash", flat=True),
            *Invitation.objects.values_list("token_hash", flat=True),
        ]
        assert len(hashes) > 3

        told = {model: body(admin_client.get(export_url(model))) for model in OURS}

        assert [(model, found) for model, text in told.items() for found in hashes if found in text] == []


class TestListExport:
    def test_holds_what_the_filtered_list_shows(self, admin_client):
        wanted = CustomerAccountFactory(owner_name="Mei Ling Tan", status="closed")
        CustomerAccountFactory(owner_name="Nobody Else", status="active")

        rows = table(admin_client.get(export_url(CustomerAccount), {"status__exact": "closed", "q": "ling"}))

        assert [row["id"] for row in rows] == [str(wanted.pk)]
        assert rows[0]["Owner name"] == "Mei Ling Tan"
        assert rows[0]["Status"] == "Closed"

    def test_goes_beyond_a_page(self, admin_client):
        CustomerAccountFactory.create_batch(55)

        assert len(table(admin_client.get(export_url(CustomerAccount)))) == 55

    def test_neutralises_formulas(self, admin_client):
        CustomerAccountFactory(owner_name='=HYPERLINK("https://example.org")')

        assert table(admin_client.get(export_url(CustomerAccount)))[0]["Owner name"].startswith("'=HYPERLINK")

    def test_writes_instants_for_machines(self, admin_client):
        make_rows()

        assert table(admin_client.get(export_url(ChainEvent)))[0]["At"] == "2026-03-01T12:30:00+08:00"

    def test_leaves_empty_what_is_missing(self, admin_client):
        make_rows()

        assert table(admin_client.get(export_url(ChainEvent)))[0]["Multiplier"] == ""

    def test_leaves_columns_out_that_are_called_a_secret(self, rf):
        class Careless(PortalAdmin):
            list_display = ("email", "password")

        request = rf.get("/")
        request.user = AdminFactory()

        rows = table(Careless(User, AdminSite()).export_view(request))

        assert rows == [{"id": str(request.user.pk), "Email": request.user.email}]

    def test_shows_nothing_to_whoever_may_not_see_the_list(self):
        client = Client()
        client.force_login(ManagerFactory())

        assert client.get(export_url(User)).status_code == 403
        assert client.get(export_url(DataSource)).status_code == 403

    def test_sends_customers_to_the_login(self):
        client = Client()
        client.force_login(UserFactory())

        assert client.get(export_url(CustomerAccount)).status_code == 302

    def test_goes_back_to_the_list_when_the_filter_is_nonsense(self, admin_client):
        answer = admin_client.get(export_url(CustomerAccount), {"created_at__gte": "never"})

        assert answer.status_code in {302, 400}

    def test_is_on_record(self, admin_client):
        CustomerAccountFactory.create_batch(2)

        body(admin_client.get(export_url(CustomerAccount), {"q": "A-"}))

        entry = AuditEntry.objects.get(action="list.exported")
        assert entry.detail == {"page": "accounts.customeraccount", "rows": 2, "query": "q=A-"}
        assert entry.user.role == "admin"
