"""Live readings: judged, stored and told, one commit a system for all that is in flight, one outcome a reading."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from django.conf import settings
from django.db import transaction
from numpy.typing import NDArray

from accounts.actors import Actor
from accounts.models import DataSource
from energy_portal.shared.errors import Invalid
from meters.batteries.decoding import Decoded, Reading, decode_readings
from meters.batteries.models import Battery
from meters.batteries.quantities import COLUMNS, System
from meters.batteries.services.readings import EARLIEST, Readings, store_readings
from meters.batteries.services.registry import BatteryExists, create_battery
from meters.batteries.services.telling import teller
from meters.batteries.services.terms import Book
from meters.series.columns import micros_of
from meters.series.commit import GroupCommitter

_NEITHER = (0, False)


class Outcome(StrEnum):
    """What became of a reading; the first three are on disk."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    UNKNOWN_BATTERY = "unknown_battery"
    RETIRED_BATTERY = "retired_battery"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"


_OUTCOMES = {each.value: each for each in Outcome}


@cache
def writer() -> GroupCommitter[Reading, Outcome]:
    """Return the one writer of this process, for both systems."""
    return GroupCommitter(
        take_now,
        queue_rows=settings.DEVICE_QUEUE_ROWS,
        max_batch=settings.DEVICE_COMMIT_ROWS,
        name="battery readings",
    )


class Sender(NamedTuple):
    """Who sends: a data source by its key in the database, and again where it may have unknown batteries created."""

    source_id: int | None = None
    creator: int | None = None


def read_request(body: bytes, system: System, battery: str, book: Book, sender: Sender) -> Decoded:
    """Decode a request's readings of a battery as its source or the battery itself writes them.

    :raises MalformedBody: no JSON, or neither an object nor an array.
    :raises TooManyMessages: more than ``DEVICE_BATCH_LIMIT``.
    :raises Invalid: the convention cannot be read.
    """
    return decode_readings(
        body,
        system=system,
        battery=battery,
        limit=settings.DEVICE_BATCH_LIMIT,
        terms=book.of(sender.source_id, battery),
        creator=sender.creator,
    )


def take_readings(*, readings: Sequence[Reading], now: datetime) -> list[Outcome]:
    """Store live readings, one transaction a system; what comes again changes nothing, the first value stands.

    Batteries that are unknown are created where a reading's ``creator`` says so. Costs one query for the batteries and
    what :func:`~meters.batteries.services.readings.store_readings` costs; what was committed is told afterwards.

    :param now: becomes the readings' ``received_at``, and when their batteries were heard.
    :returns: an outcome a reading, in their order.
    """
    known = _batteries(readings)
    lowest, highest = micros_of(EARLIEST), micros_of(now + settings.DEVICE_FUTURE_TOLERANCE)
    if _create_missing(readings, known, range(lowest, highest + 1), now):
        known = _batteries(readings)
    outcomes: list[Outcome | None] = [None] * len(readings)
    places: dict[System, list[int]] = {}
    keys: list[int] = [0] * len(readings)
    for place, reading in enumerate(readings):
        keys[place], is_retired = known.get(reading.battery, _NEITHER)
        if not keys[place]:
            outcomes[place] = Outcome.UNKNOWN_BATTERY
        elif is_retired:
            outcomes[place] = Outcome.RETIRED_BATTERY
        elif reading.time_us < lowest:
            outcomes[place] = Outcome.TOO_OLD
        elif reading.time_us > highest:
            outcomes[place] = Outcome.IN_FUTURE
        else:
            places.setdefault(reading.system, []).append(place)
    for system, of_system in sorted(places.items()):
        columns = _columns(system, [readings[place] for place in of_system], [keys[place] for place in of_system])
        stored = store_readings(system=system, readings=columns, is_live=True, now=now)
        transaction.on_commit(partial(teller.tell, system, columns, stored), robust=True)
        for place, outcome in zip(of_system, stored, strict=True):
            outcomes[place] = _OUTCOMES[outcome]
    return [outcome for outcome in outcomes if outcome is not None]


def take_now(readings: Sequence[Reading]) -> list[Outcome]:
    """Store live readings that came just now."""
    return take_readings(readings=readings, now=datetime.now(UTC))


def _batteries(readings: Sequence[Reading]) -> dict[str, tuple[int, bool]]:
    """Return the keys of batteries by their names, and whether they are retired: asked each time, so always true."""
    names = {reading.battery for reading in readings if "\0" not in reading.battery}
    rows = Battery.objects.filter(battery_id__in=names).values_list("battery_id", "pk", "status")
    return {name: (key, status == Battery.Status.RETIRED) for name, key, status in rows}


def _create_missing(
    readings: Sequence[Reading], known: dict[str, tuple[int, bool]], acceptable_us: range, now: datetime
) -> bool:
    """Create batteries that are still unknown, each by the source that told of it first; tell whether there were any.

    What nobody may be called stays unknown.
    """
    wanted = {
        reading.battery: reading.creator
        for reading in reversed(readings)
        if reading.creator is not None and reading.battery not in known and reading.time_us in acceptable_us
    }
    if not wanted:
        return False
    sources = DataSource.objects.in_bulk(set(wanted.values()))
    for name, creator in sorted(wanted.items()):
        try:
            create_battery(battery_id=name, details={}, actor=Actor(source=sources.get(creator)), now=now)
        except (BatteryExists, Invalid):
            continue
    return True


def _columns(system: System, readings: Sequence[Reading], keys: Sequence[int]) -> Readings:
    """Return readings as columns, of the fields that any of them has."""
    table: NDArray[np.float64] = np.array([reading.values for reading in readings], dtype=np.float64)
    told = np.flatnonzero(~np.isnan(table).all(axis=0)).tolist()
    return Readings(
        np.array(keys, dtype=np.int64),
        np.array([reading.time_us for reading in readings], dtype=np.int64),
        {COLUMNS[system][place]: table[:, place] for place in told},
    )
