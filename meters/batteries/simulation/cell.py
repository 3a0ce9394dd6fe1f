"""A lithium iron phosphate cell of 280 Ah: open-circuit voltage, resistance, and how heat leaves it."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Rests of a 280 Ah LFP cell at 25 °C after charging and after discharging, averaged: read off the curves that the
# repository thesunRider/Balarkan publishes (MIT licence). (state of charge in percent, volts)
_OPEN_CIRCUIT = (
    (0, 2.621),
    (1, 2.874),
    (2, 2.980),
    (3, 3.052),
    (4, 3.106),
    (5, 3.149),
    (6, 3.183),
    (8, 3.204),
    (10, 3.209),
    (13, 3.216),
    (16, 3.234),
    (20, 3.255),
    (25, 3.274),
    (30, 3.287),
    (35, 3.294),
    (40, 3.297),
    (50, 3.301),
    (57, 3.305),
    (62, 3.313),
    (66, 3.329),
    (70, 3.336),
    (80, 3.340),
    (90, 3.344),
    (95, 3.346),
    (99, 3.355),
    (100, 3.470),
)
_STEPS = 1_000

CAPACITY_AH = 280.0
# One RC pair that answers the same set's pulses: 0.25 mΩ at once, 0.39 mΩ after 50 s, 0.64 mΩ after an hour of 155 A.
OHMIC_OHM = 0.25e-3
POLARISED_OHM = 0.39e-3
POLARISATION_SECONDS = 112.0
SELF_DISCHARGE_A = 0.008
HEAT_J_PER_K = 5.4 * 1_050.0
COOLING_W_PER_K = 0.45

OPEN_CIRCUIT_V: Floats = np.interp(np.linspace(0.0, 100.0, _STEPS + 1), *np.array(_OPEN_CIRCUIT).T)


def open_circuit_v(soc: Floats) -> Floats:
    """Return the voltages of rested cells, V, at states of charge from 0 to 1; beyond, those of the ends."""
    place = np.clip(soc, 0.0, 1.0) * _STEPS
    low = np.minimum(place.astype(np.intp), _STEPS - 1)
    below = OPEN_CIRCUIT_V[low]
    voltages: Floats = below + (place - low) * (OPEN_CIRCUIT_V[low + 1] - below)
    return voltages


def one_open_circuit_v(soc: float, table: list[float]) -> float:
    """Return the voltage of one rested cell: :func:`open_circuit_v` without arrays, for a loop.

    :param table: ``OPEN_CIRCUIT_V`` as a list.
    """
    place = min(max(soc, 0.0), 1.0) * _STEPS
    low = min(int(place), _STEPS - 1)
    return table[low] + (place - low) * (table[low + 1] - table[low])
