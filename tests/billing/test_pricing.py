from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange
from django.test.utils import CaptureQueriesContext

from billing.models import Tariff, TariffAssignment, TariffVersion
from billing.rating.terms import Kind, flat_terms
from billing.selectors.pricing import EnergyNotKnown, NoTariffInForce, price_books, rate_profile
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import Period, YearMonth, local_month
from meters.halfhours import HalfHours
from tests.billing.ratings import (
    SINGAPORE,
    component,
    constant,
    day_and_night,
    half_hours,
    midnight,
    tiered,
    tiers,
)
from tests.billing.readings import add_version, default_tariff
from tests.factories import BindingFactory, ServicePointFactory, TariffFactory

APRIL = local_month(YearMonth(2025, 4), SINGAPORE)
pytestmark = pytest.mark.django_db


def energy(price):
    return component(Kind.ENERGY, flat_terms(Decimal(price)), "Electricity")


def hourly(price="0.3"):
    return component(Kind.ENERGY, day_and_night(tiers((None, "0.1")), tiers((None, price))), "Electricity")


def book_of(account, period=APRIL):
    return price_books(accounts=[account], periods={account.pk: period})[account.pk]


def supplied(service_class="residential", account=None):
    options = {"account": account} if account else {}
    return BindingFactory(service_point=ServicePointFactory(service_class=service_class), **options)


def prices_at(binding):
    """Return what energy costs at a place, first to last version."""
    versions = book_of(binding.account).versions_of[binding.service_point_id]
    return [float(each.components[0].terms.periods[0].tiers[0].rate) for each in versions]


class TestTariffOfAPlace:
    def test_is_the_default_of_its_class(self):
        default_tariff(energy("0.1"))
        default_tariff(energy("0.2"), service_class="industrial")

        assert prices_at(supplied("industrial")) == [0.2]
        assert prices_at(supplied("residential")) == [0.1]

    def test_is_the_account_s_own_where_its_class_fits(self):
        default_tariff(energy("0.1"))
        home = supplied("residential")
        works = supplied("industrial", home.account)
        own = TariffFactory(service_class="industrial")
        add_version(own, energy("0.3"))
        TariffAssignment.objects.create(account=home.account, tariff=own, effective=DateRange(None, None))

        assert prices_at(home) == [0.1]
        assert prices_at(works) == [0.3]

    def test_is_the_account_s_own_in_its_days_only(self):
        default_tariff(energy("0.1"))
        home = supplied()
        own = TariffFactory()
        add_version(own, energy("0.3"))
        days = DateRange(date(2025, 4, 11), date(2025, 4, 21))
        TariffAssignment.objects.create(account=home.account, tariff=own, effective=days)

        assert prices_at(home) == [0.1, 0.3, 0.1]
        assert book_of(home.account).cuts == (
            APRIL.start,
            midnight(date(2025, 4, 11)),
            midnight(date(2025, 4, 21)),
            APRIL.end,
        )

    def test_is_none_where_no_default_is_of_its_class_or_of_all(self):
        Tariff.objects.update(is_default=False)
        default_tariff(energy("0.2"), service_class="industrial")

        assert prices_at(supplied("residential")) == []

    def test_leaves_superseded_versions_out(self):
        tariff = default_tariff()
        old = add_version(tariff, energy("0.1"))
        TariffVersion.objects.filter(pk=old.pk).update(superseded_at=datetime(2025, 1, 1, tzinfo=UTC))
        add_version(tariff, energy("0.2"))

        assert prices_at(supplied()) == [0.2]

    def test_prices_nothing_by_terms_that_cannot_be_read(self):
        tariff = default_tariff(energy("0.1"))
        tariff.versions.get().components.update(terms={"periods": []})

        assert prices_at(supplied()) == []


