"""How a battery goes on from step to step: power within its limits, current, lag and warmth, as plain numbers."""

import math
from dataclasses import dataclass

from meters.batteries.simulation.cell import (
    COOLING_W_PER_K,
    HEAT_J_PER_K,
    OHMIC_OHM,
    OPEN_CIRCUIT_V,
    POLARISATION_SECONDS,
    POLARISED_OHM,
    one_open_circuit_v,
)
from meters.batteries.simulation.converter import IGBT_SECONDS, Converter, cell_share, igbt_share

COLUMNS = ("ac_kw", "current_a", "lagging_a", "loss_kw", "cells_c", "igbt_c", "cabinet_c")

_FLOOR = 0.08
_TAPER = 0.02
_CABINET_K = 4.0
_TABLE = OPEN_CIRCUIT_V.tolist()


@dataclass(slots=True)
class Course:
    """A battery's state as one cell that stands for all of them and one that is weak.

    :ivar soc: of both, from 0 to 1; the owner of this sets them right where it knows better.
    :ivar charge_as: that each of both holds, As.
    :ivar lagging_a: the current as the polarised cells feel it.
    :ivar resistance: by what it was when the pack was built.
    """

    converter: Converter
    cells: int
    strings: int
    soc: float
    weak_soc: float
    charge_as: float
    weak_charge_as: float
    cells_c: float
    igbt_c: float
    lagging_a: float = 0.0
    resistance: float = 1.0

    def step(self, asked_kw: float, top: float, outdoors_c: float, seconds: float) -> tuple[float, ...]:
        """Live through a step; positive powers and currents discharge.

        :param asked_kw: of the grid's side.
        :param top: up to which state of charge it is charged.
        :returns: the values of ``COLUMNS``.
        """
        ac_kw = asked_kw * self._allowed(asked_kw, top)
        if self.converter.is_idle(ac_kw):
            ac_kw = 0.0
        loss_kw = self.converter.loss_kw(ac_kw)
        current = self._current(ac_kw + loss_kw)
        self.lagging_a += (current - self.lagging_a) * -math.expm1(-seconds / POLARISATION_SECONDS)
        self.soc -= current * seconds / self.charge_as
        self.weak_soc -= current * seconds / self.weak_charge_as
        cabinet_c = outdoors_c + _CABINET_K * loss_kw / self.converter.loss_kw(self.converter.rated_kw)
        self._warm(current, loss_kw, outdoors_c, cabinet_c, seconds)
        return ac_kw, current, self.lagging_a, loss_kw, self.cells_c, self.igbt_c, cabinet_c

    def _allowed(self, asked_kw: float, top: float) -> float:
        """Return the share of what is asked that temperatures and the fullest or the emptiest cell allow."""
        if not asked_kw:
            return 0.0
        charges = asked_kw < 0.0
        room = top - max(self.soc, self.weak_soc) if charges else min(self.soc, self.weak_soc) - _FLOOR
        warm = min(igbt_share(self.igbt_c), cell_share(self.cells_c, charges=charges))
        return min(max(room / _TAPER, 0.0), 1.0, warm * self.converter.rated_kw / abs(asked_kw))

    def _current(self, dc_kw: float) -> float:
        """Return the current by which the pack gives a power: the smaller root of ``e·I - R·I² = P``."""
        resistance = self.resistance * OHMIC_OHM * self.cells / self.strings
        lag_v = self.resistance * POLARISED_OHM / self.strings * self.lagging_a
        voltage = self.cells * (one_open_circuit_v(self.soc, _TABLE) - lag_v)
        most = max(voltage * voltage - 4_000.0 * resistance * dc_kw, 0.0)
        return (voltage - math.sqrt(most)) / (2.0 * resistance)

    def _warm(self, current: float, loss_kw: float, outdoors_c: float, cabinet_c: float, seconds: float) -> None:
        string_a, lagging_a = current / self.strings, self.lagging_a / self.strings
        heat_w = self.resistance * (OHMIC_OHM * string_a * string_a + POLARISED_OHM * lagging_a * lagging_a)
        end = outdoors_c + heat_w / COOLING_W_PER_K
        self.cells_c += (end - self.cells_c) * -math.expm1(-seconds * COOLING_W_PER_K / HEAT_J_PER_K)
        end = cabinet_c + self.converter.igbt_rise_k(loss_kw)
        self.igbt_c += (end - self.igbt_c) * -math.expm1(-seconds / IGBT_SECONDS)
