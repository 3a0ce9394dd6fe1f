"""What the door has looked up of meters: kept in the process as long as nothing of them changes.

Head-ends send the same meters over and over. Whether anything has changed since is one row to read (see
``store.door.registry_revision``); a directory of another state is dropped whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

import numpy as np

from meters import store
from meters.store.door import FoundRegister, Int64s

ABSENT = -1
LONGEST_NAME = 64
_MOST_REGISTERS = 250_000
_LOG_KEPT = timedelta(days=1)


@dataclass
class Directory:
    """The registers of meters, numbered in the order in which they were looked up.

    :ivar numbers: by serial and code; a meter without registers has one by None.
    :ivar first: a number of each meter.
    :ivar lone_codes: by serial, the code of meters that have one register alone.
    :ivar traits: what many registers share, and the number of each.
    """

    revision: store.door.Revision
    numbers: dict[tuple[str, str | None], int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    lone_codes: dict[str, str] = field(default_factory=dict)
    traits: dict[str, int] = field(default_factory=dict)
    _size: int = 0
    _columns: Int64s = field(default_factory=lambda: np.zeros((3, 1024), dtype=np.int64))

    def missing(self, serials: Iterable[str]) -> list[str]:
        """Return the distinct serials that it does not hold and that a meter may have.

        PostgreSQL holds no NUL, and no lone surrogate reaches it.
        """
        unknown = dict.fromkeys(serial for serial in serials if serial not in self.first)
        return [serial for serial in unknown if 0 < len(serial) <= LONGEST_NAME and serial.isprintable()]

    def learn(self, rows: Sequence[FoundRegister]) -> None:
        """Take in what was found, but for what it holds."""
        added: list[tuple[int, int, int]] = []
        size = self._size
        for serial, code, register_id, traits, removed_at in rows:
            if (serial, code) in self.numbers:
                continue
            if serial not in self.first:
                self.first[serial] = size + len(added)
                if code is not None:
                    self.lone_codes[serial] = code
            else:
                self.lone_codes.pop(serial, None)
            self.numbers[serial, code] = size + len(added)
            added.append((register_id, self.traits.setdefault(traits, len(self.traits)), removed_at))
        if not added:
            return
        if len(self.numbers) > self._columns.shape[1]:
            grown = np.zeros((3, max(2 * self._columns.shape[1], len(self.numbers))), dtype=np.int64)
            grown[:, :size] = self._columns[:, :size]
            self._columns = grown
        self._columns[:, size : len(self.numbers)] = np.array(added, dtype=np.int64).T
        # Last, for those who read without the lock.
        self._size = len(self.numbers)

    def columns(self) -> tuple[Int64s, Int64s, Int64s]:
        """Return ids, numbers of traits, and when they were taken down (µs since 2000), by number."""
        ids, groups, removed = self._columns[:, : self._size]
        return ids, groups, removed


_lock = Lock()
_standing: dict[tuple[object, ...], Directory] = {}


def directory_of(serials: Iterable[str]) -> Directory:
    """Return a directory that holds what is known of meters now; other threads only ever add to it.

    One query where nothing has changed and no meter is new to it, else one or two more for those that are.
    """
    place = store.door.place()
    revision = store.door.registry_revision()
    with _lock:
        directory = _standing.get(place)
        if directory is None or directory.revision != revision or len(directory.numbers) > _MOST_REGISTERS:
            directory = _standing[place] = Directory(revision)
        missing = directory.missing(serials)
    if missing:
        found = store.door.find_registers(missing)
        with _lock:
            directory.learn(found)
    return directory


def forget_changes(*, now: datetime) -> int:
    """Shorten the log that tells whether anything has changed; return how many of its rows went."""
    return store.door.forget_registry_changes(now - _LOG_KEPT)
