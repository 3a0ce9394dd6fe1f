"""The hand-written SQL of the scores that are added up by day (ScoreDay)."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from meters.insights.tallies import NAMES, Tally

_COUNTS = ("half_hours", "banded", "inside", "measured", "compared")
_KEY = "day, cohort, quantity, forecaster, day_ahead, is_told, region_id, model_id"
_CLEAR = "DELETE FROM insights_scoreday WHERE forecasts = 0 AND day = ANY(%(days)s::date[])"


class Group(NamedTuple):
    """Whose scores are added up together."""

    day: date
    cohort: str
    quantity: str
    forecaster: str
    day_ahead: int
    is_told: bool
    region_id: UUID | None
    model_id: UUID | None


class Change(NamedTuple):
    """By how much the sums of a group move, and by how many forecasts."""

    forecasts: int
    sums: Tally


def add_to_days(changes: Mapping[Group, Change]) -> None:
    """Move the sums of groups; what holds no forecast any more is dropped.

    Rows are taken in the order of their keys, so that two writers wait for each other and never in a circle. The unique
    key serves; the cost is that of the groups that move.
    """
    if not changes:
        return
    ordered = sorted(changes, key=lambda group: tuple(map(str, group)))
    values: dict[str, list[Any]] = {name: [getattr(group, name) for group in ordered] for name in Group._fields}
    values["forecasts"] = [changes[group].forecasts for group in ordered]
    for name in NAMES:
        values[name] = [getattr(changes[group].sums, name) for group in ordered]
    with connection.cursor() as cursor:
        cursor.execute(_ADD, values)
        cursor.execute(_CLEAR, {"days": sorted({group.day for group in ordered})})


def _statement() -> str:
    columns = ", ".join(("forecasts", *NAMES))
    types = {name: "int4" if name in _COUNTS else "float8" for name in NAMES}
    sums = ", ".join(f"%({name})s::{types[name]}[]" for name in NAMES)
    moved = ", ".join(f"{name} = day.{name} + EXCLUDED.{name}" for name in ("forecasts", *NAMES))
    return f"""
        INSERT INTO insights_scoreday AS day ({_KEY}, {columns})
        SELECT * FROM unnest(
            %(day)s::date[], %(cohort)s::text[], %(quantity)s::text[], %(forecaster)s::text[], %(day_ahead)s::int2[],
            %(is_told)s::bool[], %(region_id)s::uuid[], %(model_id)s::uuid[], %(forecasts)s::int4[], {sums}
        )
        ON CONFLICT ({_KEY}) DO UPDATE SET {moved}
    """  # noqa: S608


_ADD = _statement()
