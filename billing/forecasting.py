"""Where a month is heading: plain resampling of one's own recent days, which a bill payer can check by hand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

FEWEST_STRETCHES = 7


@dataclass(frozen=True)
class Projection:
    """What a month may come to, kWh: lowest, middle and highest, and the stretches that say so."""

    low_kwh: Decimal
    likely_kwh: Decimal
    high_kwh: Decimal
    stretch_days: int
    stretches: int


def project_total(
    *, measured_kwh: Decimal, recent_days: Sequence[Decimal | None], days_left: Decimal
) -> Projection | None:
    """Add to what is measured what every stretch of recent days, as long as the rest of the month, came to.

    The middle is the median stretch, the range runs from the lightest to the heaviest: no distribution is assumed,
    and weekends and spells of weather stay together as they were.

    :param recent_days: kWh of neighbouring complete days, oldest first; None where one is not known.
    :param days_left: of the month, with their fraction; not negative.
    :returns: None where fewer than seven whole stretches are known.
    """
    length = math.ceil(days_left)
    if length == 0:
        return Projection(measured_kwh, measured_kwh, measured_kwh, 0, 0)
    windows = (recent_days[start : start + length] for start in range(len(recent_days) - length + 1))
    known = (tuple(day for day in window if day is not None) for window in windows)
    sums = sorted(sum(window, Decimal(0)) for window in known if len(window) == length)
    if len(sums) < FEWEST_STRETCHES:
        return None
    share = days_left / length
    return Projection(
        low_kwh=measured_kwh + share * sums[0],
        likely_kwh=measured_kwh + share * median(sums),
        high_kwh=measured_kwh + share * sums[-1],
        stretch_days=length,
        stretches=len(sums),
    )
