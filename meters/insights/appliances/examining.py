"""Learning what is usual of an appliance, and telling what is wrong with it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from meters.insights.appliances import cooling_rules, use_rules
from meters.insights.appliances.cases import NotEnough
from meters.insights.appliances.cooling import cycles_of, learn_cycles
from meters.insights.appliances.cooling_rules import Case
from meters.insights.appliances.findings import ADVICE, WARNING, Examination, Finding, chart_of
from meters.insights.appliances.kinds import HOUR, Bounds, Fault, Nature, bounds_of
from meters.insights.appliances.power import Floats, Power
from meters.insights.appliances.use_rules import UseCase
from meters.insights.appliances.uses import at_rest, idle_of, learn_uses, uses_of
from meters.insights.appliances.usual import Learnt, Usual
from meters.insights.appliances.windows import onset, trail_of

_BY_HAND = "It only runs when somebody starts it."
_NO_PHASES = "It has no programme with phases of its own."
_NO_CYCLES = "It does not run in cycles by itself."
_NOT_JUDGED: Mapping[Nature, Mapping[Fault, str]] = {
    Nature.COOLING: {Fault.NO_HEATING: _NO_PHASES, Fault.NO_PUMPING: _NO_PHASES},
    Nature.PROGRAMME: {Fault.DEAD: _BY_HAND, Fault.SHORT_CYCLING: _NO_CYCLES, Fault.SEAL_LEAK: _NO_CYCLES},
    Nature.HEATING: {
        Fault.DEAD: _BY_HAND,
        Fault.SHORT_CYCLING: _NO_CYCLES,
        Fault.SEAL_LEAK: _NO_CYCLES,
        Fault.NO_HEATING: _NO_PHASES,
        Fault.NO_PUMPING: _NO_PHASES,
    },
    Nature.UNKNOWN: {
        fault: "Nothing is known of appliances of this kind." for fault in Fault if fault != Fault.STANDBY_CREEP
    },
}
_STANDBY_HOURS, _STANDBY_NEEDED, _STANDBY_SHARE = 3.0, 0.2, 0.6
_STANDBY_RISE_WATTS = 5.0
_LEAST_SEEN_HOURS = 1.0
_SILENT_HOURS = 2.0
_COARSEST_SECONDS = 60


def learn(kind: str, days: Sequence[Power]) -> Learnt:
    """Learn what is usual of an appliance from stretches of healthy days.

    :param days: stretches in order of time, best of whole days.
    """
    days = [day for day in days if len(day.watts)]
    bounds = bounds_of(kind)
    if bounds.nature is Nature.COOLING:
        usuals, missing = learn_cycles(days, bounds)
    elif bounds.nature is Nature.UNKNOWN:
        usuals, missing = _learn_idle(days)
    else:
        usuals, missing = learn_uses(days, bounds.nature)
    seconds = sum(day.known_seconds for day in days)
    if usuals:
        a_day = Usual.of([sum(day.kwh for day in days) / seconds * 24 * HOUR])
        usuals |= {"kwh_a_day": a_day} if a_day else {}
    return Learnt(
        kind,
        round(seconds / HOUR, 2),
        days[0].start if days else None,
        days[-1].end if days else None,
        missing,
        usuals,
    )


def diagnose(kind: str, learnt: Learnt, recent: Power, *, now: float) -> list[Finding]:
    """Return what is wrong with an appliance now.

    :param learnt: what is usual of it; where too little is known, bounds of its kind are used instead.
    :param recent: its power of up to the last two or three days.
    :param now: UTC seconds; nothing at or after it is looked at.
    """
    return list(examine(kind, learnt, recent, now=now).findings)


def examine(kind: str, learnt: Learnt, recent: Power, *, now: float) -> Examination:
    """Return what is wrong with an appliance now, and which kinds of faults could be judged at all."""
    bounds, power = bounds_of(kind), recent.cut(recent.start, now)
    reasons: dict[str, str] = {fault.value: why for fault, why in _NOT_JUDGED[bounds.nature].items()}
    unfit = _unfit(power, now)
    if unfit:
        return Examination((), (), {fault.value: reasons.get(fault.value, unfit) for fault in Fault})
    findings: dict[Fault, Finding] = {}
    judged: list[str] = []
    for fault, rule in _rules(bounds, learnt, power).items():
        try:
            found = rule()
        except NotEnough as why:
            reasons[fault.value] = str(why)
            continue
        judged.append(fault.value)
        if found is not None:
            findings[fault] = found
    return Examination(tuple(_told(findings)), tuple(judged), reasons)


def _rules(bounds: Bounds, learnt: Learnt, power: Power) -> dict[Fault, Callable[[], Finding | None]]:
    idle = learnt.get("idle_w")
    if bounds.nature is Nature.COOLING:
        level = learnt.get("level_w")
        cycles = cycles_of(power, idle_watts=idle.median if idle else None, level_watts=level.median if level else None)
        case = Case(cycles, learnt, bounds)
        quiet = np.where(cycles.running == 0, power.watts, np.nan)
        rules = {fault: _of(rule, case) for fault, rule in cooling_rules.RULES.items()}
    elif bounds.nature is Nature.UNKNOWN:
        rules, quiet = {}, power.watts
    else:
        # What has grown at rest must not look like one long use.
        resting = max(idle.median if idle else 0.0, idle_of(power.watts))
        of_uses = UseCase(power, resting, tuple(uses_of(power, bounds.nature, resting)), learnt, bounds)
        table = use_rules.PROGRAMME_RULES if bounds.nature is Nature.PROGRAMME else use_rules.HEATING_RULES
        rules = {fault: _of_use(rule, of_uses) for fault, rule in table.items()}
        quiet = at_rest(power, idle.median if idle else resting)
    return {**rules, Fault.STANDBY_CREEP: lambda: _standby_creep(bounds, learnt, power, quiet)}


def _of(rule: Callable[[Case], Finding | None], case: Case) -> Callable[[], Finding | None]:
    return lambda: rule(case)


def _of_use(rule: Callable[[UseCase], Finding | None], case: UseCase) -> Callable[[], Finding | None]:
    return lambda: rule(case)


def _standby_creep(bounds: Bounds, learnt: Learnt, power: Power, quiet: Floats) -> Finding | None:
    """Find an appliance that draws more at rest than it used to.

    :param quiet: its power at rest, NaN where it is not at rest.
    """
    usual = learnt.get("idle_w")
    if usual is None:
        raise NotEnough(learnt.missing or "It is not known what it usually draws at rest.")
    limit = max(usual.median + _STANDBY_RISE_WATTS, usual.median + 6 * usual.spread)
    above = np.where(np.isfinite(quiet), (quiet > limit).astype(np.float64), np.nan)
    trail = trail_of(power, above, _STANDBY_HOURS, needed=_STANDBY_NEEDED)
    end = trail.alarmed(_STANDBY_SHARE)
    if end is None:
        return None
    first = onset(above, 0.5, max(end - 2 * trail.steps, 0), end)
    begin, found = power.start + first * power.step_seconds, power.start + end * power.step_seconds
    now = float(np.nanmedian(quiet[first:]))
    return Finding(
        Fault.STANDBY_CREEP,
        WARNING if now - usual.median > 20 else "info",
        begin,
        found,
        f"At rest it draws {now:.1f} W instead of {usual.median:.1f} W.",
        ADVICE[bounds.nature.value][Fault.STANDBY_CREEP],
        {"standby_w": round(now, 1), "usual_standby_w": usual.median, "limit_w": round(limit, 1)},
        chart_of(power, begin, found, usual_w=usual.median, limit_w=limit),
        round((now - usual.median) * 0.024, 3),
    )


def _learn_idle(days: Sequence[Power]) -> tuple[dict[str, Usual], str]:
    hours = sum(day.known_seconds for day in days) / HOUR
    if hours < 24:
        return {}, f"{hours:.1f} hours are known, 24 are needed."
    watts = np.concatenate([day.watts for day in days])
    watts = watts[np.isfinite(watts)]
    rest = Usual.of(watts[watts <= np.percentile(watts, 50)].tolist())
    return ({"idle_w": rest} if rest else {}), ""


def _unfit(power: Power, now: float) -> str:
    """Return in plain words why nothing can be said from this power, empty when something can."""
    if power.step_seconds > _COARSEST_SECONDS:
        return "Power at a minute or faster is needed."
    if power.known_seconds < _LEAST_SEEN_HOURS * HOUR:
        return f"{power.known_seconds / HOUR:.1f} hours of power are known, one is needed."
    seen = power.end - float(np.flatnonzero(np.isfinite(power.watts[::-1]))[0]) * power.step_seconds
    if now - seen > _SILENT_HOURS * HOUR:
        return "Its power has not been reported for more than two hours."
    return ""


def _told(findings: Mapping[Fault, Finding]) -> Iterable[Finding]:
    """Leave out what another finding explains, worst first."""
    explained = {other for fault in findings for other in cooling_rules.EXPLAINS.get(fault, ())}
    ranks = {"critical": 0, WARNING: 1}
    kept = [found for fault, found in findings.items() if fault not in explained]
    return sorted(kept, key=lambda found: (ranks.get(found.severity, 2), found.began_at))
