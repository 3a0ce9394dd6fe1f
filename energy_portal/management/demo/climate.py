"""The weather and the calendar that the demo households live by; no Django."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

HALF_HOURS_A_DAY = 48

# Roughly Singapore: mean of the day by month, °C. Cool and wet in December and January, warmest in May and June.
_MEAN_OF_MONTH = (26.7, 27.3, 27.9, 28.3, 28.7, 28.6, 28.2, 28.1, 28.0, 27.9, 27.2, 26.7)
_DAILY_SWING = 3.1
_WARMEST_HALF_HOUR = 28
_FIXED_HOLIDAYS = frozenset({(1, 1), (5, 1), (8, 9), (12, 25)})
# First day of the Chinese New Year, which is kept for two days.
_NEW_YEARS = frozenset(
    {date(2024, 2, 10), date(2025, 1, 29), date(2026, 2, 17), date(2027, 2, 6), date(2028, 1, 26), date(2029, 2, 13)}
)


@dataclass(frozen=True)
class Calendar:
    """Whole local days of a zone without clock changes, and how warm each of their half-hours is.

    ``temperatures`` has one row a day and 48 columns, °C.
    """

    days: tuple[date, ...]
    temperatures: FloatArray

    @property
    def leisure(self) -> NDArray[np.bool_]:
        """Which days are a weekend or a holiday."""
        return np.array([is_leisure(day) for day in self.days], dtype=np.bool_)


def is_leisure(day: date) -> bool:
    """Tell whether most people are at home on a day."""
    new_year = any(0 <= (day - first).days < 2 for first in _NEW_YEARS)
    return day.weekday() >= 5 or (day.month, day.day) in _FIXED_HOLIDAYS or new_year


def calendar(days: Sequence[date], rng: np.random.Generator) -> Calendar:
    """Make up the weather of some days: season, warm and wet spells of a few days, and the swing of the day."""
    season = np.array([_mean_of(day) for day in days])
    spells = _spells(len(days), rng)
    half_hours = np.arange(HALF_HOURS_A_DAY)
    swing = np.cos((half_hours - _WARMEST_HALF_HOUR) * 2 * np.pi / HALF_HOURS_A_DAY)
    # A wet spell is grey: cooler, with a smaller swing.
    amplitude = _DAILY_SWING * np.clip(1 + spells / 4, 0.4, 1.4)
    return Calendar(days=tuple(days), temperatures=(season + spells)[:, None] + amplitude[:, None] * swing[None, :])


def _mean_of(day: date) -> float:
    """Blend the means of two months, so that no month begins with a jump."""
    along = (day.day - 15) / 30
    neighbour = (day.month if along > 0 else day.month - 2) % 12
    return (1 - abs(along)) * _MEAN_OF_MONTH[day.month - 1] + abs(along) * _MEAN_OF_MONTH[neighbour]


def _spells(count: int, rng: np.random.Generator) -> FloatArray:
    """Return a first-order autoregressive walk, °C, with a memory of about four days."""
    shocks = rng.normal(0, 0.55, count)
    walk = np.empty(count)
    level = 0.0
    for number, shock in enumerate(shocks):
        level = 0.75 * level + shock
        walk[number] = level
    return walk
