"""Demo prices for the quarters that no published price covers, and the bills of the demo year."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateRange

from accounts.actors import PORTAL, Actor
from accounts.models import CustomerAccount
from billing.models import Tariff, TariffVersion
from billing.services.assigning import assign_tariff
from billing.services.deliveries import leave_unsent
from billing.services.runs import process_run, start_month
from billing.services.tariffs import add_flat_version, quarter_days
from billing.services.versions import NewComponent, add_version
from energy_portal.management.demo.state import DEMO_TARIFF, DEMO_VERSION_SUFFIX
from energy_portal.shared.clock import YearMonth, local_month

# Made up: about what households in Singapore pay, so that a bill looks like one.
_CENTS_OF_QUARTER = ("27.92", "28.36", "27.58", "27.11")
# Made up as well: cheap nights, a dear evening on weekdays, and by day a first part of the month that costs less.
# Night, the first kWh by day, further ones by day, evening; the second from the middle of the demo's time on.
_DAY_AND_NIGHT = (("0.1890", "0.2540", "0.2860", "0.3420"), ("0.1940", "0.2610", "0.2930", "0.3510"))
_FIRST_KWH_BY_DAY = "120"
_SUPPLY_A_DAY = "0.15"
_NIGHT, _DAY, _EVENING = range(3)
_WEEKDAY_HOURS = [_NIGHT] * 7 + [_DAY] * 11 + [_EVENING] * 4 + [_DAY] + [_NIGHT]
_WEEKEND_HOURS = [_NIGHT] * 8 + [_DAY] * 15 + [_NIGHT]
_EVERY_THIRD = 3
_BILLED_AFTER = timedelta(days=1, hours=1)


def add_demo_prices(*, first_day: date, last_day: date) -> list[TariffVersion]:
    """Give the default tariff a version, named as a demo's, for each quarter that has none."""
    tariff = Tariff.objects.select_for_update().get(is_default=True)
    added = []
    for year, quarter in _quarters(first_day, last_day + timedelta(days=92)):
        days = quarter_days(year, quarter)
        if not tariff.versions.filter(effective__overlap=days).exists():
            rate = Decimal(_CENTS_OF_QUARTER[quarter - 1]) / 100
            name = f"{year} Q{quarter}{DEMO_VERSION_SUFFIX}"
            added.append(add_flat_version(tariff=tariff, name=name, effective=days, rate_per_kwh=rate))
    return added


def add_day_and_night(*, first_day: date, last_day: date, now: datetime) -> Tariff:
    """Add a second tariff: by the time of day, with tiers and a charge a day; its prices change once."""
    tax = Tariff.objects.get(is_default=True, service_class="").tax
    tariff, _ = Tariff.objects.get_or_create(
        code=DEMO_TARIFF, defaults={"name": "Day and night", "currency": "SGD", "tax": tax, "source": "Made up."}
    )
    middle = (first_day + (last_day - first_day) / 2).replace(day=1)
    starts = [first_day.replace(day=1), middle] if middle > first_day else [first_day.replace(day=1)]
    for start, prices in zip(starts, _DAY_AND_NIGHT, strict=False):
        add_version(
            tariff_id=tariff.pk,
            name=f"from {start:%B %Y}{DEMO_VERSION_SUFFIX}",
            effective=DateRange(start, None),
            components=_day_and_night(*prices),
            actor=PORTAL,
            now=now,
        )
    return tariff


def put_some_on(tariff: Tariff, *, first_day: date, actor: Actor, now: datetime) -> None:
    """Put every third account on a tariff from the first day on; the first account stays on the default one."""
    accounts = CustomerAccount.objects.order_by("number").values_list("pk", flat=True)
    for account_id in accounts[1::_EVERY_THIRD]:
        assign_tariff(account_id=account_id, tariff_id=tariff.pk, start=first_day, actor=actor, now=now)


def months_over(*, first_day: date, now: datetime, zone: ZoneInfo) -> list[YearMonth]:
    """Return the months, oldest first, that have demo readings and are over."""
    months = []
    month = YearMonth.of(first_day)
    while local_month(month, zone).end <= now:
        months.append(month)
        month = month.next()
    return months


def run_bills(
    *, months: list[YearMonth], zone: ZoneInfo, actor: Actor, now: datetime, advance: Callable[[int], None]
) -> None:
    """Run each month's bills as of the morning after the first of the next one; nobody is mailed about them."""
    for month in months:
        billed_at = min(now, local_month(month, zone).end + _BILLED_AFTER)
        run = start_month(month=month, actor=actor, now=billed_at)
        process_run(run_id=run.pk, now=billed_at)
        leave_unsent(run_id=run.pk)
        advance(1)


def _quarters(first_day: date, last_day: date) -> list[tuple[int, int]]:
    first, last = (4 * day.year + (day.month - 1) // 3 for day in (first_day, last_day))
    return [(number // 4, number % 4 + 1) for number in range(first, last + 1)]


def _day_and_night(night: str, first_by_day: str, further_by_day: str, evening: str) -> list[NewComponent]:
    by_day = [{"up_to": _FIRST_KWH_BY_DAY, "rate": first_by_day}, {"up_to": None, "rate": further_by_day}]
    energy = {
        "periods": [
            {"name": "Night", "tiers": [{"up_to": None, "rate": night}]},
            {"name": "Day", "tiers": by_day},
            {"name": "Evening", "tiers": [{"up_to": None, "rate": evening}]},
        ],
        "weekday": [_WEEKDAY_HOURS] * 12,
        "weekend": [_WEEKEND_HOURS] * 12,
    }
    return [
        NewComponent("energy", "Electricity", energy),
        NewComponent("fixed", "Supply", {"amount": _SUPPLY_A_DAY, "per": "day"}),
    ]
