"""What a customer reads who chose another language than English."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import translation

from accounts.actors import PORTAL
from billing.documents import bill_pdf
from billing.selectors.bills import bill_document
from billing.services.bills import issue_bill
from tests.billing.metered import default_tariff, drafted, month_of, read_half_hours
from tests.factories import AccountAccessFactory, supplied_register

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
FEBRUARY = month_of("2025-02")
STANDING_CHARGE = ("fixed", "Supply", {"amount": "1234.5", "per": "month"})


@pytest.fixture
def bill(time_machine):
    time_machine.move_to(NOW, tick=False)
    access = AccountAccessFactory()
    default_tariff(STANDING_CHARGE)
    read_half_hours(supplied_register(account=access.account), start=FEBRUARY.start, end=FEBRUARY.end)
    return issue_bill(bill_id=drafted(access.account, "2025-02", now=NOW).pk, actor=PORTAL, now=NOW)


def reader_of(bill, language: str) -> Client:
    access = bill.account.accesses.select_related("user").get()
    access.user.language = language
    access.user.save()
    client = Client()
    client.force_login(access.user)
    return client


class TestPages:
    @pytest.mark.parametrize(
        ("path", "malay", "english"),
        [
            ("/home", "Bulan ini setakat ini", "This month so far"),
            ("/usage", "Hari dalam bulan", "Day of the month"),
            ("/anomalies", "Tiada yang luar biasa", "Nothing unusual"),
            ("/bills", "Baki dan bayaran", "Balance and payments"),
            ("/bills/{bill}", "Bil bagi Februari 2025", "Bill for"),
            ("/payments", "Urus niaga, terbaharu dahulu", "Movements, newest first"),
        ],
    )
    def test_speak_malay_to_who_chose_it(self, bill, path, malay, english):
        page = reader_of(bill, "ms").get(path.format(bill=bill.pk)).content.decode()

        assert '<html lang="ms"' in page
        assert malay in page
        assert english not in page

    @pytest.mark.parametrize(
        ("language", "month"), [("en", "February 2025"), ("zh-hans", "2025年2月"), ("ms", "Februari 2025")]
    )
    def test_write_dates_in_the_language_and_numbers_alike(self, bill, language, month):
        page = reader_of(bill, language).get("/bills").content.decode()

        assert month in page
        assert f"{bill.total:,.2f}" in page


class TestDocument:
    def test_is_the_same_whoever_opens_it(self, bill):
        document = bill_document(bill, now=NOW)
        usual = bill_pdf(document)

        with translation.override("zh-hans"):
            assert bill_pdf(document) == usual
