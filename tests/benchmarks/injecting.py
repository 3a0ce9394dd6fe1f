"""Anomalies put into a series that is taken for clean: which half-hours they are in is then known."""

from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Bools, Floats

_WEEK = 7 * SLOTS_A_DAY
# How often each kind comes, a year; how long it lasts, half-hours.
RATES = {"spike": 60.0, "level_shift": 10.0, "stuck": 24.0, "shape_swap": 16.0}
LENGTHS = {"spike": (1, 3), "level_shift": (SLOTS_A_DAY, 5 * SLOTS_A_DAY), "stuck": (6, 48), "shape_swap": (24, 48)}


@dataclass(frozen=True, eq=False)
class Injected:
    """A series with anomalies: values, and by kind in which half-hours they are, (n,) each."""

    values: Floats
    kinds: dict[str, Bools]

    @property
    def anomalous(self) -> Bools:
        """Which half-hours are in any anomaly."""
        found: Bools = np.any(list(self.kinds.values()), axis=0)
        return found


def inject(values: Floats, *, seed: int, spare: int) -> Injected:
    """Put anomalies of every kind at random, never two within a day of each other.

    - spike: up to three half-hours are 1.5 to 4 times as high, or, one in four, fall to a tenth to a half.
    - level shift: one to five days are 1.25 to 2 times as high, or as low as 0.4 to 0.75 times.
    - stuck: three hours to a day repeat one value.
    - shape swap: the halves of twelve hours to a day change places.

    :param values: (n,), NaN where missing.
    :param spare: half-hours at the beginning that are left alone, so that there is a past to learn from.
    """
    rng = np.random.default_rng(seed)
    found, taken = values.copy(), ~np.isfinite(values)
    taken[:spare] = True
    kinds = {kind: np.zeros(len(values), dtype=bool) for kind in RATES}
    years = (len(values) - spare) / (365.25 * SLOTS_A_DAY)
    for kind in sorted(RATES, key=lambda kind: -LENGTHS[kind][1]):
        for _ in range(max(round(RATES[kind] * years), 1)):
            length = int(rng.integers(LENGTHS[kind][0], LENGTHS[kind][1] + 1))
            start = _free(taken, length, rng)
            if start is None:
                continue
            stretch = slice(start, start + length)
            found[stretch] = _PUT[kind](values, start, length, rng)
            kinds[kind][stretch] = True
            taken[max(start - SLOTS_A_DAY, 0) : start + length + SLOTS_A_DAY] = True
    return Injected(found, kinds)


def _free(taken: Bools, length: int, rng: np.random.Generator) -> int | None:
    for _ in range(200):
        start = int(rng.integers(1, max(len(taken) - length, 2)))
        if not taken[start - 1 : start + length].any():
            return start
    return None


def _spike(values: Floats, start: int, length: int, rng: np.random.Generator) -> Floats:
    own = values[start : start + length]
    if rng.random() < 0.25:
        return own * rng.uniform(0.1, 0.5)
    around = np.nanmean(values[max(start - _WEEK, 0) : start])
    return np.maximum(own, around) * rng.uniform(1.5, 4.0)


def _level_shift(values: Floats, start: int, length: int, rng: np.random.Generator) -> Floats:
    factor = rng.uniform(1.25, 2.0) if rng.random() < 0.6 else rng.uniform(0.4, 0.75)
    return values[start : start + length] * factor


def _stuck(values: Floats, start: int, length: int, rng: np.random.Generator) -> Floats:
    return np.full(length, values[start])


def _shape_swap(values: Floats, start: int, length: int, rng: np.random.Generator) -> Floats:
    return np.roll(values[start : start + length], length // 2)


_PUT = {"spike": _spike, "level_shift": _level_shift, "stuck": _stuck, "shape_swap": _shape_swap}
