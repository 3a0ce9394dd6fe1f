"""What a battery's two systems told, brought to common rows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from meters.batteries import store
from meters.batteries.alignment import Aligned, Buckets, align, first_standing, tolerances_us
from meters.batteries.models import Battery
from meters.batteries.quantities import SIGNALS, Signal, published_time
from meters.batteries.selectors.readings import check_points, numbers, slices_of
from meters.series.columns import EPOCH

_INSTANT = timedelta(microseconds=1)
_SECOND_US = 1_000_000


def aligned_readings(
    *, battery: Battery, start: datetime, end: datetime, every: timedelta, names: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return what BMS and PCS told in ``[start, end)`` as one row a span; spans for which nothing stands are left out.

    A row is labelled by its span's start and knows only what was told before its end: gauges hold their last value,
    means are weighted by time, each no longer than its signal's tolerance. ``ages`` tells in seconds how old what
    stands is at the span's end. Reads every reading of the period along the keys, a day at a time.

    :param every: the spans' length; they start at multiples of it since 2000, UTC.
    :param names: of the signals, all unless told.
    :raises EndBeforeStart: the period ends before it starts.
    :raises TooFine: it comes to more spans than an answer holds.
    :raises PeriodTooLong: it is longer than readings are drawn together over.
    """
    check_points(start, end, every)
    return [
        row
        for low, high in slices_of(start, end, every)
        for row in _rows(battery.pk, _first_span(low, every), high, every, names)
    ]


def _first_span(low: datetime, every: timedelta) -> datetime:
    return EPOCH + (low - EPOCH) // every * every


def _rows(
    battery_pk: int, low: datetime, high: datetime, every: timedelta, names: Sequence[str]
) -> list[dict[str, Any]]:
    buckets = Buckets((low - EPOCH) // _INSTANT, every // _INSTANT, -((low - high) // every))
    tolerances = tolerances_us({})
    found: dict[str, Aligned] = {}
    for system, signals in SIGNALS.items():
        asked = [signal for signal in signals if not names or signal.name in names]
        if not asked:
            continue
        longest = max(tolerances[signal.name] for signal in asked)
        told = store.told(
            system, battery_pk, [signal.column for signal in asked], start=low - longest * _INSTANT, end=high
        )
        for signal in asked:
            found[signal.name] = _aligned(signal, told, buckets, tolerances[signal.name])
    return _published(found, buckets)


def _aligned(signal: Signal, told: store.Told, buckets: Buckets, tolerance: int) -> Aligned:
    times, values = first_standing(told.times, told.values[signal.column])
    return align(signal, times, values, buckets, tolerance=tolerance)


def _published(found: dict[str, Aligned], buckets: Buckets) -> list[dict[str, Any]]:
    values = {name: numbers(aligned.values) for name, aligned in found.items()}
    ages = {name: (aligned.ages / _SECOND_US).tolist() for name, aligned in found.items()}
    rows = []
    for place, start in enumerate(buckets.starts.tolist()):
        told = {name: age[place] for name, age in ages.items() if values[name][place] is not None}
        if told:
            at = (EPOCH + start * _INSTANT).astimezone(UTC)
            row = {name: column[place] for name, column in values.items()}
            rows.append({"timestamp": published_time(at), **row, "ages": told})
    return rows
