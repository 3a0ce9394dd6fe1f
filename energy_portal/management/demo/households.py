"""Believable half-hourly use of electricity: what stands in a household, and who is at home; no Django."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from energy_portal.management.demo.climate import HALF_HOURS_A_DAY, Calendar, FloatArray

_WH_A_HALF_HOUR_AT_1_W = 0.5
_COMFORT_DEGREES = 23.0


class Archetype(StrEnum):
    """How a household lives."""

    APARTMENT = "apartment"
    FAMILY = "family"
    NIGHT_OWL = "night owl"
    AIR_CONDITIONED = "air-conditioned"
    HOME_OFFICE = "home office"


@dataclass(frozen=True)
class Habits:
    """What a household owns and when it is used; times are hours of the day, powers watts."""

    base_watts: float
    fridge_watts: float
    lights_watts: float
    cooking_watt_hours: float
    shower_watt_hours: float
    laundry_a_week: float
    wakes: float
    sleeps: float
    at_home_by_day: float
    screens_watts: float
    cooled_rooms: float
    cooling_by_day: bool


HABITS: Mapping[Archetype, Habits] = {
    Archetype.APARTMENT: Habits(45, 55, 90, 500, 450, 2, 6.8, 23.0, 0.15, 110, 0.7, cooling_by_day=False),
    Archetype.FAMILY: Habits(80, 85, 190, 1400, 1100, 5, 6.2, 22.8, 0.45, 210, 1.9, cooling_by_day=False),
    Archetype.NIGHT_OWL: Habits(60, 55, 120, 600, 500, 2, 9.5, 26.5, 0.35, 260, 1.0, cooling_by_day=False),
    Archetype.AIR_CONDITIONED: Habits(110, 110, 240, 1200, 1000, 4, 6.8, 23.6, 0.60, 220, 3.0, cooling_by_day=True),
    Archetype.HOME_OFFICE: Habits(70, 60, 130, 800, 600, 3, 7.2, 23.4, 0.90, 240, 1.2, cooling_by_day=True),
}


def half_hourly_watt_hours(
    archetype: Archetype, calendar: Calendar, rng: np.random.Generator, *, size: float = 1.0
) -> NDArray[np.int64]:
    """Make up a household's use.

    :param size: scales what people use, not what always runs.
    :returns: whole Wh, a value for each half-hour of the calendar's days, in order.
    """
    habits = HABITS[archetype]
    presence = _presence(habits, calendar, rng)
    lived = (
        _people(habits, calendar, presence, rng)
        + _cooling(habits, calendar, presence, rng)
        + _kitchen_and_bath(habits, calendar, presence, rng)
        + _laundry(habits, calendar, presence, rng)
    )
    always = (habits.base_watts + _fridge(habits, calendar, rng)) * _WH_A_HALF_HOUR_AT_1_W
    return np.rint(always + size * lived).astype(np.int64).ravel()


def _hours() -> FloatArray:
    return np.arange(HALF_HOURS_A_DAY) / 2


def _between(start: FloatArray, end: FloatArray) -> FloatArray:
    """Return, a row a day, the share of each half-hour that lies in ``[start, end)``; an end beyond 24 wraps."""
    edges = _hours()[None, :]
    share = np.zeros((len(start), HALF_HOURS_A_DAY))
    for shift in (0, 24):
        left = np.maximum(edges + shift, start[:, None])
        right = np.minimum(edges + shift + 0.5, end[:, None])
        share += np.clip(right - left, 0, 0.5) * 2
    return share


def _presence(habits: Habits, calendar: Calendar, rng: np.random.Generator) -> FloatArray:
    """Return who is at home and awake, 0 to 1, a row a day: zero while the household is away on a journey."""
    count = len(calendar.days)
    leisure = calendar.leisure
    wakes = habits.wakes + leisure * 1.4 + rng.normal(0, 0.35, count)
    sleeps = habits.sleeps + leisure * 0.6 + rng.normal(0, 0.4, count)
    awake = _between(wakes, np.maximum(sleeps, wakes + 12))
    at_work = _between(np.full(count, 8.2), 18.2 + rng.normal(0, 0.6, count))
    by_day = np.where(leisure, 0.65, habits.at_home_by_day)[:, None]
    return np.asarray(awake * (1 - at_work * (1 - by_day)) * ~_journeys(calendar, rng)[:, None])


def _journeys(calendar: Calendar, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark the days of one or two journeys a year, mostly in the school holidays of June and December."""
    away = np.zeros(len(calendar.days), dtype=np.bool_)
    likely = [number for number, day in enumerate(calendar.days) if day.month in {6, 12}]
    for _ in range(rng.integers(0, 3)):
        if likely:
            first = int(rng.choice(likely))
            away[first : first + int(rng.integers(3, 11))] = True
    return away


