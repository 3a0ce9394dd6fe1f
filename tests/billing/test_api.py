import json
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader
from rest_framework.test import APIClient

from accounts.api.authentication import SourceCaller
from accounts.models import SourceKey
from accounts.roles import Role, Scope
from billing.models import Bill, BillRun
from billing.selectors import bills as selectors
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import Period
from meters.selectors.consumption import Consumption, Granularity, Interval
from tests.factories import (
    AccountAccessFactory,
    BindingFactory,
    CustomerAccountFactory,
    DataSourceFactory,
    InstallationFactory,
    ManagerFactory,
    UserFactory,
    since,
    singapore_bill,
)

pytestmark = pytest.mark.django_db
FEBRUARY = date(2023, 2, 1)
NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture(autouse=True)
def used(monkeypatch):
    """What the readings say when no bill does: 450.5 kWh a month, 10 kWh a day."""

    def consumption(*, account, period: Period, granularity: Granularity | None, now):
        days = period.split_at() if granularity is None else [period]
        series = tuple(Interval(day.start, day.end, Decimal(10), 17, estimated=False) for day in days)
        return Consumption(period, Decimal("450.500"), True, Decimal(0), now, series)

    monkeypatch.setattr(selectors, "account_consumption", consumption)


def client_of(user=None, *, scopes=None) -> APIClient:
    client = APIClient()
    if scopes is not None:
        source = DataSourceFactory(scopes=scopes)
        key = SourceKey.objects.create(source=source, prefix=uuid4().hex[:16], key_hash=uuid4().hex)
        client.force_authenticate(user=SourceCaller(source), token=key)
    elif user is not None:
        client.force_authenticate(user=user)
    return client


@pytest.fixture
def account():
    return CustomerAccountFactory(number="A-1001")


@pytest.fixture
def customer(account):
    return AccountAccessFactory(account=account).user


@pytest.fixture
def issued(account):
    return singapore_bill(account=account, first_day=FEBRUARY, issued_at=NOW)


class TestLastMonthBill:
    def ask(self, client, **query):
        return client.get("/get_last_month_bill", query)

    def test_answers_the_issued_bill_to_the_cent(self, customer, issued):
        answer = self.ask(client_of(customer), account_id="A-1001")

        assert answer.status_code == 200
        assert json.loads(answer.content) == {
            "account_id": "A-1001",
            "month": "2023-02",
            "consumption_kwh": 308.52,
            "amount": "89.32",
            "tax": "7.15",
            "total": "96.47",
            "currency": "SGD",
            "bill_number": "202302-000001",
            "status": "issued",
        }

    def test_answers_the_energy_alone_until_a_bill_is_issued(self, customer):
        answer = json.loads(self.ask(client_of(customer), account_id="A-1001").content)

        assert (answer["consumption_kwh"], answer["status"]) == (450.5, "not_issued")
        assert [answer[name] for name in ("amount", "tax", "total", "bill_number", "currency")] == [None] * 5

    def test_tells_of_a_draft_without_its_money(self, customer, account):
        singapore_bill(account=account, first_day=FEBRUARY)

        answer = json.loads(self.ask(client_of(customer), account_id="A-1001").content)

        assert (answer["status"], answer["total"], answer["bill_number"]) == ("draft", None, None)
        assert answer["consumption_kwh"] == 450.5

    def test_answers_for_a_void_bill_as_if_there_were_none(self, customer, issued):
        Bill.objects.filter(pk=issued.pk).update(status="void")

        assert json.loads(self.ask(client_of(customer), account_id="A-1001").content)["status"] == "not_issued"

    def test_takes_the_month_of_the_account_s_zone(self, time_machine, customer, account):
        time_machine.move_to(datetime(2023, 2, 28, 17, tzinfo=UTC))
        client = client_of(customer)
        singapore = json.loads(self.ask(client, account_id="A-1001").content)["month"]
        account.zone = "Europe/Berlin"
        account.save()

        berlin = json.loads(self.ask(client, account_id="A-1001").content)["month"]

        assert (singapore, berlin) == ("2023-02", "2023-01")

    def test_finds_the_account_that_a_meter_supplied_last_month(self, customer, account, issued):
        hung = InstallationFactory(meter__serial="SG-000123")
        moved = datetime(2023, 3, 1, tzinfo=UTC)
        BindingFactory(
            service_point=hung.service_point, account=account, valid=since(datetime(2021, 1, 1, tzinfo=UTC), moved)
        )
        BindingFactory(service_point=hung.service_point, valid=since(moved))

        for client in (client_of(customer), client_of(scopes=[Scope.QUERIES])):
            answer = json.loads(self.ask(client, meter_id="SG-000123").content)
            assert (answer["account_id"], answer["total"]) == ("A-1001", "96.47")

    @pytest.mark.parametrize("query", [{"account_id": "A-9999"}, {"meter_id": "SG-9999"}])
    def test_finds_nothing_that_is_not_there(self, query):
        answer = self.ask(client_of(ManagerFactory()), **query)

        assert answer.status_code == 404
        assert json.loads(answer.content)["code"] in {"unknown_account", "unknown_meter"}

    def test_hides_somebody_else_s(self, account, issued):
        hung = InstallationFactory(meter__serial="SG-000123")
        BindingFactory(service_point=hung.service_point, account=account)
        stranger = client_of(UserFactory())

        assert self.ask(stranger, account_id="A-1001").status_code == 404
        assert self.ask(stranger, meter_id="SG-000123").status_code == 404

    @pytest.mark.parametrize("query", [{}, {"account_id": "A-1001", "meter_id": "SG-1"}, {"account_id": ""}])
    def test_refuses_a_question_without_one_name(self, customer, query):
        answer = self.ask(client_of(customer), **query)

        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize(("scopes", "status"), [([Scope.QUERIES], 200), ([Scope.READINGS], 403)])
    def test_opens_to_keys_with_the_scope(self, issued, scopes, status):
        assert self.ask(client_of(scopes=scopes), account_id="A-1001").status_code == status

    def test_asks_who_is_there(self, issued):
        assert self.ask(client_of(), account_id="A-1001").status_code == 401


