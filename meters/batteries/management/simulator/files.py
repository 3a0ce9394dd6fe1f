"""What a simulated battery told, as the files of two kinds of logger: one signal each, or all of a system."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np

from meters.batteries.quantities import NAMES, System
from meters.batteries.simulation import Told

# Seconds between two values of a signal, as loggers of their kind write them.
RATES: Mapping[str, int] = {
    **dict.fromkeys(NAMES[System.BMS], 10),
    **dict.fromkeys(NAMES[System.PCS], 10),
    **dict.fromkeys(("voltage", "current", "apparent_power", "dc_current", "dc_voltage"), 1),
    **dict.fromkeys(("cell_avg_voltage", "cell_max_voltage", "cell_min_voltage", "cell_voltage_diff"), 5),
    **dict.fromkeys((name for name in NAMES[System.PCS] if name.startswith("ac_")), 2),
    **dict.fromkeys(("cell_avg_temp", "cell_temp_diff", "temp_environment", "temp_ambient"), 30),
    "soh": 600,
}


def write_signals(folder: Path, blocks: Iterable[Told], *, rates: Mapping[str, int]) -> Iterator[int]:
    """Write one file a signal, ``soc.csv`` and so on, each at its own rate; yields the rows of each block.

    :param rates: seconds between two values by published name; the blocks' steps are not longer than the shortest.
    """
    names = [name for system in System for name in NAMES[system]]
    headings: dict[str, Sequence[str]] = {name: ("timestamp", name) for name in names}
    with _opened(folder, headings) as files:
        for told in blocks:
            stamps, whole = _stamps(told), np.round(told.times).astype(np.int64)
            rows = 0
            for system in System:
                for name in NAMES[system]:
                    due = np.flatnonzero(whole % rates[name] == 0)
                    values = told.values[system][name][due].tolist()
                    _write(files[name], stamps[due].tolist(), [values])
                    rows += due.size
            yield rows


def write_wide(folder: Path, blocks: Iterable[Told]) -> Iterator[int]:
    """Write one file a system, ``bms.csv`` and ``pcs.csv``, with all signals side by side; yields each block's rows."""
    headings: dict[str, Sequence[str]] = {system.value: ("timestamp", *NAMES[system]) for system in System}
    with _opened(folder, headings) as files:
        for told in blocks:
            stamps = _stamps(told).tolist()
            for system in System:
                columns = [told.values[system][name].tolist() for name in NAMES[system]]
                _write(files[system.value], stamps, columns)
            yield len(System) * len(stamps)


@contextmanager
def _opened(folder: Path, headings: Mapping[str, Sequence[str]]) -> Iterator[Mapping[str, TextIO]]:
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"{name}.csv").open("w", encoding="utf-8")) for name in headings}
        for name, heading in headings.items():
            files[name].write(",".join(heading) + "\n")
        yield files


def _stamps(told: Told) -> np.ndarray:
    moments = np.round(told.times * 1_000).astype("datetime64[ms]")
    seconds = moments.astype("datetime64[s]")
    exact: np.ndarray = np.datetime_as_string(seconds if (seconds == moments).all() else moments, timezone="UTC")
    return exact


def _write(file: TextIO, stamps: list[str], columns: list[list[float]]) -> None:
    file.writelines(f"{stamp},{','.join(map(str, row))}\n" for stamp, *row in zip(stamps, *columns, strict=True))
