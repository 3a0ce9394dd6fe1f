"""What batteries tell: the published fields of BMS and PCS, their columns, units, and how each is brought to a row.

Positive currents and powers discharge the battery, in storage and in every answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class System(StrEnum):
    """Which of a battery's two systems tells something."""

    BMS = "bms"
    PCS = "pcs"


class Manner(StrEnum):
    """How values of a signal stand for a time span: a gauge holds its last value, a mean is weighted by time."""

    GAUGE = "gauge"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Signal:
    """A field of a published reading.

    :ivar name: as it is published.
    :ivar column: as it is stored, with its unit.
    :ivar is_directed: whether its sign tells charging from discharging.
    """

    name: str
    column: str
    unit: str
    manner: Manner
    title: str
    is_directed: bool = False


BMS_SIGNALS = (
    Signal("soc", "soc_percent", "%", Manner.GAUGE, "State of charge"),
    Signal("soh", "soh_percent", "%", Manner.GAUGE, "State of health"),
    Signal("voltage", "voltage_v", "V", Manner.MEAN, "Pack voltage"),
    Signal("current", "current_a", "A", Manner.MEAN, "Pack current", is_directed=True),
    Signal("cell_avg_voltage", "cell_avg_voltage_v", "V", Manner.MEAN, "Average cell voltage"),
    Signal("cell_avg_temp", "cell_avg_temp_c", "°C", Manner.GAUGE, "Average cell temperature"),
    Signal("cell_max_voltage", "cell_max_voltage_v", "V", Manner.GAUGE, "Highest cell voltage"),
    Signal("cell_min_voltage", "cell_min_voltage_v", "V", Manner.GAUGE, "Lowest cell voltage"),
    Signal("cell_voltage_diff", "cell_voltage_diff_v", "V", Manner.GAUGE, "Cell voltage spread"),
    Signal("cell_temp_diff", "cell_temp_diff_c", "°C", Manner.GAUGE, "Cell temperature spread"),
)
PCS_SIGNALS = (
    Signal("apparent_power", "apparent_power_kw", "kW", Manner.MEAN, "Apparent power", is_directed=True),
    Signal("dc_current", "dc_current_a", "A", Manner.MEAN, "DC current", is_directed=True),
    Signal("dc_voltage", "dc_voltage_v", "V", Manner.MEAN, "DC voltage"),
    Signal("ac_current_a", "ac_current_a_a", "A", Manner.MEAN, "AC current, phase A"),
    Signal("ac_current_b", "ac_current_b_a", "A", Manner.MEAN, "AC current, phase B"),
    Signal("ac_current_c", "ac_current_c_a", "A", Manner.MEAN, "AC current, phase C"),
    Signal("ac_voltage_ab", "ac_voltage_ab_v", "V", Manner.MEAN, "AC voltage A-B"),
    Signal("ac_voltage_bc", "ac_voltage_bc_v", "V", Manner.MEAN, "AC voltage B-C"),
    Signal("ac_voltage_ca", "ac_voltage_ca_v", "V", Manner.MEAN, "AC voltage C-A"),
    Signal("temp_environment", "temp_environment_c", "°C", Manner.GAUGE, "Temperature of the environment"),
    Signal("temp_ambient", "temp_ambient_c", "°C", Manner.GAUGE, "Ambient temperature"),
    Signal("temp_igbt", "temp_igbt_c", "°C", Manner.GAUGE, "IGBT temperature"),
)
SIGNALS: dict[System, tuple[Signal, ...]] = {System.BMS: BMS_SIGNALS, System.PCS: PCS_SIGNALS}
COLUMNS: dict[System, tuple[str, ...]] = {
    system: tuple(signal.column for signal in signals) for system, signals in SIGNALS.items()
}
NAMES: dict[System, tuple[str, ...]] = {
    system: tuple(signal.name for signal in signals) for system, signals in SIGNALS.items()
}


def published_time(at: datetime) -> str:
    """Write an instant as the published readings do: ISO 8601 in UTC, ending in Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def published(system: System, at: datetime, values: Iterable[float | None]) -> dict[str, Any]:
    """Return a reading as it is published; what is missing is null.

    :param values: one a signal, in the order of ``SIGNALS``.
    """
    return {"timestamp": published_time(at), **dict(zip(NAMES[system], values, strict=True))}
