"""Readings of half-hours, and tariffs that ask for them, in the database."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange

from billing.models import Tariff, TariffVersion
from billing.rating.terms import Component, encode
from energy_portal.shared.clock import HALF_HOUR
from meters.models import Register
from meters.series.partitions import ensure_partitions
from meters.store import REGISTER_READINGS
from tests.factories import TariffFactory

_STORE = (
    "INSERT INTO meters_registerreading (register_id, time, value, quality, received_at) VALUES (%s, %s, %s, %s, %s)"
)
_WEEK = timedelta(days=7)
_RAW, _REFERENCE_DAY = 14, 8


def turn(
    register: Register,
    start: datetime,
    energies_kwh: Sequence[Decimal | str],
    *,
    first: str = "1000",
    skipped: range = range(0),
    estimated: range = range(0),
) -> None:
    """Let a register show, from a start on, what each half-hour adds; numbers of marks are skipped or estimated."""
    end = start + len(energies_kwh) * HALF_HOUR
    weeks = [start + n * _WEEK for n in range((end - start) // _WEEK + 1)]
    ensure_partitions(REGISTER_READINGS, [*weeks, end], floor=start, ceiling=end)
    values = accumulate((Decimal(each) for each in energies_kwh), initial=Decimal(first))
    rows = [
        (register.pk, at, value, _REFERENCE_DAY if number in estimated else _RAW, at)
        for number, value in enumerate(values)
        if number not in skipped and (at := start + number * HALF_HOUR)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_STORE, rows)


def add_version(
    tariff: Tariff, *components: Component, name: str = "v1", first: date = date(2020, 1, 1), after: date | None = None
) -> TariffVersion:
    """Store a version of a tariff that charges by some components."""
    version = TariffVersion.objects.create(tariff=tariff, name=name, effective=DateRange(first, after))
    for position, each in enumerate(components, start=1):
        version.components.create(position=position, kind=each.kind, name=each.name, terms=encode(each.terms))
    return version


def default_tariff(*components: Component, service_class: str = "", **options: object) -> Tariff:
    """Store a tariff of one version and make it the default one of its class."""
    Tariff.objects.filter(service_class=service_class).update(is_default=False)
    tariff: Tariff = TariffFactory(is_default=True, service_class=service_class, **options)
    if components:
        add_version(tariff, *components)
    return tariff
