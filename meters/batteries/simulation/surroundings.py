"""What comes from outside: the power that is asked of a battery over the day, the weather, and the grid's voltage."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY_SECONDS = 86_400.0
_KNOTS = 1_440
_HOURS: Floats = np.arange(_KNOTS) * 24.0 / _KNOTS
_TOPPED_UP_EVERY_DAYS = 7
_FULL, _USUAL = 1.0, 0.94
_WARMEST_HOUR = 15.0
_NIGHTS_CHARGED = 0.35
_BURSTS_A_DAY = 5.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A place and its habits; the same seed makes the same days, whichever of them are asked for.

    :ivar utc_offset_hours: of the day that people live by.
    :ivar ambient_c: on average over the year.
    :ivar swing_c: by which an afternoon is warmer, and a night cooler.
    """

    seed: int
    utc_offset_hours: float
    ambient_c: float
    swing_c: float

    def wanted_share(self, times: Floats) -> Floats:
        """Return the power that is asked for by the rated one, positive = discharge.

        It charges from the sun about noon and cheaply some nights, and discharges into the evening's peak; in between
        it rests, but for some minutes of balancing power now and then.

        :param times: seconds since 1970, ascending.
        """
        return self._between(times, 0)

    def outdoors_c(self, times: Floats) -> Floats:
        """Return the temperature outdoors, °C: warmest at three in the afternoon, and no two days alike."""
        return self._between(times, 1)

    def grid(self, times: Floats) -> Floats:
        """Return the grid's voltage by its nominal one: lower where many draw from it."""
        return self._between(times, 2)

    def ceiling(self, times: Floats) -> Floats:
        """Return up to which state of charge it is charged: every seventh day to the top, where cells are balanced."""
        number = np.floor(self._local(times) / DAY_SECONDS)
        return np.where((number + self.seed) % _TOPPED_UP_EVERY_DAYS == 0, _FULL, _USUAL)

    def _local(self, times: Floats) -> Floats:
        return times + 3_600.0 * self.utc_offset_hours

    def _between(self, times: Floats, kind: int) -> Floats:
        local = self._local(times)
        first, last = (int(edge // DAY_SECONDS) for edge in (local[0], local[-1]))
        knots = np.concatenate([_day(self, number)[kind] for number in range(first, last + 2)])
        at = (local - first * DAY_SECONDS) * (_KNOTS / DAY_SECONDS)
        values: Floats = np.interp(at, np.arange(knots.size), knots)
        return values


@lru_cache(maxsize=64)
def _day(place: Surroundings, number: int) -> tuple[Floats, Floats, Floats]:
    """Return a local day's powers, temperatures and voltages by the minute."""
    random = np.random.default_rng((place.seed, number))
    return _wanted(random), _weather(place, number), _grid(random)


def _wanted(random: np.random.Generator) -> Floats:
    share = np.zeros(_KNOTS)
    if random.random() < _NIGHTS_CHARGED:
        start = random.uniform(0.5, 2.5)
        share[_within(start, start + random.uniform(1.0, 2.5))] = -random.uniform(0.2, 0.45)
    rise, set_ = random.uniform(9.8, 10.8), random.uniform(14.2, 15.4)
    noon = _within(rise, set_)
    sun = np.sin(np.pi * (_HOURS[noon] - rise) / (set_ - rise))
    clouds = np.interp(_HOURS[noon], np.arange(24) / 1.0, random.uniform(0.55, 1.0, 24))
    flicker = random.normal(0.0, 0.03, sun.size)
    share[noon] = -np.clip(random.uniform(0.6, 0.95) * sun * clouds + flicker, 0.0, 1.0)
    peak, until = random.uniform(17.3, 18.3), random.uniform(20.8, 22.3)
    evening = _within(peak, until)
    load = np.sin(np.pi * (_HOURS[evening] - peak) / (until - peak)) ** 0.5
    share[evening] = np.clip(random.uniform(0.65, 1.0) * load + random.normal(0.0, 0.02, load.size), 0.0, 1.0)
    for start in random.uniform(0.0, 23.5, random.poisson(_BURSTS_A_DAY)):
        burst = _within(start, start + random.uniform(0.06, 0.25))
        if not share[burst].any():
            share[burst] = random.uniform(0.08, 0.3) * random.choice((-1.0, 1.0))
    return share


def _weather(place: Surroundings, number: int) -> Floats:
    today, tomorrow = (np.random.default_rng((place.seed, day, 1)).normal(0.0, 1.2) for day in (number, number + 1))
    course = place.swing_c * np.cos(2.0 * np.pi * (_HOURS - _WARMEST_HOUR) / 24.0)
    warmth: Floats = place.ambient_c + course + today + (tomorrow - today) * _HOURS / 24.0
    return warmth


def _grid(random: np.random.Generator) -> Floats:
    load = 0.5 - 0.5 * np.cos(2.0 * np.pi * (_HOURS - 4.0) / 24.0)
    level: Floats = 1.012 - 0.02 * load + random.normal(0.0, 0.0015, _KNOTS)
    return level


def _within(start: float, end: float) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = (start <= _HOURS) & (end > _HOURS)
    return chosen