class TestBillList:
    def listed(self, client, **query):
        return json.loads(client.get("/api/v1/bills", query).content)["results"]

    def test_shows_a_customer_their_issued_bills_newest_first(self, customer, account, issued):
        singapore_bill(account=account, first_day=date(2023, 1, 1), issued_at=NOW)
        singapore_bill(account=account, first_day=date(2022, 12, 1))
        singapore_bill(account=CustomerAccountFactory(), first_day=FEBRUARY, issued_at=NOW)

        listed = self.listed(client_of(customer))

        assert [(bill["account_id"], bill["month"]) for bill in listed] == [
            ("A-1001", "2023-02"),
            ("A-1001", "2023-01"),
        ]
        assert (listed[0]["total"], listed[0]["consumption_kwh"]) == ("96.47", 308.52)
        assert listed[0]["period"]["from"] == "2023-02-01T00:00:00+08:00"

    @pytest.mark.parametrize(
        ("query", "count"),
        [({"status": "draft"}, 1), ({"month": "2023-02"}, 1), ({"account_id": "A-1001"}, 2), ({"month": "2024-01"}, 0)],
    )
    def test_filters(self, account, issued, query, count):
        singapore_bill(account=account, first_day=date(2023, 1, 1))

        assert len(self.listed(client_of(ManagerFactory()), **query)) == count

    def test_refuses_a_month_that_is_none(self, customer):
        answer = client_of(customer).get("/api/v1/bills", {"month": "2023-13"})

        assert (answer.status_code, json.loads(answer.content)["code"]) == (422, "bad_month")

    def test_comes_as_a_file(self, customer, issued):
        answer = client_of(customer).get("/api/v1/bills", {"format": "csv"})

        head, row = answer.content.decode("utf-8-sig").splitlines()
        assert head.startswith("id,number,account_id,month,period,status")
        assert "202302-000001,A-1001,2023-02" in row
        assert ",89.32,7.15,96.47," in row

    def test_asks_as_often_for_many_as_for_few(self, issued):
        client = client_of(ManagerFactory())
        with CaptureQueriesContext(connection) as few:
            self.listed(client)
        for _ in range(8):
            singapore_bill(account=CustomerAccountFactory(), first_day=FEBRUARY, issued_at=NOW)

        with CaptureQueriesContext(connection) as many:
            assert len(self.listed(client)) == 9

        assert len(many) == len(few)


class TestBillDetail:
    def test_shows_what_made_it(self, customer, issued):
        bill = json.loads(client_of(customer).get(f"/api/v1/bills/{issued.pk}").content)

        energy, tax = bill["lines"]
        assert (energy["quantity"], energy["rate"], energy["amount"]) == (308.52, "0.289500", "89.32")
        assert [read["value"] for read in energy["reads"]] == ["1000", "1308.52"]
        assert (tax["kind"], tax["quantity"], tax["amount"]) == ("tax", 89.32, "7.15")

    def test_hides_somebody_else_s_and_drafts(self, customer, account, issued):
        draft = singapore_bill(account=account, first_day=date(2023, 1, 1))

        assert client_of(UserFactory()).get(f"/api/v1/bills/{issued.pk}").status_code == 404
        assert client_of(customer).get(f"/api/v1/bills/{draft.pk}").status_code == 404
        assert client_of(customer).get(f"/api/v1/bills/{uuid4()}").status_code == 404

    def test_asks_as_often_for_many_lines_as_for_few(self, customer, account, meters, django_assert_num_queries):
        load_singapore_tariff()
        BindingFactory(account=account)
        bill = singapore_bill(account=account, first_day=FEBRUARY)
        client = client_of(ManagerFactory())
        with CaptureQueriesContext(connection) as few:
            client.get(f"/api/v1/bills/{bill.pk}")
        first = bill.lines.first()
        for position in range(3, 12):
            first.pk, first.position = None, position
            first.save(force_insert=True)

        with django_assert_num_queries(len(few)):
            client.get(f"/api/v1/bills/{bill.pk}")


