"""A file of one place's half-hours, in any format that readings come in, as arrays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import BinaryIO

import numpy as np

from energy_portal.shared.clock import HALF_HOUR
from energy_portal.shared.errors import ItemError
from meters.formats.layout import Layout, Stamps
from meters.formats.reading import detect, read
from meters.formats.records import KWH, TOTAL_EXPORT, DialColumns, FileFault, FileReading, Unreadable
from meters.halfhours import HalfHours

_SERIAL = "profile"
_MOST_SAID = 5
_MOST_HALF_HOURS = 20 * 366 * 48
_EXPORT_FLOW = TOTAL_EXPORT.split(".")[0]
_ONE = Decimal(1)


@dataclass(frozen=True, eq=False)
class Profile:
    """What one place used, and what it gave; ``exported`` is None where the file tells nothing of it."""

    imported: HalfHours
    exported: HalfHours | None


def read_profile(file: BinaryIO, *, stamps: Stamps, interval_minutes: int = 30) -> Profile:
    """Read one place's intervals; a table needs the columns time and kwh, and may have a start, meter and register.

    Intervals shorter than half-hours are added up. What the file leaves out is not known.

    :param file: seekable.
    :param interval_minutes: how long the intervals of a table are whose rows tell one instant.
    :raises Unreadable: a line is not understood, or the file holds no intervals of energy, or more places than one.
    """
    layout = Layout(serial=_SERIAL, interval=interval_minutes * HALF_HOUR / 30)
    records = read(file, detect(file), stamps=stamps, layout=layout)
    flows: dict[bool, dict[datetime, Decimal]] = {False: {}, True: {}}
    faults: list[ItemError] = []
    serials: set[str] = set()
    for record in records:
        fault = _taken(record, flows, serials)
        if fault is not None and len(faults) < _MOST_SAID:
            faults.append(fault)
    if faults:
        said = " ".join(f"Line {fault.index}: {fault.detail}" for fault in faults)
        raise Unreadable(said, errors=faults)
    if len(serials) > 1:
        raise Unreadable(f"The file tells of {len(serials)} meters, and a profile is of one place.")
    if not flows[False]:
        raise Unreadable("The file holds no half-hours of energy that was used.")
    return Profile(_array(flows[False]), _array(flows[True]) if flows[True] else None)


def _taken(
    record: FileReading | FileFault | DialColumns,
    flows: Mapping[bool, dict[datetime, Decimal]],
    serials: set[str],
) -> ItemError | None:
    """Put an interval to its flow; return what is wrong with it."""
    if isinstance(record, FileFault):
        return ItemError(record.code, record.detail, record.line)
    if isinstance(record, DialColumns) or record.start is None:
        return ItemError("not_an_interval", "It is what a dial showed; energy of intervals is needed.", record.line)
    if record.unit not in {"", KWH}:
        return ItemError("wrong_unit", f"Energy in kWh is needed, not {record.unit}.", record.line)
    serials.add(record.serial)
    flow = flows[record.register_code.startswith(f"{_EXPORT_FLOW}.")]
    if flow.setdefault(record.start, record.value) != record.value:
        return ItemError("conflict", f"Another value stands for {record.start.isoformat()}.", record.line)
    return None


def _array(energies: Mapping[datetime, Decimal]) -> HalfHours:
    start, last = min(energies), max(energies)
    count = (last - start) // HALF_HOUR + 1
    if count > _MOST_HALF_HOURS:
        raise Unreadable(f"It lasts from {start:%Y-%m-%d} to {last:%Y-%m-%d}: twenty years are the most.")
    energy, known = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.bool_)
    places = list(_places(energies, start))
    energy[places] = [int(value.scaleb(6).quantize(_ONE, rounding=ROUND_HALF_EVEN)) for value in energies.values()]
    known[places] = True
    return HalfHours(start, energy, known, np.zeros(count, dtype=np.bool_))


def _places(instants: Iterable[datetime], start: datetime) -> Iterable[int]:
    for instant in instants:
        place, off = divmod(instant - start, HALF_HOUR)
        if off:
            raise Unreadable(f"{instant.isoformat()} is not on the half-hours that begin at {start.isoformat()}.")
        yield place