def _people(habits: Habits, calendar: Calendar, presence: FloatArray, rng: np.random.Generator) -> FloatArray:
    hours = _hours()
    dark = ((hours < 7.0) | (hours >= 18.5)).astype(np.float64)
    lights = habits.lights_watts * dark[None, :]
    evening = 0.45 + 0.55 * ((hours >= 19) | (hours < 3))
    screens = habits.screens_watts * evening[None, :]
    noise = rng.lognormal(0, 0.25, presence.shape)
    return (lights + screens) * presence * noise * _WH_A_HALF_HOUR_AT_1_W


def _cooling(habits: Habits, calendar: Calendar, presence: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Air conditioning: bedrooms through the night, living rooms on hot days where people are in."""
    count = len(calendar.days)
    at_home = presence.max(axis=1, keepdims=True) > 0
    bed = habits.sleeps - 1.2 + rng.normal(0, 0.4, count)
    night = _between(bed, bed + 7.5)
    need = np.clip((calendar.temperatures - _COMFORT_DEGREES) / 4, 0, 1.6) + 0.25
    switched_on = rng.random((count, 1)) < 0.82
    bedrooms = 260 * habits.cooled_rooms * night * need * switched_on * at_home
    hot = np.clip((calendar.temperatures - 28.5) / 3, 0, 1.2)
    living = (650.0 if habits.cooling_by_day else 120.0) * hot * presence * (rng.random((count, 1)) < 0.7)
    return np.asarray((bedrooms + living) * rng.lognormal(0, 0.12, night.shape) * _WH_A_HALF_HOUR_AT_1_W)


def _kitchen_and_bath(habits: Habits, calendar: Calendar, presence: FloatArray, rng: np.random.Generator) -> FloatArray:
    leisure = calendar.leisure
    use = np.zeros_like(presence)
    meals = ((habits.wakes + 0.5, 0.25, 1.0), (12.3, 0.30, 0.2), (18.9, 0.75, 0.8))
    for hour, share, on_workdays in meals:
        likely = np.where(leisure, 0.85, on_workdays)
        use += _bursts(hour, 0.6, share * habits.cooking_watt_hours, likely, rng)
    for hour, share in ((habits.wakes + 0.3, 0.45), (min(habits.sleeps - 1.5, 22.5), 0.55)):
        use += _bursts(hour, 0.5, share * habits.shower_watt_hours, np.full(len(leisure), 0.92), rng)
    at_home = presence.max(axis=1, keepdims=True) > 0
    return np.asarray(use * at_home)


def _laundry(habits: Habits, calendar: Calendar, presence: FloatArray, rng: np.random.Generator) -> FloatArray:
    weight = np.where(calendar.leisure, 1.6, 0.75)
    likely = np.clip(habits.laundry_a_week / 7 * weight, 0, 0.95)
    at_home = presence.max(axis=1, keepdims=True) > 0
    return np.asarray(_bursts(10.5, 2.0, 620, likely, rng) * at_home)


def _bursts(hour: float, spread: float, watt_hours: float, likely: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Put one use of an appliance on each day where it happens, split over two half-hours around its time."""
    count = len(likely)
    happens = rng.random(count) < likely
    at = (2 * (hour + rng.normal(0, spread, count))) % HALF_HOURS_A_DAY
    first = at.astype(np.int64)
    second = (first + 1) % HALF_HOURS_A_DAY
    energy = happens * watt_hours * rng.lognormal(0, 0.3, count)
    late = at - first
    use = np.zeros((count, HALF_HOURS_A_DAY))
    rows = np.arange(count)
    use[rows, first] += energy * (1 - late)
    use[rows, second] += energy * late
    return use


def _fridge(habits: Habits, calendar: Calendar, rng: np.random.Generator) -> FloatArray:
    """A compressor that works a third more on a hot afternoon, in a beat of its own."""
    shape = calendar.temperatures.shape
    beat = 1 + 0.35 * np.sign(np.sin(np.arange(shape[0] * shape[1]).reshape(shape) * 1.9 + rng.random() * 6))
    warmth = 1 + np.clip((calendar.temperatures - 26) / 15, -0.1, 0.35)
    return np.asarray(habits.fridge_watts * beat * warmth)
