"""The usual rows of a batch, read as columns: known registers, plain numbers, marks in time. The rest is told apart.

What is usual here, and what is not, is the same to whoever sends it: an unusual row is only looked at by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, cast
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from energy_portal.shared.errors import DomainError
from meters.models import Quality, Register
from meters.services.directory import ABSENT
from meters.services.offers import USUAL_CODE, Offer
from meters.services.registry import Bools, Registry
from meters.store.door import UNKNOWN_TIME, Int64s, micros
from meters.validation import VALUE_DECIMALS, are_plain, is_plain

UNITS = {"kwh": Register.Unit.KWH, "m3": Register.Unit.M3, "m³": Register.Unit.M3, "gj": Register.Unit.GJ}
QUALITIES = frozenset(Quality.values)
_MILLION = 10**VALUE_DECIMALS
_STRANGE = -1


class Clock(Protocol):
    """Reads stamps; see ``screening``."""

    def read(self, stamp: object, premises_zone: ZoneInfo) -> tuple[datetime, str | None]: ...


@dataclass(frozen=True)
class Columns:
    """n rows whose register, instant and value are known, each column n long.

    :ivar places: where they stood in the batch.
    :ivar numbers: of their registers in the registry.
    :ivar register_ids: ids of their registers.
    :ivar dials: whether their registers are dials.
    :ivar times: µs since 2000.
    :ivar values: in millionths of the register's unit.
    :ivar qualities: Green Button's.
    :ivar stamps: as their source wrote them, where that names another instant; else None.
    """

    places: Int64s
    numbers: Int64s
    register_ids: Int64s
    dials: Bools
    times: Int64s
    values: Int64s
    qualities: Int64s
    stamps: NDArray[np.object_]

    @property
    def size(self) -> int:
        """Count the rows."""
        return self.places.size

    def starts(self) -> Int64s:
        """Return the rows at which another register begins; rows of one stand together."""
        begins = np.ones(self.size, dtype=np.bool_)
        begins[1:] = self.register_ids[1:] != self.register_ids[:-1]
        return np.flatnonzero(begins)

    def take(self, which: Bools | Int64s) -> "Columns":
        """Return some of the rows."""
        return Columns(**{name: column[which] for name, column in vars(self).items()})


def sift(offer: Offer, registry: Registry, clock: Clock, numbers: Int64s | None = None) -> tuple[Columns, list[int]]:
    """Return the usual rows, and the places of the others.

    :param numbers: of the rows' registers in the registry, where the caller has looked them up.
    """
    numbers = _numbers(offer, registry) if numbers is None else numbers
    usual = numbers != ABSENT
    if not usual.any():
        return _none(), list(range(len(offer)))
    groups = registry.groups[numbers]
    usual &= registry.are_welcome()[groups] & (registry.removed[numbers] == UNKNOWN_TIME)
    times, stamps = _times(offer.timestamps, registry.zone_numbers()[groups], registry.zones, clock)
    usual &= (times != UNKNOWN_TIME) & (times <= registry.latest()[groups])
    values = _millionths(offer.values)
    usual &= (values >= 0) & (values <= registry.most()[groups])
    qualities = _qualities(offer.qualities, len(offer))
    usual &= qualities != _STRANGE
    if offer.units is not None:
        usual &= _fitting(offer.units, registry.units(), groups)
    places = np.arange(len(offer))
    columns = Columns(
        places, numbers, registry.register_ids[numbers], registry.are_dials()[groups], times, values, qualities, stamps
    )
    return columns.take(usual), places[~usual].tolist()


def _none() -> Columns:
    empty = np.zeros(0, dtype=np.int64)
    no = np.zeros(0, dtype=np.bool_)
    return Columns(empty, empty, empty, no, empty, empty, empty, np.zeros(0, dtype=object))


def _numbers(offer: Offer, registry: Registry) -> Int64s:
    """Return the number of each row's register, ABSENT where it names none."""
    serials, codes = offer.meter_ids, offer.register_codes
    if codes is None:
        codes = [USUAL_CODE] * len(serials)
    if set(map(type, serials)) | set(map(type, codes)) == {str}:
        return registry.numbers(cast("Iterable[tuple[str, str]]", zip(serials, codes, strict=True)))
    # No meter has an empty serial.
    return registry.numbers(
        (serial, code) if isinstance(serial, str) and isinstance(code, str) else ("", "")
        for serial, code in zip(serials, codes, strict=True)
    )


