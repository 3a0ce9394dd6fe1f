"""Cells in series that are not alike: one of them is weak, and the fullest are bled at the top."""

from dataclasses import dataclass

import numpy as np

from meters.batteries.simulation.cell import (
    CAPACITY_AH,
    OHMIC_OHM,
    POLARISED_OHM,
    SELF_DISCHARGE_A,
    Floats,
    open_circuit_v,
)

_BLED_ABOVE_V = 3.40
_BLED_APART_V = 0.004
_BLEEDING_A = 0.15
# Cells that have lost a fifth of their capacity have some 60 % more resistance; the weak one fades twice as fast.
_RESISTANCE_A_FADE = 3.0
_WEAK_FADE = 1.0


@dataclass(frozen=True, slots=True)
class CellVoltages:
    """What n steps do to the cells: V a step, and which cell is the lowest and which the highest."""

    total: Floats
    lowest: Floats
    highest: Floats
    lowest_cell: Floats
    highest_cell: Floats


class Pack:
    """Cells in series, each with its capacity, resistance, self-discharge and charge.

    :ivar weak: the number of the weak one.
    :ivar soh: from 0 to 1; whoever ages the pack lowers it.
    """

    def __init__(self, *, cells: int, strings: int, soc: float, soh: float, seed: int) -> None:
        """Build a pack that is balanced at the top, as packs in use are."""
        random = np.random.default_rng((seed, 260))
        self.strings = strings
        self.soh = soh
        self._first_soh = soh
        self.weak = int(random.integers(cells))
        self._size = 1.0 + np.clip(random.normal(0.0, 0.003, cells), -0.008, 0.008)
        self._resistance = 1.0 + np.clip(random.normal(0.0, 0.03, cells), -0.08, 0.08)
        self._leak_a = SELF_DISCHARGE_A * strings * random.lognormal(0.0, 0.2, cells)
        self._size[self.weak], self._resistance[self.weak] = 0.968, 1.3
        self._warm = 1.0 + np.clip(random.normal(0.0, 0.10, cells), -0.25, 0.25)
        unevenly = random.uniform(0.0, 0.0015, cells)
        missing = (1.0 - soc) * CAPACITY_AH * strings * soh
        self._soc: Floats = 1.0 - unevenly - missing / self.capacities_ah

    @property
    def capacities_ah(self) -> Floats:
        """Return what each cell holds now, Ah."""
        size = self._size.copy()
        size[self.weak] -= _WEAK_FADE * (self._first_soh - self.soh)
        capacities: Floats = CAPACITY_AH * self.strings * self.soh * size
        return capacities

    @property
    def resistance(self) -> float:
        """Return the cells' resistance by what it was when the pack was built."""
        return 1.0 + _RESISTANCE_A_FADE * (self._first_soh - self.soh)

    @property
    def socs(self) -> Floats:
        """Return each cell's state of charge, from 0 to 1."""
        return self._soc.copy()

    @property
    def warmth_spread(self) -> float:
        """Return by how much more than the average's the hottest cell's warming is than the coolest one's."""
        return float(np.ptp(self._warm))

    def follow(self, current_a: Floats, lagging_a: Floats, seconds: float) -> CellVoltages:
        """Let currents flow for a step each, and return the voltages at each step's end.

        :param current_a: n currents of the pack, positive = discharge.
        :param lagging_a: the same as the polarised cells feel them.
        """
        hours = seconds / 3_600.0
        capacities = self.capacities_ah
        drawn = np.cumsum(current_a)[:, None] * hours
        leaked = np.arange(1, current_a.size + 1)[:, None] * (hours * self._leak_a)
        soc = self._soc - (drawn + leaked) / capacities
        drop = self.resistance * (OHMIC_OHM * current_a + POLARISED_OHM * lagging_a) / self.strings
        voltages = open_circuit_v(soc) - drop[:, None] * self._resistance
        lowest = voltages.min(axis=1)
        bled = (voltages > _BLED_ABOVE_V) & (voltages > lowest[:, None] + _BLED_APART_V)
        self._soc = soc[-1] - _BLEEDING_A * self.strings * hours * bled.sum(axis=0) / capacities
        return CellVoltages(
            total=voltages.sum(axis=1),
            lowest=lowest,
            highest=voltages.max(axis=1),
            lowest_cell=voltages.argmin(axis=1).astype(np.float64),
            highest_cell=voltages.argmax(axis=1).astype(np.float64),
        )
