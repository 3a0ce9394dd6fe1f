"""Demo prices for the quarters that no published price covers, and the bills of the demo year."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts.actors import Actor
from billing.models import Tariff, TariffVersion
from billing.services.deliveries import leave_unsent
from billing.services.runs import process_run, start_month
from billing.services.tariffs import add_flat_version, quarter_days
from energy_portal.management.demo.state import DEMO_VERSION_SUFFIX
from energy_portal.shared.clock import YearMonth, local_month

# Made up: about what households in Singapore pay, so that a bill looks like one.
_CENTS_OF_QUARTER = ("27.92", "28.36", "27.58", "27.11")
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
