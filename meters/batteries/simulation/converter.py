"""A power converter: what it loses, how warm its transistors get, when it has to do less, and its three phases."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CONSTANT, _LINEAR, _QUADRATIC = 0.006, 0.010, 0.012
_IDLE = 0.003
_RISE_AT_RATED_K = 38.0
IGBT_SECONDS = 95.0
_IGBT_DERATES_C, _IGBT_STOPS_C = 82.0, 97.0
_CELL_DERATES_C, _CELL_STOPS_C = 45.0, 58.0
_COLD_DERATES_C, _COLD_STOPS_C = 10.0, 0.0
_REACTIVE_SHARE = 0.12
_PHASES = (1.008, 0.996, 0.997)
_LINES = (1.0, 0.997, 1.002)


@dataclass(frozen=True, slots=True)
class Converter:
    """A converter by its rating.

    :ivar rated_kw: active power that it can do either way for as long as it stays cool.
    :ivar grid_v: between two phases.
    """

    rated_kw: float
    grid_v: float = 400.0

    def loss_kw(self, ac_kw: float) -> float:
        """Return what is lost between both sides; nothing where it stands by."""
        share = abs(ac_kw) / self.rated_kw
        if share < _IDLE:
            return 0.0
        return self.rated_kw * (_CONSTANT + _LINEAR * share + _QUADRATIC * share * share)

    def igbt_rise_k(self, loss_kw: float) -> float:
        """Return by how much the transistors end up warmer than the air about them."""
        return _RISE_AT_RATED_K * loss_kw / self.loss_kw(self.rated_kw)

    def is_idle(self, ac_kw: float) -> bool:
        """Tell whether a power is too small to start for."""
        return abs(ac_kw) < _IDLE * self.rated_kw

    def apparent_kva(self, ac_kw: Floats) -> Floats:
        """Return apparent powers with their active part's sign: it supports the grid while it works."""
        kva: Floats = ac_kw * math.hypot(1.0, _REACTIVE_SHARE)
        return kva

    def phases(self, apparent_kva: Floats, grid: Floats) -> tuple[list[Floats], list[Floats]]:
        """Return three phase currents, A, and three line voltages, V.

        :param grid: the grid's voltage by its nominal one.
        """
        line_v = self.grid_v * grid
        amperes = 1_000.0 * np.abs(apparent_kva) / (math.sqrt(3.0) * line_v)
        return [amperes * share for share in _PHASES], [line_v * share for share in _LINES]


def igbt_share(igbt_c: float) -> float:
    """Return the share of the rated power that the transistors' temperature leaves."""
    return _falling(igbt_c, _IGBT_DERATES_C, _IGBT_STOPS_C)


def cell_share(cell_c: float, *, charges: bool) -> float:
    """Return the share of the rated power that the cells' temperature leaves; cold ones are not charged."""
    share = _falling(cell_c, _CELL_DERATES_C, _CELL_STOPS_C)
    return min(share, _falling(-cell_c, -_COLD_DERATES_C, -_COLD_STOPS_C)) if charges else share


def _falling(value: float, full: float, none: float) -> float:
    return min(max((none - value) / (none - full), 0.0), 1.0)
