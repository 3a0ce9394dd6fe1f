"""Keep tariffs: the Singapore household tariff, and which tariff an account pays by."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange

from billing.models import Tariff, TariffVersion, Tax, TaxVersion
from billing.rating.terms import Kind, encode, flat_terms

SINGAPORE_TARIFF = {"code": "sg-household", "name": "Singapore household", "currency": "SGD"}
SINGAPORE_TAX = {"code": "GST", "name": "GST"}

# Year, quarter, cents a kWh before GST. A quarter that is not listed has no version: its bills wait for one.
SINGAPORE_QUARTERS: Sequence[tuple[int, int, str]] = (
    (2022, 1, "25.44"),
    (2022, 2, "27.94"),
    (2022, 4, "29.74"),
    (2023, 1, "28.95"),
    (2023, 2, "27.43"),
    (2023, 3, "27.74"),
    (2023, 4, "28.70"),
    (2025, 1, "28.12"),
    (2025, 2, "28.12"),
    (2025, 3, "27.47"),
)

# First day, first day after, rate.
SINGAPORE_GST: Sequence[tuple[date | None, date | None, str]] = (
    (None, date(2023, 1, 1), "0.07"),
    (date(2023, 1, 1), date(2024, 1, 1), "0.08"),
    (date(2024, 1, 1), None, "0.09"),
)


def quarter_days(year: int, quarter: int) -> DateRange:
    """Return the local days of a calendar quarter."""
    first = date(year, 3 * quarter - 2, 1)
    after = date(year + 1, 1, 1) if quarter == 4 else date(year, 3 * quarter + 1, 1)
    return DateRange(first, after)


@transaction.atomic
def load_singapore_tariff() -> Tariff:
    """Store the Singapore household tariff and GST with every version that is known; a repeat adds nothing.

    A version that somebody entered for the same days stands. The tariff becomes the default unless there is one.
    """
    tax, _ = Tax.objects.get_or_create(code=SINGAPORE_TAX["code"], defaults=SINGAPORE_TAX)
    is_default = not Tariff.objects.filter(is_default=True).exists()
    Tariff.objects.get_or_create(
        code=SINGAPORE_TARIFF["code"], defaults={**SINGAPORE_TARIFF, "tax": tax, "is_default": is_default}
    )
    tariff = Tariff.objects.select_for_update().get(code=SINGAPORE_TARIFF["code"])
    for first, after, rate in SINGAPORE_GST:
        days = DateRange(first, after)
        if not tax.versions.filter(effective__overlap=days).exists():
            TaxVersion.objects.create(tax=tax, effective=days, rate=Decimal(rate))
    for year, quarter, cents in SINGAPORE_QUARTERS:
        days = quarter_days(year, quarter)
        if not tariff.versions.filter(effective__overlap=days).exists():
            add_flat_version(
                tariff=tariff, name=f"{year} Q{quarter}", effective=days, rate_per_kwh=Decimal(cents) / 100
            )
    return tariff


@transaction.atomic
def add_flat_version(*, tariff: Tariff, name: str, effective: DateRange, rate_per_kwh: Decimal) -> TariffVersion:
    """Store a version of a tariff by which energy costs the same at all times."""
    version = TariffVersion.objects.create(tariff=tariff, name=name, effective=effective)
    version.components.create(position=1, kind=Kind.ENERGY, name="Electricity", terms=encode(flat_terms(rate_per_kwh)))
    return version
