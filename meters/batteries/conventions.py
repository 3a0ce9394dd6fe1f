"""How sources and files write what batteries tell: their names, units, signs and clocks, turned into the portal's own.

Times are µs since 2000 in UTC; values have the units of :mod:`meters.batteries.quantities`, positive while discharging.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from energy_portal.shared.clock import zone
from energy_portal.shared.errors import Invalid
from meters.batteries.quantities import SIGNALS, Signal, System

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NEVER = np.iinfo(np.int64).min
UNIX_EPOCH_US = (EPOCH - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

_MICROSECOND = timedelta(microseconds=1)
_SECOND_US = 1_000_000
# Numbers of these sizes are since 1970 in s, ms, µs and ns; each range begins where the one before would be year 5138.
EPOCH_UNITS: tuple[tuple[float, float], ...] = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (np.inf, 1e-3))
_FARTHEST_US = 9.0e17
_HEADING = re.compile(r"^(?P<name>.*?)\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\])\s*$")
_SEPARATORS = re.compile(r"[\s.\-]+")
_SPREADS = frozenset({"cell_temp_diff"})
_SCALES: dict[str, dict[str, tuple[float, float]]] = {
    "%": {"%": (1, 0), "percent": (1, 0), "fraction": (100, 0), "1": (100, 0), "‰": (0.1, 0), "permille": (0.1, 0)},
    "V": {"V": (1, 0), "mV": (1e-3, 0), "kV": (1e3, 0)},
    "A": {"A": (1, 0), "mA": (1e-3, 0), "kA": (1e3, 0)},
    "kW": {"kW": (1, 0), "W": (1e-3, 0), "MW": (1e3, 0), "kVA": (1, 0), "VA": (1e-3, 0), "MVA": (1e3, 0)},
    "°C": {
        "°C": (1, 0),
        "C": (1, 0),
        "degC": (1, 0),
        "celsius": (1, 0),
        "°F": (5 / 9, -160 / 9),
        "F": (5 / 9, -160 / 9),
        "degF": (5 / 9, -160 / 9),
        "fahrenheit": (5 / 9, -160 / 9),
        "K": (1, -273.15),
        "kelvin": (1, -273.15),
    },
}
_OF_NAME: dict[str, tuple[System, Signal]] = {
    signal.name: (system, signal) for system, signals in SIGNALS.items() for signal in signals
}


class UnknownUnit(Invalid):
    """A unit that nobody can turn into the one that a signal is kept in."""

    code = "unknown_unit"


class BadConvention(Invalid):
    """A convention maps to a signal that there is none of."""

    code = "bad_convention"


class Writes(Protocol):
    """What a stored convention tells, see :class:`meters.batteries.models.Convention`."""

    charge_is_positive: bool
    columns: Any
    units: Any
    time_column: str
    zone: str
    clock_offset_seconds: float


class Scale(NamedTuple):
    """What turns a written value into an own one: ``value * factor + offset``."""

    factor: float
    offset: float


@dataclass(frozen=True, slots=True)
class Terms:
    """How somebody writes.

    :ivar names: published names by theirs; the published ones stand for themselves where nobody renamed another to one.
    :ivar units: theirs, by published name.
    :ivar zone: of naive times.
    :ivar clock_offset_us: by how much their clock is ahead.
    """

    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({name: name for name in _OF_NAME}))
    units: Mapping[str, str] = field(default_factory=dict)
    charge_is_positive: bool = False
    time_column: str = ""
    zone: ZoneInfo = field(default_factory=lambda: zone("UTC"))
    clock_offset_us: int = 0

    @classmethod
    def of(cls, convention: Writes | None) -> Self:
        """Return the terms of a stored convention; without one, the portal's own.

        :raises BadConvention: it maps to a signal that there is none of.
        :raises UnknownUnit: it names a unit that cannot be converted.
        :raises UnknownZone: it names no time zone.
        """
        if convention is None:
            return cls()
        renamed = {str(theirs): str(own) for theirs, own in dict(convention.columns).items()}
        units = {str(own): str(unit) for own, unit in dict(convention.units).items()}
        if strange := sorted({*renamed.values(), *units} - _OF_NAME.keys()):
            raise BadConvention(f"There is no signal {', '.join(strange)}: there are {', '.join(_OF_NAME)}.")
        for own, unit in units.items():
            _scale(_OF_NAME[own][1], unit)
        return cls(
            names=MappingProxyType({name: name for name in _OF_NAME} | renamed),
            units=MappingProxyType(units),
            charge_is_positive=convention.charge_is_positive,
            time_column=convention.time_column,
            zone=zone(convention.zone or "UTC"),
            clock_offset_us=round(convention.clock_offset_seconds * _SECOND_US),
        )

    def own_name(self, theirs: str) -> str | None:
        """Return the published name of what they call so, however they space and capitalise it; None for nothing."""
        if theirs in self.names:
            return self.names[theirs]
        folded = _folded(theirs)
        return next((own for name, own in self.names.items() if _folded(name) == folded), None)

    def scale(self, system: System, name: str, unit: str = "") -> Scale:
        """Return what turns their values of a published name into own ones, sign included.

        :param unit: as the values themselves say; the convention's goes before it.
        :raises UnknownUnit: the unit cannot be converted.
        """
        signal = next(each for each in SIGNALS[system] if each.name == name)
        scale = _scale(signal, self.units.get(name) or unit or signal.unit)
        is_turned = signal.is_directed and self.charge_is_positive
        return Scale(-scale.factor, -scale.offset) if is_turned else scale

    def to_own(self, system: System, name: str, values: NDArray[Any], unit: str = "") -> NDArray[np.float64]:
        """Return values of a published name in the portal's unit and sign; NaN stays missing.

        :raises UnknownUnit: the unit cannot be converted.
        """
        scale = self.scale(system, name, unit)
        return np.asarray(values, dtype=np.float64) * scale.factor + scale.offset

    def times_us(self, values: Sequence[Any] | NDArray[Any]) -> NDArray[np.int64]:
        """Return their times as µs since 2000, ``NEVER`` where one cannot be read.

        :param values: numbers since 1970 in s, ms, µs or ns, told apart by their size; ISO 8601 texts, naive ones in
            the zone, in an hour that comes twice its second time; or datetimes.
        """
        if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
            return self._since_1970(values)
        return np.array([self._time_us(value) for value in values], dtype=np.int64)

    def _since_1970(self, values: NDArray[Any]) -> NDArray[np.int64]:
        size = np.abs(values.astype(np.float64))
        us = np.full(values.shape, NEVER, dtype=np.int64)
        low = 0.0
        for high, factor in EPOCH_UNITS:
            here = (size >= low) & (size < high) & np.isfinite(size)
            us[here] = np.rint(values[here] * factor) if factor != 1 else values[here]
            low = high
        is_told = (us != NEVER) & (size < _FARTHEST_US * 10)
        return np.where(is_told, us - UNIX_EPOCH_US - self.clock_offset_us, NEVER)

    def _time_us(self, value: Any) -> int:
        if isinstance(value, str):
            value = _read(value.strip())
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(self._since_1970(np.array([value]))[0])
        if not isinstance(value, datetime):
            return NEVER
        instant = value if value.tzinfo else _in_zone(value, self.zone)
        return (instant - EPOCH) // _MICROSECOND - self.clock_offset_us


def split_heading(heading: str) -> tuple[str, str]:
    """Return the name and the unit of a heading such as ``voltage (mV)`` or ``voltage [mV]``; no unit is empty."""
    match = _HEADING.match(heading.strip())
    if match is None or not match["name"]:
        return heading.strip(), ""
    return match["name"], (match["round"] or match["square"] or "").strip()


def system_of(name: str) -> System:
    """Return the system that tells a published name."""
    return _OF_NAME[name][0]


def _in_zone(naive: datetime, local: ZoneInfo) -> datetime:
    """Return the instant of a naive time: the later one where an hour comes twice.

    A time that the clocks leave out is told by the offset before it. So does the reader of files.
    """
    readings = [naive.replace(tzinfo=local, fold=fold) for fold in (0, 1)]
    return min(readings, key=lambda reading: reading.utcoffset() or timedelta())


def _read(text: str) -> datetime | float | int | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None


def _folded(name: str) -> str:
    return _SEPARATORS.sub("_", name.strip()).casefold()


@cache
def _scale(signal: Signal, unit: str) -> Scale:
    scales = _SCALES[signal.unit]
    close = [scale for name, scale in scales.items() if name.casefold() == unit.strip().casefold()]
    exact = scales.get(unit.strip()) or (close[0] if len(set(close)) == 1 else None)
    if exact is None:
        raise UnknownUnit(f"{unit!r} is no unit of {signal.name}: there are {', '.join(scales)}.")
    factor, offset = exact
    return Scale(float(factor), 0.0 if signal.name in _SPREADS else float(offset))
