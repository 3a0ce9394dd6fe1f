"""What a battery's sensors make of it: noise, resolution, an offset that the coulomb counter adds up, and names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meters.batteries.quantities import System
from meters.batteries.simulation.cell import Floats
from meters.batteries.simulation.converter import Converter
from meters.batteries.simulation.pack import CellVoltages

_OFFSET_A = 0.03
_SETTLES_SECONDS = 600.0
_FULL_CELL_V = 3.43
_AT_REST_SPREAD_K = 1.1


@dataclass(frozen=True, slots=True)
class Told:
    """n steps of a battery.

    :ivar times: of each step's end, seconds since 1970.
    :ivar values: by system and published name, what its sensors tell.
    :ivar truth: what nobody measures, for checks: ``ac_kw`` and ``dc_kw``, positive = discharge, ``loss_kw`` of the
        converter, ``soc`` from 0 to 1, and the numbers of the lowest and the highest cell.
    """

    times: Floats
    values: dict[System, dict[str, Floats]]
    truth: dict[str, Floats]

    @classmethod
    def joined(cls, parts: Sequence["Told"]) -> "Told":
        """Put one or more runs in a row together."""
        return cls(
            np.concatenate([part.times for part in parts]),
            {
                system: {name: np.concatenate([part.values[system][name] for part in parts]) for name in columns}
                for system, columns in parts[0].values.items()
            },
            {name: np.concatenate([part.truth[name] for part in parts]) for name in parts[0].truth},
        )


@dataclass(slots=True)
class Gauges:
    """The sensors of a BMS and a PCS.

    :ivar capacity_ah: of a new pack.
    :ivar soc: as the BMS counts it, from 0 to 1.
    """

    capacity_ah: float
    soc: float
    random: np.random.Generator
    warmth_spread: float

    def bms(
        self,
        course: dict[str, Floats],
        cells: CellVoltages,
        *,
        number: int,
        soh: float,
        seconds: float,
    ) -> dict[str, Floats]:
        """Return what the BMS tells.

        :param course: by the names of ``course.COLUMNS``, and ``outdoors_c``.
        :param number: of cells.
        """
        size = cells.total.size
        flows = course["current_a"] != 0.0
        measured = course["current_a"] + flows * (_OFFSET_A + self._noise(size, 0.05))
        lowest, highest = np.round(cells.lowest, 3), np.round(cells.highest, 3)
        warmer = np.abs(course["cells_c"] - course["outdoors_c"])
        return {
            "soc": np.round(100.0 * self._counted(measured, cells.highest, soh, seconds), 1),
            "soh": np.full(size, round(100.0 * soh, 2)),
            "voltage": np.round(cells.total + self._noise(size, 0.05), 1),
            "current": np.round(measured, 1),
            "cell_avg_voltage": np.round(cells.total / number, 3),
            "cell_avg_temp": np.round(course["cells_c"] + self._noise(size, 0.03), 1),
            "cell_max_voltage": highest,
            "cell_min_voltage": lowest,
            "cell_voltage_diff": np.round(highest - lowest, 3),
            "cell_temp_diff": np.round(_AT_REST_SPREAD_K + self.warmth_spread * warmer + self._noise(size, 0.04), 1),
        }

    def pcs(self, course: dict[str, Floats], cells: CellVoltages, converter: Converter) -> dict[str, Floats]:
        """Return what the PCS tells.

        :param course: as for :meth:`bms`, with the grid's voltage by its nominal one as ``grid``.
        """
        size = cells.total.size
        apparent = converter.apparent_kva(course["ac_kw"])
        amperes, volts = converter.phases(apparent, course["grid"])
        cable_ohm = 0.003 * 100.0 / converter.rated_kw
        told = {
            "apparent_power": np.round(apparent + self._noise(size, 0.0005) * apparent, 2),
            "dc_current": np.round(1.002 * course["current_a"], 1),
            "dc_voltage": np.round(cells.total - cable_ohm * course["current_a"] + self._noise(size, 0.08), 1),
        }
        told |= {f"ac_current_{phase}": np.round(values, 1) for phase, values in zip("abc", amperes, strict=True)}
        told |= {
            f"ac_voltage_{line}": np.round(values, 1) for line, values in zip(("ab", "bc", "ca"), volts, strict=True)
        }
        return told | {
            "temp_environment": np.round(course["outdoors_c"] + self._noise(size, 0.03), 1),
            "temp_ambient": np.round(course["cabinet_c"] + self._noise(size, 0.03), 1),
            "temp_igbt": np.round(course["igbt_c"] + self._noise(size, 0.05), 1),
        }

    def _counted(self, measured: Floats, highest: Floats, soh: float, seconds: float) -> Floats:
        """Count charge as the BMS does, drawn to full while the highest cell says so."""
        capacity = self.capacity_ah * soh * 3_600.0
        counted = self.soc - np.cumsum(measured) * seconds / capacity
        settled = np.cumsum((highest > _FULL_CELL_V) * seconds) / _SETTLES_SECONDS
        counted += (1.0 - counted) * -np.expm1(-settled)
        counted = np.clip(counted, 0.0, 1.0)
        self.soc = float(counted[-1])
        return counted

    def _noise(self, size: int, deviation: float) -> Floats:
        return self.random.normal(0.0, deviation, size)
