"""A payment provider, attached as docs/operating.md tells: from the link on the page to the charge-back."""

import importlib.util
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts.actors import PORTAL
from accounts.services.sources import create_source
from billing.selectors.balance import account_balance
from tests.factories import AccountAccessFactory, CustomerAccountFactory, singapore_bill

pytestmark = pytest.mark.django_db
MANUAL = (Path(__file__).resolve().parents[2] / "docs" / "operating.md").read_text()
CHAPTER = MANUAL[MANUAL.index("### A payment provider") :]
NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)
TEMPLATE = (
    "https://pay.example/?number={number}&amount={amount}&currency={currency}&account={account}"
    "&return_url={return_url}&signature={signature}"
)


def blocks(language: str) -> list[str]:
    """Return the examples of the chapter."""
    return re.findall(rf"```{language}\n(.*?)```", CHAPTER, re.DOTALL)


def send(example: str, key: str):
    """Send a request as the manual writes it."""
    head, body = example.split("\n\n", 1)
    (method, path), *headers = (line.split(" ", 1) for line in head.splitlines())
    named = {name.rstrip(":"): value.replace("KEY", key) for name, value in headers}
    assert method == "POST"
    return Client().post(path, body, content_type=named.pop("Content-Type"), headers=named)


@pytest.fixture
def bill(time_machine):
    time_machine.move_to(NOW, tick=False)
    account = CustomerAccountFactory(number="A-1001")
    return singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=datetime(2023, 3, 2, tzinfo=UTC))


@pytest.fixture
def key(bill):
    _, key = create_source(name="pay-example", scopes=["payments"], actor=PORTAL, now=NOW)
    return key


class TestProvider:
    def test_can_trust_the_link_on_the_customers_page(self, bill, settings, tmp_path):
        settings.PAYMENT_LINK, settings.PAYMENT_LINK_SECRET = TEMPLATE, "between us"
        (code,) = blocks("python")
        module = tmp_path / "provider.py"
        module.write_text(code)
        spec = importlib.util.spec_from_file_location("provider", module)
        provider = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(provider)
        customer = Client()
        customer.force_login(AccountAccessFactory(account=bill.account).user)

        page = customer.get("/payments").content.decode().replace("&amp;", "&")
        link = re.search(r'href="(https://pay\.example/[^"]*)"', page)[1]
        asked = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}

        assert (asked["number"], asked["amount"]) == (bill.number, "96.47")
        assert provider.is_genuine("between us", **asked)
        assert not provider.is_genuine("between us", **{**asked, "amount": "0.01"})

    def test_reports_a_payment_and_its_charge_back(self, bill, key):
        paid, charged_back = blocks("http")

        answers = [send(example, key) for example in (paid, paid, charged_back, charged_back)]

        assert [answer.status_code for answer in answers] == [201, 200, 201, 200]
        assert answers[0].json()["account_id"] == "A-1001"
        (balance,) = account_balance(account=bill.account, now=NOW).balances
        assert balance.balance == bill.total

    def test_is_told_by_the_codes_that_the_manual_names(self, bill, key):
        body = json.loads(blocks("http")[0].split("\n\n", 1)[1])
        headers = {"Authorization": f"Bearer {key}"}

        answers = [
            Client().post("/api/v1/payments", json.dumps(each), content_type="application/json", headers=headers)
            for each in ({**body, "currency": "EUR"}, {**body, "bill_number": "202302-000009"})
        ]

        codes = [answer.json()["code"] for answer in answers]
        assert codes == ["wrong_currency", "unknown_bill"]
        assert all(f"`{code}`" in CHAPTER for code in codes)
