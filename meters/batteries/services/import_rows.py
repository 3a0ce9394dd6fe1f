"""From staged files to aligned rows: span by span of time, no signal ever held whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy_portal.shared.errors import Invalid
from meters.batteries.alignment import Buckets, align, first_standing
from meters.batteries.quantities import SIGNALS, Signal, System
from meters.batteries.store.signal_files import DAY_US, SignalFiles, Staged, finite
from meters.batteries.tallies import SignalTally

MOST_SPAN_ROWS = 500_000
_MOST_SPAN_BUCKETS = 50_000


class TooDense(Invalid):
    """A file has more rows in one bucket than can be held at once."""

    code = "too_dense"


@dataclass(frozen=True, slots=True)
class Source:
    """A staged file and the signals of one system that it holds."""

    staged: Staged
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlignedRows:
    """Rows of one span, ascending.

    :ivar times: the buckets' starts, µs since 2000.
    :ivar values: by stored column; those in which nothing stands are left out.
    :ivar until: before this, everything is aligned.
    """

    times: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]
    until: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be aligned, and how.

    :ivar tolerances: µs by published name.
    :ivar low, high: between these, µs since 2000, on edges of buckets.
    """

    system: System
    sources: Sequence[Source]
    every: int
    tolerances: Mapping[str, int]
    low: int
    high: int
    most_rows: int = MOST_SPAN_ROWS


def aligned_rows(files: SignalFiles, plan: Plan, tallies: Mapping[str, SignalTally]) -> Iterator[AlignedRows]:
    """Yield the rows of a plan, a span of time after the other; rows in which nothing stands are left out.

    What was seen of each signal is added to its tally.

    :raises TooDense: a file has more than ``most_rows`` rows in one bucket.
    """
    signals = {signal.name: signal for signal in SIGNALS[plan.system]}
    for low, high in _spans(files, plan):
        buckets = Buckets(low, plan.every, (high - low) // plan.every)
        columns: dict[str, NDArray[np.float64]] = {}
        stands = np.zeros(buckets.count, dtype=np.bool_)
        for name, times, values in _told(files, plan, low, high):
            stood = _aligned(signals[name], times, values, buckets, plan.tolerances[name], tallies[name])
            if (is_told := ~np.isnan(stood)).any():
                columns[signals[name].column] = stood
                stands |= is_told
        yield AlignedRows(buckets.starts[stands], {name: held[stands] for name, held in columns.items()}, high)


def _aligned(
    signal: Signal,
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    buckets: Buckets,
    tolerance: int,
    tally: SignalTally,
) -> NDArray[np.float64]:
    came = int(np.count_nonzero(np.isfinite(values) & (times >= buckets.start)))
    times, values = first_standing(times, values)
    inside = times[np.searchsorted(times, buckets.start) :]
    tally.add(inside, repeats=came - inside.size)
    stood = align(signal, times, values, buckets, tolerance=tolerance)
    tally.add_ages(stood.ages)
    return stood.values


def _told(
    files: SignalFiles, plan: Plan, low: int, high: int
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.float64]]]:
    """Yield each signal's stamps and values of a span, and of a tolerance before it, in the order of its files."""
    counts: dict[str, int] = {}
    for source in plan.sources:
        for name in source.names:
            counts[name] = counts.get(name, 0) + 1
    for source in plan.sources:
        alone = [name for name in source.names if counts[name] == 1]
        if alone:
            span = _read(files, source, alone, low - max(plan.tolerances[name] for name in alone), high)
            yield from ((name, span["t"], finite(span[name])) for name in alone)
    for name in (name for name, count in counts.items() if count > 1):
        parts = [
            _read(files, source, [name], low - plan.tolerances[name], high)
            for source in plan.sources
            if name in source.names
        ]
        yield (
            name,
            np.concatenate([part["t"] for part in parts]),
            np.concatenate([finite(part[name]) for part in parts]),
        )


def _read(files: SignalFiles, source: Source, names: list[str], low: int, high: int) -> dict[str, NDArray[Any]]:
    if source.staged.last < low or source.staged.first >= high:
        return {"t": np.zeros(0, dtype=np.int64), **{name: np.zeros(0) for name in names}}
    return files.span(source.staged, names, low, high)


def _spans(files: SignalFiles, plan: Plan) -> Iterator[tuple[int, int]]:
    """Yield spans of whole buckets, ascending, that cover all that is told and hold no more than there is room for."""
    longest = max(plan.tolerances[name] for source in plan.sources for name in source.names)
    for first, behind in _runs(plan):
        low, high = max(first * DAY_US, plan.low), behind * DAY_US
        # What was told last stands into a day in which nothing is.
        high = min(high + -(-longest // plan.every) * plan.every, plan.high)
        if low < high:
            yield from _split(files, plan, low, high)


def _runs(plan: Plan) -> Iterator[tuple[int, int]]:
    """Yield runs of neighbouring days in which something is told, as [first, behind)."""
    days = sorted({day for source in plan.sources for day in source.staged.days})
    wanted = [day for day in days if plan.low - DAY_US < day * DAY_US < plan.high]
    runs: list[list[int]] = []
    for day in wanted:
        if runs and runs[-1][1] == day:
            runs[-1][1] = day + 1
        else:
            runs.append([day, day + 1])
    yield from ((first, behind) for first, behind in runs)


def _split(files: SignalFiles, plan: Plan, low: int, high: int) -> Iterator[tuple[int, int]]:
    at = low
    while at < high:
        end = min(at + _MOST_SPAN_BUCKETS * plan.every, high)
        while _is_too_many(files, plan, at, end):
            if end - at <= plan.every:
                raise TooDense(f"A file has more than {plan.most_rows:,} rows in {plan.every / 1e6:g} s.")
            end = at + max((end - at) // plan.every // 2, 1) * plan.every
        yield at, end
        at = end


def _is_too_many(files: SignalFiles, plan: Plan, low: int, high: int) -> bool:
    return any(_rows_within(files, source.staged, plan, low, high) > plan.most_rows for source in plan.sources)


def _rows_within(files: SignalFiles, staged: Staged, plan: Plan, low: int, high: int) -> int:
    at_most = sum(staged.days.get(day, 0) for day in range(low // DAY_US, -(-high // DAY_US)))
    return at_most if at_most <= plan.most_rows else files.count(staged, low, high)
