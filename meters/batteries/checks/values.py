"""What checks are made of: a battery's nameplate, its newest values, the rows of its last minutes, and findings."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
WINDOW_US = 15 * MINUTE_US

# A battery rests below a twentieth of its capacity an hour: the cells' own resistance then hides less than a mV or two.
_REST_C_RATE = 0.05
# Values further apart tell nothing of what was between them.
MOST_APART_US = MINUTE_US


class Finding(NamedTuple):
    """A value of a quantity at an instant (µs); None where it is not known."""

    quantity: str
    value: float | None
    at: int


@dataclass(frozen=True, slots=True)
class Nameplate:
    """What a battery is made for; None where nobody said."""

    cells_in_series: int | None
    capacity_ah: float | None
    rated_power_kw: float | None
    current_limit_a: float | None
    soc: tuple[float, float]
    cell_voltage: tuple[float, float]
    cell_temp: tuple[float, float]
    igbt_temp_high_c: float

    @property
    def rest_a(self) -> float | None:
        """Below which current it rests."""
        return None if self.capacity_ah is None else self.capacity_ah * _REST_C_RATE


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest values of a system by column, missing ones left out, and their instant (µs)."""

    at: int
    values: Mapping[str, float]

    def get(self, column: str) -> float:
        """Return a value, NaN where it is missing."""
        return self.values.get(column, math.nan)


@dataclass(frozen=True, slots=True)
class Rows:
    """n rows of one system over the last minutes: instants (µs), ascending, and values by column, NaN where missing."""

    times: Ints
    values: Mapping[str, Floats]

    def known(self, column: str) -> tuple[Ints, Floats]:
        """Return a column's values that were told, and when."""
        values = self.values[column]
        told = ~np.isnan(values)
        return self.times[told], values[told]

    def newest(self) -> Newest:
        """Return what stands at the last row: each column's last value, unless that is more than a minute ago."""
        last = int(self.times[-1])
        found = {column: self.known(column) for column in self.values}
        return Newest(
            last,
            {
                column: float(values[-1])
                for column, (times, values) in found.items()
                if values.size and last - times[-1] <= MOST_APART_US
            },
        )
