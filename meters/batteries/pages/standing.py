"""What a battery told last, as its pages say it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from meters.batteries.models import Battery
from meters.batteries.quantities import NAMES, System
from meters.batteries.selectors.fleet import SILENT_AFTER

# A converter that stands by draws a little; less than this share of the rated power is rest.
_REST_SHARE = 0.003
_REST_KW = 0.2
_NAMES = tuple(name for names in NAMES.values() for name in names)
_CELL_MARKS = {"low": "cell_min_voltage", "mean": "cell_avg_voltage", "high": "cell_max_voltage"}


class Direction(StrEnum):
    """Where the energy flows."""

    DISCHARGES = "discharging"
    CHARGES = "charging"
    RESTS = "at rest"


class Hearing(StrEnum):
    """How lately a battery was heard."""

    LIVE = "live"
    SILENT = "silent"
    FILED = "filed"
    NEVER = "never"


@dataclass(frozen=True)
class Standing:
    """A battery's newest values.

    :ivar values: of every published name, None where it was not told.
    :ivar at: of the newest reading of either system.
    :ivar power_kw: positive = discharge; the converter's own where it told one, else that of the pack.
    """

    battery: Battery
    values: dict[str, Any]
    at: datetime | None
    power_kw: float | None
    hearing: Hearing

    @property
    def direction(self) -> Direction | None:
        """Where the energy flows; None where nobody knows."""
        if self.power_kw is None:
            return None
        if abs(self.power_kw) < rest_kw(self.battery):
            return Direction.RESTS
        return Direction.DISCHARGES if self.power_kw > 0 else Direction.CHARGES

    @property
    def power_size_kw(self) -> float | None:
        """The power without its sign, which the direction tells in words."""
        return None if self.power_kw is None else abs(self.power_kw)

    @property
    def spread_mv(self) -> float | None:
        """By how much the highest cell is above the lowest, mV."""
        spread = self.values["cell_voltage_diff"]
        return None if spread is None else 1_000.0 * float(spread)

    @property
    def cell_marks(self) -> dict[str, float]:
        """Return where the cells' voltages lie in their window, in percent of it, and how far they are apart."""
        start, end = self.battery.cell_voltage_low_v, self.battery.cell_voltage_high_v
        told = {mark: start if (value := self.values[name]) is None else value for mark, name in _CELL_MARKS.items()}
        places = {mark: min(max(100.0 * (value - start) / (end - start), 0.0), 100.0) for mark, value in told.items()}
        return {**places, "width": max(places["high"] - places["low"], 0.8 if self.spread_mv is not None else 0.0)}

    @property
    def held_kwh(self) -> float | None:
        """About how much energy it holds, by its rated energy and its state of health."""
        soc, soh, rated = self.values["soc"], self.values["soh"], self.battery.rated_energy_kwh
        if soc is None or rated is None:
            return None
        return float(rated * soc / 100.0 * (100.0 if soh is None else soh) / 100.0)


def rest_kw(battery: Battery) -> float:
    """Return the power below which a battery counts as at rest."""
    return max(_REST_KW, _REST_SHARE * (battery.rated_power_kw or 0.0))


def standing_of(battery: Battery, *, now: datetime) -> Standing:
    """Return where a battery stands, from its state alone.

    :param battery: with its state at hand.
    """
    state = getattr(battery, "state", None)
    if state is None:
        return Standing(battery, dict.fromkeys(_NAMES), None, None, Hearing.NEVER)
    values = {**dict.fromkeys(_NAMES), **(state.bms or {}), **(state.pcs or {})}
    times = [at for at in (state.bms_at, state.pcs_at) if at is not None]
    return Standing(battery, values, max(times, default=None), _power(values), _hearing(state, now))


def _power(values: dict[str, Any]) -> float | None:
    power, voltage, current = (values[name] for name in ("apparent_power", "voltage", "current"))
    if power is not None:
        return float(power)
    return None if voltage is None or current is None else float(voltage * current / 1_000.0)


def _hearing(state: Any, now: datetime) -> Hearing:
    if state.heard_at is None:
        told = any(getattr(state, f"{system}_at") for system in System)
        return Hearing.FILED if told else Hearing.NEVER
    return Hearing.SILENT if state.heard_at < now - SILENT_AFTER else Hearing.LIVE
