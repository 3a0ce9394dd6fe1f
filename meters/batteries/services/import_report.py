"""What an import tells of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from meters.batteries.conventions import EPOCH
from meters.batteries.models import BatteryImport
from meters.batteries.quantities import System
from meters.batteries.services.import_files import Taken
from meters.batteries.tallies import SignalTally

_SECOND_US = 1_000_000


@dataclass(frozen=True)
class SystemReport:
    """What became of one system's signals.

    :ivar aligned: rows that were made of them; each is stored, a duplicate, or in conflict with what stood.
    :ivar signals: by published name: values, repeats, gaps, ages, first and last; of what is after ``resumed_from``.
    :ivar was_done: whether the same files were done before, and nothing was left to do.
    """

    aligned: int
    stored: int
    duplicates: int
    conflicts: int
    first: str | None
    last: str | None
    too_old: int
    in_future: int
    resumed_from: str | None
    signals: dict[str, dict[str, Any]] = field(default_factory=dict)
    was_done: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)


@dataclass(frozen=True)
class ImportReport:
    """What became of some files.

    :ivar files: a file each: name, checksum, lines, bad ones with their numbers and reasons, order of its clock.
    :ivar left_out: why files, or columns of them, were not taken, by file.
    """

    battery_id: str
    every_seconds: int
    files: list[dict[str, Any]]
    left_out: dict[str, str]
    systems: dict[str, SystemReport]

    @property
    def is_whole(self) -> bool:
        """Tell whether every line was taken, and nothing contradicts what stood."""
        return not any(file["bad_lines"] for file in self.files) and not any(
            system.conflicts for system in self.systems.values()
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)


def told_of_file(taken: Taken) -> dict[str, Any]:
    """Return what is told of a file."""
    staged = taken.staged
    return {
        "name": taken.file.given.name,
        "sha256": taken.file.print.sha256,
        "size_bytes": taken.file.print.size,
        "lines": taken.file.print.lines,
        "rows": staged.rows,
        "signals": [column.name for column in taken.file.layout.columns],
        "first": _stamp(staged.first) if staged.rows else None,
        "last": _stamp(staged.last) if staged.rows else None,
        "steps_back": staged.steps_back,
        "farthest_step_back_seconds": staged.farthest_back / _SECOND_US,
        "bad_lines": taken.bad,
        "bad": [{"line": each.line, "reason": each.reason, "text": each.text} for each in taken.bad_lines],
    }


def told_of_system(
    run: BatteryImport,
    taken: Sequence[Taken],
    tallies: Mapping[str, SignalTally],
    *,
    resumed_from: datetime | None,
    ceiling: int,
) -> SystemReport:
    """Return what is told of a system's signals.

    Each signal's ``clock_offset_seconds`` is by how much its first stamp is behind the median of all of them.

    :param ceiling: stamps after it are in the future, µs since 2000.
    """
    system = System(run.system)
    files = [each.staged for each in taken if each.source(system)]
    firsts = [tally.first for tally in tallies.values() if tally.first is not None]
    lasts = [tally.last for tally in tallies.values() if tally.last is not None]
    middle = median(firsts) if firsts else 0
    signals = {
        name: {
            **tally.told(),
            "first": None if tally.first is None else _stamp(tally.first),
            "last": None if tally.last is None else _stamp(tally.last),
            "clock_offset_seconds": None if tally.first is None else (tally.first - middle) / _SECOND_US,
            "listed_gaps": [[_stamp(low), _stamp(high)] for low, high in tally.gaps],
        }
        for name, tally in tallies.items()
    }
    return SystemReport(
        aligned=run.stored + run.duplicates + run.conflicts,
        stored=run.stored,
        duplicates=run.duplicates,
        conflicts=run.conflicts,
        first=_stamp(min(firsts)) if firsts else None,
        last=_stamp(max(lasts)) if lasts else None,
        too_old=sum(file.outside(0, ceiling)[0] for file in files),
        in_future=sum(file.outside(0, ceiling)[1] for file in files),
        resumed_from=resumed_from.isoformat() if resumed_from else None,
        signals=signals,
    )


def _stamp(us: int) -> str:
    try:
        return (EPOCH + timedelta(microseconds=us)).isoformat()
    except OverflowError:
        return f"{us} µs since 2000"
