import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from billing.services.tariffs import load_singapore_tariff
from tests.billing.test_urdb import a_rate
from tests.factories import TariffFactory, TariffVersionFactory

pytestmark = pytest.mark.django_db
SINGAPORE = ZoneInfo("Asia/Singapore")


@pytest.fixture
def profile(tmp_path):
    """Half a kWh in every half-hour of January and February 2025."""
    marks = [datetime(2025, 1, 1) + timedelta(minutes=30) * n for n in range(1, 59 * 48 + 1)]
    path = tmp_path / "profile.csv"
    path.write_text("time,kwh\n" + "".join(f"{mark:%Y-%m-%d %H:%M},0.5\n" for mark in marks))
    return path


@pytest.fixture
def rate(capsys, profile):
    def rate(tariff, **options):
        call_command("rate", str(tariff), str(profile), **{"zone": "Asia/Singapore", "json": True} | options)
        return json.loads(capsys.readouterr().out)

    return rate


@pytest.fixture
def tariff():
    tariff = TariffFactory(code="flat", tax=load_singapore_tariff().tax)
    version = TariffVersionFactory(tariff=tariff, energy_rate="0.2")
    version.components.create(position=2, kind="fixed", name="Supply", terms={"amount": "10", "per": "month"})
    return tariff


class TestRate:
    def test_prices_each_month_and_its_tax(self, rate, tariff):
        answer = rate("flat")

        assert [month["subtotal"] for month in answer["months"]] == ["158.80", "144.40"]
        assert (answer["subtotal"], answer["tax"], answer["total"]) == ("303.20", "27.29", "330.49")
        assert answer["components"] == [
            {"kind": "energy", "name": "Electricity", "amount": "283.20"},
            {"kind": "fixed", "name": "Supply", "amount": "20.00"},
        ]
        assert answer["energy_kwh"] == "1416.000000"

    def test_prices_the_days_that_are_chosen(self, rate, tariff):
        answer = rate("flat", start=date(2025, 2, 1), after=date(2025, 3, 1))

        assert (answer["from"], answer["to"]) == ("2025-02-01T00:00:00+08:00", "2025-03-01T00:00:00+08:00")
        assert answer["subtotal"] == "144.40"

    def test_prices_by_a_rate_s_file_without_storing_it(self, rate, tmp_path):
        path = tmp_path / "rate.json"
        path.write_text(json.dumps({"items": [a_rate()]}, default=float))

        answer = rate(path, start=date(2025, 1, 1), after=date(2025, 2, 1))

        # 23 weekdays of 28 half-hours at 0.31, everything else of 744 kWh at 0.112.
        by_day = 23 * 14
        assert answer["currency"] == "USD"
        assert Decimal(answer["total"]) == Decimal("0.31") * by_day + (Decimal("0.112") * (744 - by_day)).quantize(
            Decimal("0.01")
        )

    def test_tells_a_person_each_line(self, tariff, profile, capsys):
        call_command("rate", "flat", str(profile), zone="Asia/Singapore")

        told = capsys.readouterr().out
        assert "1416.000000 kWh" in told
        assert "330.49 SGD" in told

    def test_refuses_days_beyond_the_profile(self, rate, tariff):
        with pytest.raises(CommandError, match="missing"):
            rate("flat", after=date(2025, 4, 1))

    @pytest.mark.parametrize(
        ("options", "said"),
        [({"tariff": "nobody"}, "neither"), ({"zone": "Mars/Olympus"}, "Mars"), ({"after": date(2024, 1, 1)}, "ends")],
    )
    def test_refuses_what_it_cannot_price_and_says_why(self, rate, tariff, options, said):
        with pytest.raises(CommandError, match=said):
            rate(options.pop("tariff", "flat"), **options)

    def test_refuses_a_rate_with_faults(self, rate, tmp_path):
        path = tmp_path / "rate.json"
        path.write_text(json.dumps(a_rate(energyratestructure=[]), default=float))

        with pytest.raises(CommandError, match="energyratestructure"):
            rate(path)