class TestBooks:
    @pytest.mark.parametrize(("priced", "needed"), [(energy("0.1"), False), (hourly(), True)], ids=["flat", "by hours"])
    def test_need_half_hours_for_prices_that_ask_when_only(self, priced, needed):
        default_tariff(priced)

        book = book_of(supplied().account)

        assert (book.needs_half_hours, book.needs_exports) == (needed, False)

    def test_need_exports_where_they_are_credited(self):
        default_tariff(energy("0.1"), component(Kind.EXPORT, tiered((None, "0.1"))))

        assert book_of(supplied().account).needs_exports

    def test_of_accounts_with_the_same_prices_share_them(self):
        default_tariff(energy("0.1"))
        accounts = [supplied().account for _ in range(2)]

        one, other = price_books(accounts=accounts, periods={each.pk: APRIL for each in accounts}).values()

        assert one.prices is other.prices

    def test_ask_as_often_for_many_accounts_as_for_few(self):
        default_tariff(hourly())
        few = [supplied().account]
        with CaptureQueriesContext(connection) as asked_of_few:
            price_books(accounts=few, periods={each.pk: APRIL for each in few})
        many = [supplied(service_class).account for service_class in ("residential", "industrial") * 5]
        default_tariff(energy("0.4"), service_class="industrial")
        for account in many[:3]:
            own = TariffFactory()
            add_version(own, energy("0.3"), hourly())
            TariffAssignment.objects.create(account=account, tariff=own, effective=DateRange(None, None))

        with CaptureQueriesContext(connection) as asked_of_many:
            books = price_books(accounts=many, periods={each.pk: APRIL for each in many})

        assert len(books) == 10
        assert len(asked_of_many) == len(asked_of_few)


def rate_by(tariff, profile, period=APRIL, exported=None):
    return rate_profile(tariff=tariff, profile=profile, exported=exported, zone=SINGAPORE, period=period)


class TestRateProfile:
    def test_prices_golden_case_nine_over_a_version_change(self):
        tariff = TariffFactory(tax=load_singapore_tariff().tax)
        add_version(tariff, energy("0.2895"), name="2023 Q1", first=date(2023, 1, 1), after=date(2023, 4, 1))
        add_version(tariff, energy("0.2743"), name="2023 Q2", first=date(2023, 4, 1), after=date(2023, 7, 1))
        period = Period(midnight(date(2023, 3, 15)), midnight(date(2023, 4, 15)))
        tenth_a_day = [Decimal(10) / 48] * 48

        profile = half_hours(period.start, [str(round(each, 6)) for each in tenth_a_day] * 31)
        profile.energy_ukwh[::48] += 10_000_000 - 48 * profile.energy_ukwh[0]

        priced = rate_by(tariff, profile, period)

        assert [line.amount for line in priced.lines] == [Decimal("49.22"), Decimal("38.40"), Decimal("7.01")]
        assert (priced.subtotal, priced.total, priced.currency) == (Decimal("87.62"), Decimal("94.63"), "SGD")

    def test_takes_a_part_of_a_longer_profile(self):
        tariff = TariffFactory(tax=None)
        add_version(tariff, hourly())
        whole = constant(midnight(date(2025, 1, 1)), midnight(date(2026, 1, 1)))

        assert sum(line.quantity for line in rate_by(tariff, whole).lines) == 720

    def test_credits_what_went_out(self):
        tariff = TariffFactory(tax=None)
        add_version(tariff, component(Kind.EXPORT, tiered((None, "0.1"))))
        profile = constant(APRIL.start, APRIL.end)

        assert rate_by(tariff, profile, exported=profile).total == Decimal("-72.00")

    @pytest.mark.parametrize("priced", [energy("0.1"), hourly()], ids=["flat", "by hours"])
    @pytest.mark.parametrize(
        "profile",
        [
            constant(APRIL.start, midnight(date(2025, 4, 30))),
            constant(midnight(date(2025, 4, 2)), APRIL.end),
            HalfHours.unknown(APRIL.start, 1440),
        ],
        ids=["too short", "too late", "unknown"],
    )
    def test_refuses_a_profile_that_is_not_whole(self, priced, profile):
        tariff = TariffFactory(tax=None)
        add_version(tariff, priced)

        with pytest.raises(EnergyNotKnown):
            rate_by(tariff, profile)

    def test_refuses_to_guess_a_price(self):
        tariff = TariffFactory(tax=None)
        add_version(tariff, energy("0.1"), first=date(2025, 4, 2))

        with pytest.raises(NoTariffInForce):
            rate_by(tariff, constant(APRIL.start, APRIL.end))
