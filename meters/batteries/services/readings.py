"""The one door for what batteries tell: stored, the newest of each noted, late ones logged, in one transaction."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from numpy.typing import NDArray

from meters.batteries import store
from meters.batteries.quantities import SIGNALS, System
from meters.batteries.store import READINGS
from meters.series.columns import EPOCH, TimeKind, Values, held, micros_of
from meters.series.partitions import ensure_partitions
from meters.series.writer import Outcome, copy_in, write

EARLIEST = EPOCH

_UNIX_EPOCH_US = -micros_of(datetime(1970, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Readings:
    """n readings of one system as columns.

    :ivar battery_ids: keys of batteries, int64.
    :ivar times: µs since 2000, UTC, int64; not before ``EARLIEST`` and not in the future.
    :ivar values: by column of the series float64 numbers, NaN where missing; columns left out are missing throughout.
    """

    battery_ids: NDArray[np.int64]
    times: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]


def store_readings(*, system: System, readings: Readings, is_live: bool, now: datetime) -> list[Outcome]:
    """Store readings in one transaction; what comes again changes nothing, and the first value of a signal stands.

    A second reading of the same battery and time supplies what was still missing. The battery's state follows where the
    readings are newer, and what lies below the roll-up's mark is logged to be rolled up again.
    Costs two statements and, where something came for the past, one more; a file's rows are copied in where the battery
    has none yet from the first to the last of them.

    :param is_live: whether the batteries were heard just now, as they are not where a file is read.
    :param now: becomes the readings' ``received_at``.
    :returns: an outcome a reading, in their order.
    :raises OutsideAcceptance: a time lies before ``EARLIEST`` or in the future; nothing was stored.
    """
    spec, size = READINGS[system], readings.times.size
    if not size:
        return []
    moments = (readings.times + _UNIX_EPOCH_US).astype("datetime64[us]")
    ensure_partitions(spec, moments, floor=EARLIEST, ceiling=now + settings.DEVICE_FUTURE_TOLERANCE)
    rows: dict[str, Values] = {
        spec.owner.name: held(readings.battery_ids),
        spec.time.name: held(readings.times),
        "received_at": held(np.full(size, micros_of(now), dtype=np.int64)),
        **(readings.values or {SIGNALS[system][0].column: np.full(size, np.nan)}),
    }
    if not is_live and _is_copied(system, readings, rows, now=now):
        return [Outcome.STORED] * size
    with transaction.atomic():
        with store.mark_shared() as told:
            result = write(spec, rows, connection)
            mark = told()
        store.note_states(system, _newest(system, readings), heard_at=now if is_live else None)
        if mark is not None:
            _log_below(mark, readings, result.outcomes, now=now)
    return result.outcomes


def _is_copied(system: System, readings: Readings, rows: dict[str, Values], *, now: datetime) -> bool:
    """Copy readings of one battery into a span of time that holds none yet; tell whether that was so."""
    low, high = int(readings.times.min()), int(readings.times.max())
    if (readings.battery_ids != readings.battery_ids[0]).any():
        return False
    try:
        with transaction.atomic():
            with store.mark_shared() as told:
                is_free = store.is_free(system, int(readings.battery_ids[0]), low, high)
                mark = told()
            if is_free:
                copy_in(READINGS[system], rows, connection)
                store.note_states(system, _newest(system, readings), heard_at=None)
                if mark is not None:
                    _log_below(mark, readings, [Outcome.STORED] * readings.times.size, now=now)
            return is_free
    except IntegrityError:
        # Somebody wrote the same instants meanwhile, or they come twice.
        return False


def _newest(system: System, readings: Readings) -> list[tuple[int, datetime, str]]:
    """Return each battery's newest reading: its key, its time, and its values by published name as JSON."""
    order = np.lexsort((readings.times, readings.battery_ids))
    owners = readings.battery_ids[order]
    last = order[np.append(owners[1:] != owners[:-1], True)]
    signals = [signal for signal in SIGNALS[system] if signal.column in readings.values]
    columns = [readings.values[signal.column][last].astype(np.float32) for signal in signals]
    restore = TimeKind().restore
    newest = []
    for place, row in enumerate(last.tolist()):
        values = {
            signal.name: float(str(column[place]))
            for signal, column in zip(signals, columns, strict=True)
            if not np.isnan(column[place])
        }
        at = restore(readings.times[row])
        newest.append((int(readings.battery_ids[row]), at, json.dumps(values)))
    return newest


def _log_below(mark: datetime, readings: Readings, outcomes: list[Outcome], *, now: datetime) -> None:
    below = readings.times < micros_of(mark)
    if below.any():
        below &= np.array([outcome is not Outcome.DUPLICATE for outcome in outcomes])
    if below.any():
        store.log_touched(readings.battery_ids[below], readings.times[below], now=now)