def _numbered(values: Sequence[object], types: frozenset[type]) -> tuple[Int64s, list[Any], Bools | None]:
    """Number the distinct values, and tell which rows hold one of other types than these: it counts as None."""
    strange = None
    if not set(map(type, values)) <= types | {type(None)}:
        strange = np.array([value is not None and type(value) not in types for value in values], dtype=np.bool_)
        values = [value if type(value) in types else None for value in values]
    distinct: list[Any] = list(dict.fromkeys(values))
    numbers = {value: number for number, value in enumerate(distinct)}
    found = np.fromiter(map(numbers.__getitem__, values), dtype=np.int64, count=len(values))
    return found, distinct, strange


def _times(
    timestamps: Sequence[object], zones: Int64s, known: list[ZoneInfo], clock: Clock
) -> tuple[Int64s, NDArray[np.object_]]:
    """Read each stamp once in each zone: µs since 2000, UNKNOWN_TIME where it names no mark, and stamps to keep."""
    numbers, distinct, _ = _numbered(timestamps, frozenset({str, datetime}))
    pairs, inverse = np.unique(numbers * len(known) + zones, return_inverse=True)
    times = np.full(pairs.size, UNKNOWN_TIME, dtype=np.int64)
    stamps = np.full(pairs.size, None, dtype=object)
    for place, pair in enumerate(pairs.tolist()):
        stamp, zone = distinct[pair // len(known)], known[pair % len(known)]
        if stamp is None:
            continue
        try:
            instant, stamps[place] = clock.read(stamp, zone)
        except DomainError:
            continue
        times[place] = micros(instant)
    return times[inverse], stamps[inverse]


def _millionths(values: Sequence[object]) -> Int64s:
    """Return plain numbers exactly, in millionths; _STRANGE for whatever else."""
    texts: list[str] = list(map(str, values))
    if are_plain(texts):
        # Fifteen digits are exact in a double, also as millionths.
        scaled: Int64s = np.rint(np.array(list(map(float, texts))) * _MILLION).astype(np.int64)
        return scaled
    found = np.full(len(texts), _STRANGE, dtype=np.int64)
    plain = [place for place, text in enumerate(texts) if is_plain(text)]
    found[plain] = np.rint(np.array([float(texts[place]) for place in plain]) * _MILLION).astype(np.int64)
    return found


def _qualities(qualities: Sequence[object] | None, size: int) -> Int64s:
    """Return qualities, validated where none is given, _STRANGE where there is no such quality."""
    if qualities is None:
        return np.full(size, int(Quality.VALIDATED), dtype=np.int64)
    numbers, distinct, strange = _numbered(qualities, frozenset({int, Quality}))
    known = [
        int(Quality.VALIDATED) if each is None else int(each) if each in QUALITIES else _STRANGE for each in distinct
    ]
    found = np.array(known, dtype=np.int64)[numbers]
    return found if strange is None else np.where(strange, _STRANGE, found)


def _fitting(units: Sequence[object], registered: Sequence[str], groups: Int64s) -> Bools:
    """Tell whether each row's unit, where it names one, is its register's."""
    numbers, distinct, strange = _numbered(units, frozenset({str, Register.Unit}))
    named = [
        [not each or each == unit or UNITS.get(str(each).casefold()) == unit for unit in registered]
        for each in distinct
    ]
    fits: Bools = np.array(named, dtype=np.bool_)[numbers, groups]
    return fits if strange is None else fits & ~strange
