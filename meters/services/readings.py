"""The one door for register readings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.actors import Actor


@dataclass(frozen=True)
class OfferedReading:
    """A reading as somebody offers it, not yet trusted in any part.

    ``timestamp`` is ISO text or a datetime; naive means the source's zone or, without one, the premises'.
    """

    meter_id: object
    timestamp: object
    value: object
    register_code: object = "1.8.0"


@dataclass(frozen=True)
class Rejection:
    """Why one row, by its index in the batch, did not enter."""

    index: int
    code: str
    detail: str


@dataclass(frozen=True)
class ReadingReport:
    """What became of a batch: counts, and the indexes or reasons of the rows that did not simply enter."""

    stored: int
    duplicates: int
    quarantined: tuple[Rejection, ...]
    conflicts: tuple[Rejection, ...]
    rejected: tuple[Rejection, ...]


def receive_readings(*, readings: Sequence[OfferedReading], actor: Actor, now: datetime) -> ReadingReport:
    """Store what is good of a batch and say what became of each row."""
    raise NotImplementedError
