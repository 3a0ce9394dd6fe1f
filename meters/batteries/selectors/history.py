"""What batteries told, in the words of the published paths: a page at a time, never the whole."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet

from meters.batteries.models import BatteryState, BmsReading, PcsReading
from meters.batteries.quantities import COLUMNS, System, published
from meters.batteries.replaying import Row

PAGE_ROWS = 60
MOST_MISSED = 1_000
_MODELS: dict[System, type[Model]] = {System.BMS: BmsReading, System.PCS: PcsReading}


@dataclass(frozen=True, slots=True)
class Heard:
    """When a battery was last heard live, and the time of the newest reading of each system that told any."""

    heard_at: datetime | None
    newest_at: dict[System, datetime]


def published_text(system: System, at: datetime, values: Iterable[float | None]) -> str:
    """Return the published JSON of a reading: every documented field in its order, null where it is missing.

    :param values: in the order of the system's signals.
    """
    return json.dumps(published(system, at, values), separators=(",", ":"))


def last_heard(battery_pk: int) -> Heard:
    """Return when a battery was heard, by the primary key of its state."""
    times = BatteryState.objects.filter(pk=battery_pk).values_list("heard_at", "bms_at", "pcs_at").first()
    heard_at, *newest = times or (None, None, None)
    return Heard(heard_at, {system: at for system, at in zip(System, newest, strict=True) if at})


def rows_after(system: System, battery_pk: int, after: datetime | None) -> list[Row]:
    """Return the next rows of a history, at most ``PAGE_ROWS``, by the key of battery and time.

    Costs an index probe for each partition until one holds a row, then what is returned.

    :param after: None for the oldest.
    """
    rows = _rows_of(system, battery_pk)
    if after is not None:
        rows = rows.filter(time__gt=after)
    return _read(system, rows.order_by("time")[:PAGE_ROWS])


def rows_missed(system: System, battery_pk: int, after: datetime) -> list[Row]:
    """Return what was told since an instant, in its order; of more than ``MOST_MISSED`` only the newest."""
    rows = _rows_of(system, battery_pk).filter(time__gt=after).order_by("-time")[:MOST_MISSED]
    return _read(system, rows)[::-1]


def row_at(system: System, battery_pk: int, at: datetime) -> list[Row]:
    """Return the reading of an instant, none where there is none."""
    return _read(system, _rows_of(system, battery_pk).filter(time=at))


def _rows_of(system: System, battery_pk: int) -> QuerySet[Model]:
    return _MODELS[system]._default_manager.filter(battery_id=battery_pk)


def _read(system: System, rows: QuerySet[Model]) -> list[Row]:
    found: Iterable[tuple[Any, ...]] = rows.values_list("time", *COLUMNS[system])
    return [Row(at, published_text(system, at, values)) for at, *values in found]
