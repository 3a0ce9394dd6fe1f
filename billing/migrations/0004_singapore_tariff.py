"""The default tariff of a new portal: Singapore's quarterly household tariff and GST, as services/tariffs.py lists them."""

from decimal import Decimal

from django.db import migrations
from django.db.backends.postgresql.psycopg_any import DateRange

from billing.services.tariffs import (
    SINGAPORE_GST,
    SINGAPORE_QUARTERS,
    SINGAPORE_TARIFF,
    SINGAPORE_TAX,
    quarter_days,
)


def load(apps, schema_editor):
    tax, made = apps.get_model("billing", "Tax").objects.get_or_create(
        code=SINGAPORE_TAX["code"], defaults=SINGAPORE_TAX
    )
    if made:
        apps.get_model("billing", "TaxVersion").objects.bulk_create(
            tax.versions.model(tax=tax, effective=DateRange(first, after), rate=Decimal(rate))
            for first, after, rate in SINGAPORE_GST
        )
    tariffs = apps.get_model("billing", "Tariff").objects
    is_default = not tariffs.filter(is_default=True).exists()
    tariff, made = tariffs.get_or_create(
        code=SINGAPORE_TARIFF["code"], defaults={**SINGAPORE_TARIFF, "tax": tax, "is_default": is_default}
    )
    if made:
        apps.get_model("billing", "TariffVersion").objects.bulk_create(
            tariff.versions.model(
                tariff=tariff,
                name=f"{year} Q{quarter}",
                effective=quarter_days(year, quarter),
                energy_rate=Decimal(cents) / 100,
            )
            for year, quarter, cents in SINGAPORE_QUARTERS
        )


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_issued_bills_are_immutable")]

    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