class TestBillPDF:
    def test_is_the_bill_to_the_cent(self, customer, issued):
        answer = client_of(customer).get(f"/api/v1/bills/{issued.pk}/pdf", headers={"Accept": "application/pdf"})

        text = PdfReader(BytesIO(answer.content)).pages[0].extract_text()
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        assert 'filename="bill-202302-000001.pdf"' in answer["Content-Disposition"]
        for expected in ("SGD 96.47", "308.52 kWh", "89.32", "7.15", "A-1001"):
            assert expected in text

    def test_hides_somebody_else_s(self, issued):
        answer = client_of(UserFactory()).get(f"/api/v1/bills/{issued.pk}/pdf")

        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


class TestBillRuns:
    def test_start_a_month_and_show_how_far_it_is(self, meters, account, django_capture_on_commit_callbacks):
        load_singapore_tariff()
        BindingFactory(account=account)
        client = client_of(ManagerFactory())

        with django_capture_on_commit_callbacks(execute=True):
            answer = client.post("/api/v1/bill-runs", {"month": "2023-02"}, format="json")

        assert answer.status_code == 202
        shown = json.loads(client.get(answer["Location"]).content)
        assert (shown["month"], shown["status"], shown["accounts_done"], shown["bills_issued"]) == (
            "2023-02",
            "done",
            1,
            1,
        )
        assert [run["id"] for run in json.loads(client.get("/api/v1/bill-runs").content)["results"]] == [shown["id"]]

    def test_preview_a_month_and_tell_what_it_comes_to(self, meters, account, django_capture_on_commit_callbacks):
        load_singapore_tariff()
        BindingFactory(account=account)
        meters.daily_kwh[BindingFactory().account_id] = None
        client = client_of(ManagerFactory())

        with django_capture_on_commit_callbacks(execute=True):
            answer = client.post("/api/v1/bill-runs", {"month": "2023-02", "preview": True}, format="json")

        shown = json.loads(client.get(answer["Location"]).content)
        assert (shown["preview"], shown["bills_issued"], shown["bills_held"]) == (True, 0, 1)
        (drafts,) = shown["bills"]
        assert (drafts["status"], drafts["bills"], drafts["consumption_kwh"], drafts["total"]) == (
            "draft",
            1,
            280,
            "87.54",
        )
        assert [(held["held_because"], held["bills"]) for held in shown["held"]] == [("incomplete_energy", 1)]

    def test_refuse_to_issue_during_a_preview(self):
        client = client_of(ManagerFactory())
        client.post("/api/v1/bill-runs", {"month": "2023-02", "preview": True}, format="json")

        answer = client.post("/api/v1/bill-runs", {"month": "2023-02"}, format="json")

        assert (answer.status_code, json.loads(answer.content)["code"]) == (409, "bill_run_under_way")

    def test_start_once_a_month(self):
        client = client_of(ManagerFactory())

        answers = [client.post("/api/v1/bill-runs", {"month": "2023-02"}, format="json") for _ in range(2)]

        assert {json.loads(answer.content)["id"] for answer in answers} == {str(BillRun.objects.get().pk)}

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({}, 400, "invalid"),
            ({"month": "2023-00"}, 422, "bad_month"),
            ({"month": 202302}, 422, "bad_month"),
            ({"month": "2023-03"}, 422, "month_not_over"),
        ],
    )
    def test_refuse_what_is_no_finished_month(self, body, status, code):
        answer = client_of(ManagerFactory()).post("/api/v1/bill-runs", body, format="json")

        assert (answer.status_code, json.loads(answer.content)["code"]) == (status, code)
        assert not BillRun.objects.exists()

    @pytest.mark.parametrize("role", [Role.CUSTOMER, Role.AGENT, Role.OPERATOR])
    def test_are_for_managers(self, role):
        client = client_of(UserFactory(role=role))

        assert client.get("/api/v1/bill-runs").status_code == 403
        assert client.post("/api/v1/bill-runs", {"month": "2023-02"}, format="json").status_code == 403


class TestTariffs:
    def test_show_every_version_with_its_days(self, customer):
        load_singapore_tariff()

        tariff = json.loads(client_of(customer).get("/api/v1/tariffs/sg-household").content)

        assert (tariff["currency"], tariff["tax"], tariff["is_default"]) == ("SGD", "GST", True)
        assert tariff["versions"][0] == {
            "name": "2022 Q1",
            "revision": 1,
            "components": [
                {
                    "kind": "energy",
                    "name": "Electricity",
                    "terms": {"periods": [{"name": "", "tiers": [{"up_to": None, "rate": "0.2544"}]}]},
                    "words": {"summary": "0.2544 SGD a kWh, at all times", "periods": []},
                }
            ],
            "from": "2022-01-01",
            "to": "2022-04-01",
        }
        assert len(tariff["versions"]) == 10

    def test_are_listed(self, customer):
        load_singapore_tariff()

        listed = json.loads(client_of(customer).get("/api/v1/tariffs").content)["results"]

        assert [tariff["code"] for tariff in listed] == ["sg-household"]
