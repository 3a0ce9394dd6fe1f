"""How the stream of readings goes: received against expected, and what waits for a decision."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class IntakeDay:
    """Readings of one site day: stored, and expected of the registers that hung."""

    day: date
    received: int
    expected: int


def readings_received(*, now: datetime, days: int = 7) -> list[IntakeDay]:
    """Return, oldest first, the readings of the last ``days`` site days, today up to now included."""
    raise NotImplementedError


def open_exception_counts() -> dict[str, int]:
    """Return how many reading exceptions are open, by code."""
    raise NotImplementedError
