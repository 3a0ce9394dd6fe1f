"""The one door for what devices tell: resolved, judged and stored, one transaction a commit, one outcome a sample."""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from numpy.typing import NDArray

from meters.devices import store
from meters.devices.decoding import QUANTITIES, Sample
from meters.devices.models import ArchivedDay
from meters.devices.services.directory import create_devices, directory
from meters.devices.store import DEVICE_SAMPLES
from meters.series.columns import EPOCH, held
from meters.series.commit import GroupCommitter
from meters.series.partitions import ensure_partitions
from meters.series.writer import write

Int64s = NDArray[np.int64]

_MICROSECOND = timedelta(microseconds=1)
_UNIX_OFFSET = (EPOCH - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND
_DAY_US = timedelta(days=1) // _MICROSECOND
# No day is archived before it is this old, so that samples of now need no look.
_NEVER_ARCHIVED = timedelta(days=2)


class Outcome(StrEnum):
    """What became of a sample; the first three are on disk."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    UNKNOWN_DEVICE = "unknown_device"
    RETIRED_DEVICE = "retired_device"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"

    @property
    def is_rejected(self) -> bool:
        """Tell whether the sample did not enter."""
        return self not in _KEPT


_KEPT = frozenset({Outcome.STORED, Outcome.DUPLICATE, Outcome.CONFLICT})
_OUTCOMES = np.array(list(Outcome), dtype=object)
_NUMBERS = {outcome.value: number for number, outcome in enumerate(Outcome)}
_STORED, _DUPLICATE = _NUMBERS["stored"], _NUMBERS["duplicate"]
_UNDECIDED = -1
_QUANTITIES = frozenset(QUANTITIES)


@cache
def writer() -> GroupCommitter[Sample, Outcome]:
    """Return the one writer of this process; its ``submit`` and ``submit_sync`` take samples."""
    return GroupCommitter(
        _take_now,
        queue_rows=settings.DEVICE_QUEUE_ROWS,
        max_batch=settings.DEVICE_COMMIT_ROWS,
        name="device samples",
    )


def take_samples(*, samples: Sequence[Sample], now: datetime) -> list[Outcome]:
    """Store samples in one transaction; what comes again changes nothing, and the first value of a quantity stands.

    A second sample of the same device and time supplies what was still missing. Devices that are unknown are created
    where a sample's ``creator`` says so. What lies below the roll-up's mark is noted to be rolled up again; what
    belongs to an archived day waits for the archive's next revision, and counts as stored.
    Costs one statement a commit, one more each for names not in memory, and for samples that were not new or older than
    two days.

    :param now: becomes the samples' ``received_at``.
    :returns: an outcome a sample, in their order.
    """
    if not samples:
        return []
    names, times, *columns, creators, products = zip(*samples, strict=True)
    moments = np.array(times, dtype=np.int64) - _UNIX_OFFSET
    codes = _judge_times(moments, now)
    keys = directory.keys_of(names, now=now)
    if not keys.all() and any(creators):
        wanted = [
            (names[place], products[place], creators[place])
            for place in np.flatnonzero((keys == 0) & (codes == _UNDECIDED)).tolist()
            if creators[place] is not None
        ]
        if wanted:
            create_devices(wanted)
            keys = directory.keys_of(names, now=now)
    codes[(codes == _UNDECIDED) & (keys == 0)] = _NUMBERS["unknown_device"]
    codes[(codes == _UNDECIDED) & (keys < 0)] = _NUMBERS["retired_device"]
    late = _in_archive(moments, codes, now)
    entering = np.flatnonzero((codes == _UNDECIDED) & ~late)
    if entering.size:
        floor, ceiling = _bounds(now)
        ensure_partitions(DEVICE_SAMPLES, _datetimes(moments[entering]), floor=floor, ceiling=ceiling)
    # Most often there is a statement alone, which needs no transaction around it.
    with transaction.atomic() if late.any() or connection.in_atomic_block else nullcontext():
        if entering.size:
            codes[entering] = _write(entering, keys, moments, columns, now)
        for place, code in _add_late(np.flatnonzero(late), keys, moments, columns, now):
            codes[place] = code
    outcomes: list[Outcome] = _OUTCOMES[codes].tolist()
    return outcomes


def _take_now(samples: list[Sample]) -> list[Outcome]:
    return take_samples(samples=samples, now=datetime.now(UTC))


def _bounds(now: datetime) -> tuple[datetime, datetime]:
    """Return the earliest and the latest time that a sample may have."""
    return now - timedelta(days=settings.DEVICE_ACCEPTANCE_DAYS), now + settings.DEVICE_FUTURE_TOLERANCE


def _judge_times(moments: Int64s, now: datetime) -> NDArray[np.int8]:
    floor, ceiling = ((bound - EPOCH) // _MICROSECOND for bound in _bounds(now))
    codes = np.full(moments.size, _UNDECIDED, dtype=np.int8)
    codes[moments < floor] = _NUMBERS["too_old"]
    codes[moments > ceiling] = _NUMBERS["in_future"]
    return codes


def _datetimes(moments: Int64s) -> NDArray[Any]:
    return (moments + _UNIX_OFFSET).astype("datetime64[us]")


def _in_archive(moments: Int64s, codes: NDArray[np.int8], now: datetime) -> NDArray[np.bool_]:
    """Tell which samples belong to days that lie in the archive; asks only when some are old enough."""
    old: NDArray[np.bool_] = (codes == _UNDECIDED) & (moments < (now - _NEVER_ARCHIVED - EPOCH) // _MICROSECOND)
    if not old.any():
        return old
    days = moments // _DAY_US
    first = EPOCH.date()
    asked = {first + timedelta(days=day): day for day in np.unique(days[old]).tolist()}
    archived = ArchivedDay.objects.filter(day__in=asked).values_list("day", flat=True)
    old &= np.isin(days, [asked[day] for day in archived])
    return old


def _write(
    entering: NDArray[np.intp], keys: Int64s, moments: Int64s, columns: list[tuple[Any, ...]], now: datetime
) -> list[int]:
    size = entering.size
    whole = size == moments.size
    rows: dict[str, Any] = {
        "device_id": held(keys[entering]),
        "time": held(moments[entering]),
        "received_at": held(np.full(size, (now - EPOCH) // _MICROSECOND, dtype=np.int64)),
    }
    for name, column in zip(QUANTITIES, columns, strict=True):
        values = column if whole else [column[place] for place in entering.tolist()]
        if values.count(None) < size:
            rows[name] = values
    if not rows.keys() & _QUANTITIES:
        rows[QUANTITIES[0]] = [None] * size
    result = write(DEVICE_SAMPLES, rows, connection, along=store.touching(now), alone=True)
    return [_NUMBERS[outcome] for outcome in result.outcomes]


def _add_late(
    places: NDArray[np.intp], keys: Int64s, moments: Int64s, columns: list[tuple[Any, ...]], now: datetime
) -> list[tuple[int, int]]:
    """Keep samples of archived days, and return what became of each by its place."""
    if not places.size:
        return []
    merged: dict[tuple[int, int], list[Any]] = {}
    brought: list[tuple[int, tuple[int, int], bool]] = []
    for place in places.tolist():
        key = (int(keys[place]), int(moments[place]))
        values = merged.setdefault(key, [None] * len(QUANTITIES))
        told = [number for number, column in enumerate(columns) if column[place] is not None]
        gained = [number for number in told if values[number] is None]
        for number in gained:
            values[number] = columns[number][place]
        brought.append((place, key, bool(gained)))
    stored = store.add_late([(*key, *values) for key, values in merged.items()], now=now)
    return [(place, _STORED if gained and key in stored else _DUPLICATE) for place, key, gained in brought]
