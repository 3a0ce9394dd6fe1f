"""What is usual of subjects, read and moved on for many of them at once."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from meters.series.wire import binary_cursor
from meters.store.arrays import array_text, texts_array

# Locked in one order, so that workers who share subjects follow each other and never wait in a ring.
_TAKE = """
    SELECT id, subject, cohort, until, median, spread, figures, state, scored_until, watched_since
    FROM insights_baseline WHERE subject_kind = %s AND subject = ANY(%s::text[])
    ORDER BY id FOR UPDATE
"""
_NOTE = """
    UPDATE insights_baseline AS baseline
    SET state = seen.state, scored_until = seen.until, watched_since = coalesce(baseline.watched_since, seen.since)
    FROM unnest(%s::int8[], %s::jsonb[], %s::timestamptz[], %s::timestamptz[]) AS seen (id, state, until, since)
    WHERE baseline.id = seen.id
"""


class BaselineRow(NamedTuple):
    """What is usual of a subject, and how far it was scored; arrays of 336, NaN where nothing is known."""

    id: int
    subject: str
    cohort: str
    until: datetime
    median: NDArray[np.float64]
    spread: NDArray[np.float64]
    figures: dict[str, Any]
    state: dict[str, Any]
    scored_until: datetime | None
    watched_since: datetime | None


class Seen(NamedTuple):
    """How far a subject was scored now, from where, and where its hysteresis stands."""

    id: int
    state: dict[str, Any]
    until: datetime
    since: datetime


def take_baselines(subject_kind: str, subjects: Collection[str]) -> list[BaselineRow]:
    """Lock and return what is usual of those subjects of which that is known.

    Served by the unique key (kind, subject): a descent a subject, and some 10 kB each.
    """
    with binary_cursor(connection) as cursor:
        cursor.execute(_TAKE.encode(), [subject_kind, texts_array(subjects)], binary=True)
        return [BaselineRow(*row) for row in cursor]


def note_scored(seen: Sequence[Seen]) -> None:
    """Write how far subjects were scored, in one statement."""
    if not seen:
        return
    ids, states, untils, sinces = zip(*seen, strict=True)
    with connection.cursor() as cursor:
        columns = (array_text(ids), texts_array(map(json.dumps, states)), array_text(untils), array_text(sinces))
        cursor.execute(_NOTE, columns)
