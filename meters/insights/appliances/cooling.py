"""Refrigerators and freezers: a compressor that runs in cycles by itself, and what goes wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meters.insights.appliances.kinds import HOUR, MINUTE, Bounds
from meters.insights.appliances.power import Floats, Power
from meters.insights.appliances.runs import Run, level_of, runs_of
from meters.insights.appliances.usual import Usual
from meters.insights.appliances.windows import trail_of

DUTY_HOURS = (6, 12, 23)
START_HOURS = 5
_SHORTEST_LEVEL_SECONDS = 3 * MINUTE
_LEAST_HOURS, _LEAST_CYCLES = 10.0, 6
# Where a compressor was never seen, this is what counts as one that runs.
_RUNNING_WATTS = 30.0
_SURELY_REST_WATTS = 12.0


@dataclass(frozen=True, eq=False)
class Cycles:
    """The power of a compressor, cut into runs and pauses.

    :param running: 1 where it runs, 0 where not, NaN where unknown; one a step.
    :param starts: how often it started in a step, an hour; NaN where unknown.
    """

    power: Power
    idle_watts: float
    threshold_watts: float
    runs: tuple[Run, ...]
    running: Floats
    starts: Floats

    def level_of(self, run: Run) -> float:
        """Return what the compressor draws in a run over idling, without the surge of its start."""
        settled = self.power.watts[run.first : run.after]
        skipped = min(round(MINUTE / self.power.step_seconds), len(settled) // 2)
        return float(np.nanmedian(settled[skipped:])) - self.idle_watts

    @property
    def long_runs(self) -> list[Run]:
        """The runs that are long enough to tell the compressor's power."""
        return [run for run in self.runs if run.is_on and run.seconds >= _SHORTEST_LEVEL_SECONDS]


def cycles_of(power: Power, *, idle_watts: float | None = None, level_watts: float | None = None) -> Cycles:
    """Cut power into a compressor's runs and pauses.

    :param idle_watts: what it draws at rest, if that is known.
    :param level_watts: what it draws over that when it runs, if that is known.
    """
    idle = _idle_of(power.watts) if idle_watts is None else idle_watts
    level = level_watts
    if level is None:
        seen = level_of(power.watts, idle)
        level = seen - idle if seen is not None else 2 * _RUNNING_WATTS
    threshold = idle + max(level / 2, 10.0)
    runs = tuple(runs_of(power, threshold))
    running, starts = np.full(len(power.watts), np.nan), np.full(len(power.watts), np.nan)
    for run in runs:
        running[run.first : run.after] = float(run.is_on)
        starts[run.first : run.after] = 0.0
        if run.is_on and run.has_begun:
            starts[run.first] = HOUR / power.step_seconds
    return Cycles(power, idle, threshold, runs, running, starts)


def learn_cycles(days: Sequence[Power], bounds: Bounds) -> tuple[dict[str, Usual], str]:
    """Return what is usual of a compressor, and in plain words what is missing to know it."""
    watts = np.concatenate([day.watts for day in days]) if days else np.empty(0)
    idle, level = _idle_of(watts), None
    if len(watts):
        level = level_of(watts, idle)
    hours = sum(day.known_seconds for day in days) / HOUR
    if hours < _LEAST_HOURS:
        return {}, f"{hours:.1f} hours are known, {_LEAST_HOURS:.0f} are needed."
    cut = [cycles_of(day, idle_watts=idle, level_watts=level - idle) for day in days] if level is not None else []
    if not any(cycles.long_runs for cycles in cut):
        return {}, "The compressor was never seen running."
    usuals = _usuals_of(cut)
    count = usuals["on_seconds"].count if "on_seconds" in usuals else 0
    if count < _LEAST_CYCLES:
        return {}, f"{count} whole cycles were seen, {_LEAST_CYCLES} are needed."
    if bounds.duty is not None and usuals["duty"].median > bounds.duty:
        return {}, "It ran nearly all the time, so that it cannot be told what is usual."
    return usuals, ""


def _usuals_of(cut: Sequence[Cycles]) -> dict[str, Usual]:
    samples: dict[str, list[float]] = {
        "on_seconds": [run.seconds for cycles in cut for run in cycles.runs if run.is_on and run.is_whole],
        "off_seconds": [run.seconds for cycles in cut for run in cycles.runs if not run.is_on and run.is_whole],
        "level_w": [cycles.level_of(run) for cycles in cut for run in cycles.long_runs],
        "idle_w": np.concatenate([cycles.power.watts[cycles.running == 0] for cycles in cut]).tolist(),
        "duty": [float(np.nanmean(cycles.running)) for cycles in cut if np.isfinite(cycles.running).any()],
        "starts_an_hour": [
            mean for cycles in cut for mean in trail_of(cycles.power, cycles.starts, START_HOURS).means.tolist()
        ],
    }
    for hours in DUTY_HOURS:
        samples[f"duty_{hours}h"] = [
            mean for cycles in cut for mean in trail_of(cycles.power, cycles.running, hours).means.tolist()
        ]
    return {name: usual for name, values in samples.items() if (usual := Usual.of(values)) is not None}


def _idle_of(watts: Floats) -> float:
    """Return what is drawn at rest: the tenth percentile, unless hardly more is ever drawn, so that it runs."""
    known = watts[np.isfinite(watts)]
    if not len(known):
        return 0.0
    low, high = np.percentile(known, (10, 95)).tolist()
    return float(low) if low < max(_SURELY_REST_WATTS, high / 2) else 0.0
