"""What a little energy more costs an account."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.models import Tariff
from billing.selectors.stakes import price_of
from meters.models import ServicePoint
from tests.billing.test_bands import priced_by_the_clock
from tests.factories import CustomerAccountFactory, TariffFactory, TariffVersionFactory, supplied_register

pytestmark = pytest.mark.django_db

# A Friday in Singapore: noon, and eleven at night.
PEAK, OFF_PEAK = datetime(2025, 3, 14, 4, tzinfo=UTC), datetime(2025, 3, 14, 15, tzinfo=UTC)


@pytest.fixture
def account():
    Tariff.objects.update(is_default=False)
    made = CustomerAccountFactory()
    supplied_register(account=made)
    return made


def price(account, at, kwh="10"):
    return price_of(account.pk, ServicePoint.objects.get().code, Decimal(kwh), at)


class TestPriceOf:
    def test_is_that_of_the_hour_with_tax(self, account):
        version = TariffVersionFactory(tariff=TariffFactory(is_default=True, tax=None))
        priced_by_the_clock(version)

        assert price(account, PEAK) == (Decimal("3.00"), version.tariff.currency)
        assert price(account, OFF_PEAK) == (Decimal("1.00"), version.tariff.currency)
        assert price(account, PEAK, "-10") == (Decimal("-3.00"), version.tariff.currency)

    def test_is_not_known_without_a_tariff_or_a_place(self, account):
        assert price(account, PEAK) is None
        assert price_of(account.pk, "nowhere", Decimal(1), PEAK) is None
