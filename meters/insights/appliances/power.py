"""Power of one plug as it came in, irregular and with gaps, laid on regular steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

STEP_SECONDS = 10
HOLD_SECONDS = 900.0
# Nothing that hangs on one plug draws more: a meter's slip, not a power.
_PLAUSIBLE_WATTS = 25_000.0


@dataclass(frozen=True, eq=False)
class Power:
    """Mean power by step from ``start`` (UTC seconds since 1970) on; NaN where it is not known.

    :param interval_seconds: the usual time between the samples that it was made from.
    """

    start: float
    step_seconds: int
    watts: Floats
    interval_seconds: float = STEP_SECONDS

    @property
    def end(self) -> float:
        """The instant at which the last step ends, UTC seconds."""
        return self.start + len(self.watts) * self.step_seconds

    @property
    def known_seconds(self) -> float:
        """How long the power is known."""
        return float(np.count_nonzero(np.isfinite(self.watts))) * self.step_seconds

    @property
    def kwh(self) -> float:
        """The energy of what is known."""
        return float(np.nansum(self.watts)) * self.step_seconds / 3.6e6

    def cut(self, begin: float, end: float) -> "Power":
        """Return the steps that lie wholly in [begin, end)."""
        first = max(int(np.ceil((begin - self.start) / self.step_seconds)), 0)
        after = max(int((end - self.start) // self.step_seconds), first)
        start = float(self.start + first * self.step_seconds)
        return Power(start, self.step_seconds, self.watts[first:after], self.interval_seconds)


def resample(
    times: Floats, watts: Floats, *, hold_seconds: float = HOLD_SECONDS, step_seconds: int = STEP_SECONDS
) -> Power:
    """Lay irregular samples on regular steps as time-weighted means, each value held until the next.

    A step is known when at least half of it is. Of samples of one instant the last given counts.

    :param times: (n,) UTC seconds since 1970, in any order, repeats allowed.
    :param watts: (n,); what is not finite or not plausible is dropped, a meter's small negative is zero.
    :param hold_seconds: how long a value holds when nothing follows.
    """
    usable = np.isfinite(times) & np.isfinite(watts) & (np.abs(watts) <= _PLAUSIBLE_WATTS)
    times, watts = times[usable], np.maximum(watts[usable], 0.0)
    if not len(times):
        return Power(0.0, step_seconds, np.empty(0))
    order = np.argsort(times, kind="stable")
    times, watts = times[order], watts[order]
    last = np.append(np.diff(times) > 0, True)
    times, watts = times[last], watts[last]
    gaps = np.diff(times)
    held = np.minimum(np.append(gaps, _usual(gaps, hold_seconds)), hold_seconds)
    start = np.floor(times[0] / step_seconds) * step_seconds
    edges = start + np.arange(int(np.ceil((times[-1] + held[-1] - start) / step_seconds)) + 1) * float(step_seconds)
    marks = np.column_stack((times, times + held)).ravel()
    seconds = np.diff(np.interp(edges, marks, _running(held)))
    joules = np.diff(np.interp(edges, marks, _running(held * watts)))
    known = seconds >= step_seconds / 2
    means = np.where(known, joules / np.where(known, seconds, 1.0), np.nan)
    return Power(float(start), step_seconds, means, _usual(gaps, STEP_SECONDS))


def joined(parts: Sequence[Power]) -> Power:
    """Lay several stretches on one line of steps; where they overlap, the later given one counts.

    :raises ValueError: no stretch is given, or their steps differ.
    """
    steps = {part.step_seconds for part in parts}
    if len(steps) != 1:
        raise ValueError("Stretches of one step are needed, at least one.")
    step = steps.pop()
    start, end = min(part.start for part in parts), max(part.end for part in parts)
    watts = np.full(round((end - start) / step), np.nan)
    for part in parts:
        first = round((part.start - start) / step)
        here = watts[first : first + len(part.watts)]
        here[...] = np.where(np.isfinite(part.watts), part.watts, here)
    return Power(start, step, watts, max(part.interval_seconds for part in parts))


def _usual(gaps: Floats, hold_seconds: float) -> float:
    return float(np.median(gaps)) if len(gaps) else hold_seconds


def _running(amounts: Floats) -> Floats:
    """Return sums at the beginning and the end of each sample's hold."""
    ends = np.cumsum(amounts)
    return np.column_stack((ends - amounts, ends)).ravel()
