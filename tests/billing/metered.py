"""Homes with a meter whose every half-hour is known, and tariffs of any components, for bills down to half-hours."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange

from accounts.models import CustomerAccount
from billing.models import Bill, Tariff, TariffVersion
from billing.services.drafting import draft_bills
from energy_portal.shared.clock import YearMonth, half_hours, local_month
from meters.models import Quality, Register, RegisterReading
from meters.series.partitions import ensure_partitions
from meters.store import REGISTER_READINGS
from tests.factories import TariffFactory, TaxVersionFactory

DAYTIME = [[1 if 8 <= hour < 20 else 0 for hour in range(24)]] * 12
NIGHT_ONLY = [[0] * 24] * 12


def period(name: str, *tiers: tuple[str | None, str]) -> dict:
    """Write a rate period: its name, and its tiers as limit and rate."""
    return {"name": name, "tiers": [{"up_to": limit, "rate": rate} for limit, rate in tiers]}


def by_hours(off_peak: dict, on_peak: dict) -> dict:
    """Write two periods: the second one from 8 to 20 on weekdays."""
    return {"periods": [off_peak, on_peak], "weekday": DAYTIME, "weekend": NIGHT_ONLY}


def default_tariff(*components: tuple[str, str, dict], taxed: bool = True, currency: str = "SGD") -> Tariff:
    """Make the tariff of everybody: of components as kind, name and terms, in force for ever, with 8 % tax."""
    Tariff.objects.filter(is_default=True).update(is_default=False)
    options = {} if taxed else {"tax": None}
    tariff: Tariff = TariffFactory(is_default=True, currency=currency, **options)
    if tariff.tax is not None and not tariff.tax.versions.exists():
        TaxVersionFactory(tax=tariff.tax, effective=DateRange(date(2020, 1, 1), None))
    version_of(tariff, "first", date(2020, 1, 1), None, *components)
    return tariff


def version_of(
    tariff: Tariff, name: str, first: date, after: date | None, *components: tuple[str, str, dict]
) -> TariffVersion:
    """Add a version of some components, in force from a day up to, but without, another."""
    version = TariffVersion.objects.create(tariff=tariff, name=name, effective=DateRange(first, after))
    for position, (kind, label, terms) in enumerate(components, start=1):
        version.components.create(position=position, kind=kind, name=label, terms=terms)
    return version


def use(position: int) -> Decimal:
    """Use something else each half-hour, in whole Wh."""
    return Decimal(100 + position * 37 % 211 + (position * 7919) % 13) / 1000


def read_half_hours(
    register: Register,
    *,
    start: datetime,
    end: datetime,
    shown: str = "1000",
    energy: Callable[[int], Decimal] = use,
    keep: Callable[[datetime], bool] = lambda _: True,
) -> Decimal:
    """Store what a dial showed at each half-hour's end, as it came; returns what it shows at last."""
    marks = list(half_hours(start, end + timedelta.resolution))
    ensure_partitions(REGISTER_READINGS, marks, floor=marks[0], ceiling=marks[-1])
    value, rows = Decimal(shown), []
    for position, mark in enumerate(marks):
        if keep(mark):
            rows.append(
                RegisterReading(register=register, time=mark, value=value, quality=Quality.VALIDATED, received_at=mark)
            )
        last = value
        value += energy(position)
    RegisterReading.objects.bulk_create(rows)
    return last


def month_of(text: str, zone: str = "Asia/Singapore"):
    """Return the period of a month such as 2025-02."""
    return local_month(YearMonth.parse(text), ZoneInfo(zone))


@transaction.atomic
def drafted(account: CustomerAccount, month: str, *, now: datetime) -> Bill:
    """Rate a month."""
    (bill,) = draft_bills(accounts=[account], month=YearMonth.parse(month), run=None, now=now)
    assert bill.held_because == "", bill.held_because
    return bill
