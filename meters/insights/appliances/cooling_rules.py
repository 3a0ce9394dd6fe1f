"""The faults of refrigerators and freezers, each told from a compressor's cycles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from meters.insights.appliances.cases import NotEnough
from meters.insights.appliances.cooling import DUTY_HOURS, START_HOURS, Cycles
from meters.insights.appliances.findings import ADVICE, CRITICAL, INFO, WARNING, Finding, chart_of
from meters.insights.appliances.kinds import HOUR, MINUTE, Bounds, Fault
from meters.insights.appliances.runs import Run
from meters.insights.appliances.usual import Learnt, Usual, hours_of
from meters.insights.appliances.windows import onset, trail_of

_ADVICE = ADVICE["cooling"]
# A silence this short cannot hide a pause of the compressor; nor can one shorter than its shortest, by this share.
_BRIDGED_SECONDS, _BRIDGED_SHARE = 10 * MINUTE, 0.8
# How far a share of time may rise over its median, by the hours of the window: short ones hold an evening's use only.
_DUTY_RISE: Mapping[int, float] = {6: 1.8, 12: 1.5, 23: 1.28}
# Where single runs have grown longer too, less of a day's share is enough.
_LONG_RUNS, _DUTY_RISE_OF_LONG_RUNS = 1.25, 1.15
_LEAST_DUTY_RISE = 0.04
_MOST_DUTY = 0.97
_STARTS_RISE = 1.9
_LEVEL_RISE, _LEVEL_FALL, _LEVEL_RUNS = 0.15, 0.2, 4


@dataclass(frozen=True)
class Case:
    """What a rule looks at."""

    cycles: Cycles
    learnt: Learnt
    bounds: Bounds

    def need(self, name: str) -> Usual:
        """Return what is usual of a quantity.

        :raises NotEnough: it is not known.
        """
        usual = self.learnt.get(name)
        if usual is None:
            raise NotEnough(self.learnt.missing or "It is not known what is usual of this appliance.")
        return usual

    @property
    def level_watts(self) -> float | None:
        """What the compressor usually draws over idling."""
        usual = self.learnt.get("level_w")
        return usual.median if usual else None


def stuck_limit(case: Case) -> float:
    """Return after how many seconds without a break a compressor does not switch off any more."""
    most = case.bounds.stuck_seconds or 2 * HOUR
    usual = case.learnt.get("on_seconds")
    if usual is None:
        return most
    return min(max(HOUR, 3 * usual.median, 1.5 * usual.high), max(most, 1.25 * usual.high))


def stuck_on(case: Case) -> Finding | None:
    """Find a compressor that runs and does not stop."""
    limit = stuck_limit(case)
    rest = case.learnt.get("off_seconds")
    bridged = max(_BRIDGED_SECONDS, _BRIDGED_SHARE * rest.low) if rest else _BRIDGED_SECONDS
    begin = _unbroken_since(case.cycles, bridged)
    if begin is None or case.cycles.power.end - begin < limit:
        return None
    power, usual = case.cycles.power, case.learnt.get("on_seconds")
    lasted = power.end - begin
    drawn = float(np.nanmean(power.cut(begin, power.end).watts))
    kwh = case.learnt.get("kwh_a_day")
    usually = f"; it usually runs {usual.median / MINUTE:.0f} minutes at a time" if usual else ""
    return Finding(
        Fault.STUCK_ON,
        CRITICAL if lasted > 6 * HOUR else WARNING,
        begin,
        begin + limit,
        f"The compressor has been running for {lasted / HOUR:.1f} hours without a break{usually}. The thermostat "
        "or relay does not switch off, the door is open, or it cannot get cold any more.",
        _ADVICE[Fault.STUCK_ON],
        {
            "running_hours": hours_of(lasted),
            "limit_hours": hours_of(limit),
            "usual_run_minutes": round(usual.median / MINUTE, 1) if usual else None,
            "power_w": round(drawn, 1),
        },
        chart_of(power, begin, power.end, threshold_w=case.cycles.threshold_watts),
        round(drawn * 0.024 - kwh.median, 3) if kwh else None,
    )


def dead_limit(case: Case) -> float:
    """Return after how many seconds of rest a compressor does not start any more."""
    most = case.bounds.dead_seconds or 6 * HOUR
    usual = case.learnt.get("off_seconds")
    if usual is None:
        return most
    return max(min(max(3 * HOUR, 4 * usual.median, 3 * usual.high), most), 1.5 * usual.high)


def dead(case: Case) -> Finding | None:
    """Find a compressor that does not start any more."""
    cycles, limit = case.cycles, dead_limit(case)
    ran = [run for run in cycles.runs if run.is_on]
    first = ran[-1].after if ran else 0
    resting = cycles.running[first:]
    known = np.isfinite(resting)
    step = cycles.power.step_seconds
    rested = float(np.count_nonzero(known)) * step
    if rested < limit or (len(known) and np.count_nonzero(known) < 0.75 * len(known)):
        return None
    begin = cycles.power.start + first * step
    reached = int(np.searchsorted(np.cumsum(known) * step, limit)) + 1
    usual = case.learnt.get("off_seconds")
    usually = f"; it usually rests {usual.median / MINUTE:.0f} minutes" if usual else ""
    drawn = float(np.nanmean(cycles.power.watts[first:]))
    return Finding(
        Fault.DEAD,
        CRITICAL,
        begin,
        min(begin + reached * step, cycles.power.end),
        f"The compressor has not started for {rested / HOUR:.1f} hours{usually}. It has no power, was switched "
        "off, or its starter, thermostat or compressor is broken.",
        _ADVICE[Fault.DEAD],
        {
            "resting_hours": hours_of(rested),
            "limit_hours": hours_of(limit),
            "usual_rest_minutes": round(usual.median / MINUTE, 1) if usual else None,
            "power_w": round(drawn, 1),
        },
        chart_of(cycles.power, begin, cycles.power.end, threshold_w=cycles.threshold_watts),
    )


def short_cycling(case: Case) -> Finding | None:
    """Find a compressor that starts too often."""
    usual = case.learnt.get("starts_an_hour")
    limit = case.bounds.starts_an_hour or 5.0
    if usual is not None:
        limit = max(_STARTS_RISE * usual.median, 1.25 * usual.high) + case.learnt.slack
    cycles = case.cycles
    trail = trail_of(cycles.power, cycles.starts, START_HOURS)
    end = trail.alarmed(limit)
    if end is None:
        return None
    middle = (usual.median + limit) / 2 if usual else limit / 2
    begin = _instant(cycles, onset(cycles.starts, middle, max(end - 2 * trail.steps, 0), end))
    now = float(trail.means[-1])
    usually = f" instead of {usual.median:.1f}" if usual else ""
    return Finding(
        Fault.SHORT_CYCLING,
        WARNING,
        begin,
        _instant(cycles, end),
        f"The compressor started {now:.1f} times an hour{usually} over the last {START_HOURS} hours. Thermostat, "
        "starter or overload protector cut it short, or it runs hot.",
        _ADVICE[Fault.SHORT_CYCLING],
        {
            "starts_an_hour": round(now, 2),
            "usual_starts_an_hour": usual.median if usual else None,
            "limit_starts_an_hour": round(limit, 2),
        },
        chart_of(cycles.power, _instant(cycles, max(end - trail.steps, 0)), cycles.power.end),
        _above_usual(case, trail.steps),
    )


def power_drift(case: Case) -> Finding | None:
    """Find a compressor that draws more, or less, than it used to.

    :raises NotEnough: its usual power is not known.
    """
    usual = case.need("level_w")
    upper = usual.median + max(_LEVEL_RISE * usual.median, 6 * usual.spread, 5.0)
    lower = usual.median - max(_LEVEL_FALL * usual.median, 6 * usual.spread, 5.0)
    runs = case.cycles.long_runs
    if len(runs) < _LEVEL_RUNS:
        return None
    levels = np.array([case.cycles.level_of(run) for run in runs])
    medians = np.array([np.median(levels[i - _LEVEL_RUNS : i]) for i in range(_LEVEL_RUNS, len(levels) + 1)])
    is_up = bool(medians[-1] > upper)
    if not is_up and medians[-1] >= lower:
        return None
    beyond, strayed = (medians > upper, levels > upper) if is_up else (medians < lower, levels < lower)
    place = int(np.flatnonzero(~beyond)[-1]) + 1 if not beyond.all() else 0
    found = runs[place + _LEVEL_RUNS - 1]
    begun = next(i for i in range(place, place + _LEVEL_RUNS) if strayed[i])
    now = float(medians[-1])
    duty = case.need("duty").median
    return Finding(
        Fault.POWER_DRIFT,
        WARNING if abs(now / usual.median - 1) > 0.25 else INFO,
        runs[begun].begin,
        found.end,
        f"The compressor draws {now:.0f} W instead of {usual.median:.0f} W ({now / usual.median - 1:+.0%}). "
        + (
            "The condenser is dirty or badly aired, a fan stands still, or the compressor wears out."
            if is_up
            else "It may have lost refrigerant, or part of it does not run any more."
        ),
        _ADVICE[Fault.POWER_DRIFT],
        {"power_w": round(now, 1), "usual_w": usual.median, "upper_w": round(upper, 1), "lower_w": round(lower, 1)},
        chart_of(
            case.cycles.power, runs[begun].begin, case.cycles.power.end, usual_w=usual.median + case.cycles.idle_watts
        ),
        round((now - usual.median) * duty * 0.024, 3) if is_up else None,
    )


def seal_leak(case: Case) -> Finding | None:
    """Find a compressor that runs a greater share of the time at the same power."""
    cycles = case.cycles
    for hours in DUTY_HOURS:
        limit, usual = _duty_limit(case, hours)
        if limit is None:
            continue
        trail = trail_of(cycles.power, cycles.running, hours, needed=0.8)
        end = trail.alarmed(limit)
        if end is None:
            continue
        middle = (usual + limit) / 2 if usual is not None else limit
        begin = _instant(cycles, onset(cycles.running, middle, max(end - 2 * trail.steps, 0), end))
        return _leak(case, begin, end, hours, (float(trail.means[-1]), usual, limit))
    return None


def _leak(case: Case, begin: float, end: int, hours: int, duty: tuple[float, float | None, float]) -> Finding:
    now, usual, limit = duty
    lengths = [run.seconds / MINUTE for run in case.cycles.runs if run.is_on and run.is_whole and run.begin >= begin]
    usual_on, level = case.learnt.get("on_seconds"), case.level_watts
    usually = f" instead of {usual:.0%}" if usual is not None else ""
    return Finding(
        Fault.SEAL_LEAK,
        WARNING,
        begin,
        _instant(case.cycles, end),
        f"The compressor ran {now:.0%} of the last {hours} hours{usually}, at its usual power. Warmth gets in: the "
        "door's seal leaks or the door does not close, it is iced up, or the thermostat is set colder.",
        _ADVICE[Fault.SEAL_LEAK],
        {
            "duty": round(now, 3),
            "usual_duty": round(usual, 3) if usual is not None else None,
            "limit_duty": round(limit, 3),
            "window_hours": hours,
            "run_minutes": round(float(np.median(lengths)), 1) if lengths else None,
            "usual_run_minutes": round(usual_on.median / MINUTE, 1) if usual_on else None,
        },
        chart_of(case.cycles.power, begin, case.cycles.power.end, threshold_w=case.cycles.threshold_watts),
        round((now - usual) * level * 0.024, 3) if usual is not None and level is not None else None,
    )


def _duty_limit(case: Case, hours: int) -> tuple[float | None, float | None]:
    """Return the limit of the share of a window, and the usual share; None where a window cannot be judged."""
    longest = case.learnt.get("duty")
    if longest is None:
        return (case.bounds.duty, None) if hours == DUTY_HOURS[-1] else (None, None)
    usual = case.learnt.get(f"duty_{hours}h") or longest
    rise = _DUTY_RISE[hours] + case.learnt.slack
    if hours == DUTY_HOURS[-1] and _has_long_runs(case, hours):
        rise = _DUTY_RISE_OF_LONG_RUNS + case.learnt.slack
    limit = max(usual.median * rise, usual.median + _LEAST_DUTY_RISE, usual.high * (1 + (rise - 1) / 4))
    return min(limit, _MOST_DUTY), usual.median


def _has_long_runs(case: Case, hours: int) -> bool:
    """Return whether single runs of the last hours were longer than usual."""
    usual, since = case.learnt.get("on_seconds"), case.cycles.power.end - hours * HOUR
    lengths = [run.seconds for run in case.cycles.long_runs if run.is_whole and run.begin >= since]
    return usual is not None and len(lengths) >= 6 and float(np.median(lengths)) > _LONG_RUNS * usual.median


def _unbroken_since(cycles: Cycles, bridged: float) -> float | None:
    """Return since when it runs, over silences too short to hide a pause; None when it does not run now."""
    begin: float | None = None
    following: Run | None = None
    for run in reversed(cycles.runs):
        if not run.is_on:
            break
        if following is not None and following.begin - run.end > bridged:
            break
        begin, following = run.begin, run
    if not cycles.runs or cycles.power.end - cycles.runs[-1].end > bridged:
        return None
    return begin


def _above_usual(case: Case, steps: int) -> float | None:
    usual = case.learnt.get("kwh_a_day")
    now = float(np.nanmean(case.cycles.power.watts[-steps:])) * 0.024
    return round(now - usual.median, 3) if usual is not None and now > usual.median else None


def _instant(cycles: Cycles, step: int) -> float:
    return cycles.power.start + step * cycles.power.step_seconds


RULES: Mapping[Fault, Callable[[Case], Finding | None]] = {
    Fault.STUCK_ON: stuck_on,
    Fault.DEAD: dead,
    Fault.SHORT_CYCLING: short_cycling,
    Fault.POWER_DRIFT: power_drift,
    Fault.SEAL_LEAK: seal_leak,
}
# Which faults explain which others, so that one cause makes one finding.
EXPLAINS: Mapping[Fault, tuple[Fault, ...]] = {
    Fault.STUCK_ON: (Fault.SEAL_LEAK, Fault.POWER_DRIFT),
    Fault.SHORT_CYCLING: (Fault.SEAL_LEAK, Fault.POWER_DRIFT),
    Fault.STANDBY_CREEP: (Fault.POWER_DRIFT,),
}
