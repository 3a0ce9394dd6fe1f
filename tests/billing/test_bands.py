"""What a kilowatt-hour costs when, as a chart draws it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db.backends.postgresql.psycopg_any import DateRange

from billing.models import Tariff
from billing.selectors.bands import tariff_bands
from energy_portal.shared.clock import Period, local_day, zone
from tests.factories import CustomerAccountFactory, TariffFactory, TariffVersionFactory, supplied_register

pytestmark = pytest.mark.django_db

SINGAPORE = zone("Asia/Singapore")
FRIDAY, SATURDAY = date(2025, 3, 14), date(2025, 3, 15)
WEEKDAY = [0] * 7 + [1] * 12 + [0] * 5


def priced_by_the_clock(version, *, name="Electricity", rates=("0.10", "0.30")) -> None:
    version.components.all().delete()
    periods = [
        {"name": period, "tiers": [{"up_to": None, "rate": rate}]}
        for period, rate in zip(("Off-peak", "Peak"), rates, strict=True)
    ]
    terms = {"periods": periods, "weekday": [WEEKDAY] * 12, "weekend": [[0] * 24] * 12}
    version.components.create(position=1, kind="energy", name=name, terms=terms)


@pytest.fixture(autouse=True)
def _no_other_tariff():
    Tariff.objects.update(is_default=False)


@pytest.fixture
def tariff():
    return TariffFactory(is_default=True)


@pytest.fixture
def account(tariff):
    made = CustomerAccountFactory()
    supplied_register(account=made)
    return made


def bands_of(account, day):
    return tariff_bands(account=account, period=local_day(day, SINGAPORE))


def by_the_clock(found) -> list[tuple[str, str]]:
    return [(f"{band.period.start.astimezone(SINGAPORE):%H:%M}", band.price.name) for band in found.bands]


class TestBands:
    def test_follow_the_clock_of_the_place_on_weekdays_and_weekends(self, account, tariff):
        priced_by_the_clock(TariffVersionFactory(tariff=tariff))

        friday, saturday = bands_of(account, FRIDAY), bands_of(account, SATURDAY)

        assert by_the_clock(friday) == [("00:00", "Off-peak"), ("07:00", "Peak"), ("19:00", "Off-peak")]
        assert [(price.rank, price.name, price.rates) for price in friday.prices] == [
            (0, "Peak", ((None, Decimal("0.30")),)),
            (1, "Off-peak", ((None, Decimal("0.10")),)),
        ]
        assert (by_the_clock(saturday), saturday.changes) == ([("00:00", "Off-peak")], False)

    def test_are_one_where_energy_costs_the_same_at_all_times(self, account, tariff):
        TariffVersionFactory(tariff=tariff, energy_rate="0.2895")

        found = bands_of(account, FRIDAY)

        assert [(price.name, price.rates) for price in found.prices] == [("Electricity", ((None, Decimal("0.2895")),))]
        assert not found.changes

    def test_add_up_what_is_charged_at_once(self, account, tariff):
        version = TariffVersionFactory(tariff=tariff)
        priced_by_the_clock(version)
        flat = {"periods": [{"name": "", "tiers": [{"up_to": None, "rate": "0.05"}]}]}
        version.components.create(position=2, kind="energy", name="Grid", terms=flat)

        assert [price.rates[0][1] for price in bands_of(account, FRIDAY).prices] == [Decimal("0.35"), Decimal("0.15")]

    def test_change_with_the_version(self, account, tariff):
        for name, days, rate in (("old", DateRange(None, SATURDAY), "0.2"), ("new", DateRange(SATURDAY, None), "0.4")):
            TariffVersionFactory(tariff=tariff, name=name, effective=days, energy_rate=rate)
        period = Period(local_day(FRIDAY, SINGAPORE).start, local_day(SATURDAY, SINGAPORE).end)

        found = tariff_bands(account=account, period=period)

        assert [(band.price.rates[0][1], band.period.duration) for band in found.bands] == [
            (Decimal("0.2"), timedelta(days=1)),
            (Decimal("0.4"), timedelta(days=1)),
        ]

    def test_are_none_without_a_tariff(self):
        account = CustomerAccountFactory()
        supplied_register(account=account)

        found = tariff_bands(
            account=account, period=Period(datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC))
        )

        assert (found.bands, found.prices) == ((), ())

    def test_name_the_place_where_there_are_several(self, account, tariff):
        TariffVersionFactory(tariff=tariff)
        supplied_register(account=account)

        assert bands_of(account, FRIDAY).service_point.startswith("SP-")

    def test_keep_the_hours_of_the_clock_on_the_day_that_it_changes(self, tariff):
        priced_by_the_clock(TariffVersionFactory(tariff=tariff))
        account = CustomerAccountFactory(zone="Europe/Berlin")
        register = supplied_register(account=account)
        point = register.meter.installations.get().service_point
        point.premises.zone = "Europe/Berlin"
        point.premises.save()
        # A Sunday of 23 hours: nothing but off-peak, and 46 half-hours of it.
        day = local_day(date(2025, 3, 30), zone("Europe/Berlin"))

        (band,) = tariff_bands(account=account, period=day).bands

        assert (band.period, band.price.name) == (day, "Off-peak")
