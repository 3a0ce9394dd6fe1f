"""The days of batteries' health as they were measured, in the form that trends are made of."""

from collections.abc import Iterable
from datetime import date, timedelta

from meters.insights.ageing import FEWEST_DAYS, WINDOW_DAYS, Day, Quantity
from meters.insights.models import BatteryTrend

Days = dict[Quantity, dict[int, Day]]


def measured_days(battery_pk: int, *, until: date) -> Days:
    """Return the days of the year up to a day, and the first ones ever that resistances are compared with.

    Two queries, at most ``WINDOW_DAYS`` rows a quantity and ``FEWEST_DAYS`` more: however long the history is.

    :returns: by quantity and number of the day.
    """
    rows = BatteryTrend.objects.filter(battery=battery_pk)
    start = until - timedelta(days=WINDOW_DAYS - 1)
    window = rows.filter(day__gte=start, day__lte=until)
    earliest = rows.filter(quantity=BatteryTrend.Quantity.RESISTANCE, day__lt=start, samples__gt=0)
    days: Days = {quantity: {} for quantity in Quantity}
    for read in (earliest.order_by("day")[:FEWEST_DAYS], window.order_by("quantity", "day")):
        _add(days, read.values_list("quantity", "day", "detail"))
    return days


def _add(days: Days, rows: Iterable[tuple[str, date, dict[str, tuple[float, int]]]]) -> None:
    for quantity, day, detail in rows:
        days[Quantity(quantity)][day.toordinal()] = {
            conditions: (value, samples) for conditions, (value, samples) in detail.items()
        }
