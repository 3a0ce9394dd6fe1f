"""A battery's last hours, as its charts and their table show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from meters.batteries.models import Battery
from meters.batteries.quantities import System
from meters.batteries.selectors.readings import sampled_readings

# Hours that may be looked at, and the length of a point in each.
RANGES: Mapping[int, timedelta] = {
    1: timedelta(seconds=15),
    6: timedelta(minutes=1),
    24: timedelta(minutes=5),
}
USUAL_HOURS = 6
_ROWS_IN_TABLE = 24
_NAMES: dict[System, tuple[str, ...]] = {
    System.BMS: ("soc", "cell_min_voltage", "cell_max_voltage", "cell_avg_voltage", "cell_avg_temp"),
    System.PCS: ("apparent_power", "temp_igbt", "temp_ambient"),
}
_Point = dict[str, Any]


@dataclass(frozen=True)
class History:
    """What a battery told in ``[start, end)``, drawn together.

    :ivar points: by published name, as ``[ms since 1970, value]``; a value of None breaks the line where nothing came.
    :ivar rows: the same for a table, coarser: the newest first.
    """

    hours: int
    start: datetime
    end: datetime
    every: timedelta
    points: dict[str, list[list[float | None]]]
    rows: list[_Point]

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing came in that time."""
        return not self.rows

    def as_json(self, zone: str) -> dict[str, Any]:
        """Return it as the charts' script reads it."""
        return {
            "from": _millis(self.start),
            "to": _millis(self.end),
            "every": self.every.total_seconds() * 1_000,
            "zone": zone,
            "points": self.points,
        }


def history_of(battery: Battery, *, until: datetime, hours: int) -> History:
    """Return a battery's hours before an instant.

    :param hours: one of ``RANGES``.
    """
    every = RANGES[hours]
    end = until + every
    start = end - timedelta(hours=hours) - every
    told = {
        system: sampled_readings(system=system, battery=battery, start=start, end=end, every=every, names=names)
        for system, names in _NAMES.items()
    }
    points: dict[str, list[list[float | None]]] = {}
    for system, names in _NAMES.items():
        points |= {name: _points(told[system], name, every) for name in names}
    points["cell_min_voltage"] = _points(told[System.BMS], "cell_min_voltage_min", every)
    points["cell_max_voltage"] = _points(told[System.BMS], "cell_max_voltage_max", every)
    return History(hours, start, end, every, points, _rows(told))


def _points(told: Sequence[_Point], name: str, every: timedelta) -> list[list[float | None]]:
    step = every.total_seconds() * 1_000
    points: list[list[float | None]] = []
    before = None
    for point in told:
        at = _millis(datetime.fromisoformat(point["timestamp"]))
        if before is not None and at - before > 2.5 * step:
            points.append([before + step, None])
        points.append([at, point[name]])
        before = at
    return points


def _rows(told: Mapping[System, Sequence[_Point]]) -> list[_Point]:
    """Return every n-th point of the BMS with what the PCS told in the same span, the newest first."""
    pcs = {point["timestamp"]: point for point in told[System.PCS]}
    bms = {point["timestamp"]: point for point in told[System.BMS]}
    stamps = sorted({*pcs, *bms}, reverse=True)
    chosen = stamps[:: max(1, -(-len(stamps) // _ROWS_IN_TABLE))]
    return [{**pcs.get(stamp, {}), **bms.get(stamp, {}), "at": datetime.fromisoformat(stamp)} for stamp in chosen]


def _millis(instant: datetime) -> float:
    return round(1_000 * instant.timestamp())
