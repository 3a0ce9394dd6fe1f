"""Live readings that were committed, written once as they are published and told to whoever listens."""

import threading
from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from meters.batteries.quantities import SIGNALS, System
from meters.batteries.selectors.history import published_text
from meters.batteries.services.news import Told, told
from meters.batteries.services.readings import Readings
from meters.series.columns import TimeKind
from meters.series.writer import Outcome

# Whoever sends what it kept for hours is not followed reading by reading.
_MOST_A_BATTERY = 20


class Teller:
    """Tells the readings of a process, each battery's and system's in the order of their times, none of the past."""

    def __init__(self) -> None:
        self._newest: dict[tuple[int, System], int] = {}
        self._lock = threading.Lock()

    def tell(self, system: System, readings: Readings, outcomes: Sequence[Outcome]) -> None:
        """Tell what is newer than what was told before, the newest of each battery where there is much of it.

        :param readings: committed.
        :param outcomes: one a reading.
        """
        with self._lock:
            places = self._new_ones(system, readings, outcomes)
        if places.size:
            told(_written(system, readings, places))

    def forget(self) -> None:
        """Forget what was told."""
        with self._lock:
            self._newest.clear()

    def _new_ones(self, system: System, readings: Readings, outcomes: Sequence[Outcome]) -> NDArray[np.intp]:
        """Return the places of what is to be told, by time, and keep in mind that it was."""
        stored = np.fromiter((outcome is Outcome.STORED for outcome in outcomes), dtype=bool, count=len(outcomes))
        by_battery: dict[int, list[int]] = {}
        # The newest come first, so that each battery's first ones are those to tell.
        order = np.lexsort((-readings.times, readings.battery_ids))
        for place in order[stored[order]].tolist():
            battery = int(readings.battery_ids[place])
            if readings.times[place] > self._newest.get((battery, system), np.iinfo(np.int64).min):
                by_battery.setdefault(battery, []).append(place)
        chosen: list[int] = []
        for battery, places in by_battery.items():
            self._newest[battery, system] = int(readings.times[places[0]])
            chosen += reversed(list(islice(places, _MOST_A_BATTERY)))
        return np.array(chosen, dtype=np.intp)


def _written(system: System, readings: Readings, places: NDArray[np.intp]) -> list[Told]:
    columns = [_shortest(readings.values.get(signal.column), places) for signal in SIGNALS[system]]
    news = []
    restore = TimeKind().restore
    for place, values in zip(places.tolist(), zip(*columns, strict=True), strict=True):
        at = restore(readings.times[place])
        news.append(Told(int(readings.battery_ids[place]), system, at, published_text(system, at, values)))
    return news


def _shortest(values: NDArray[np.float64] | None, places: NDArray[np.intp]) -> list[float | None]:
    """Return values as they come back out of the database: with the digits that single precision needs, no more."""
    if values is None:
        return [None] * places.size
    texts: list[str] = values[places].astype(np.float32).astype(np.str_).tolist()
    return [None if text == "nan" else float(text) for text in texts]


teller = Teller()
"""The one of this process."""
