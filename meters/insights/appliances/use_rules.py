"""The faults of appliances that somebody starts, each told from its uses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from meters.insights.appliances.cases import NotEnough
from meters.insights.appliances.findings import ADVICE, CRITICAL, INFO, WARNING, Finding, chart_of
from meters.insights.appliances.kinds import HOUR, MINUTE, Bounds, Fault, Nature
from meters.insights.appliances.power import Power
from meters.insights.appliances.runs import runs_of
from meters.insights.appliances.uses import Use, settled_seconds
from meters.insights.appliances.usual import Learnt, Usual, hours_of

# A phase is missing when it is shorter than this share of the shortest that was seen; more of it when few were.
_HEATING_SHARE, _PUMPING_SHARE, _PUMPING_SHARE_OF_FEW, _FEW = 0.25, 0.55, 0.4, 3
_LEAST_HEATING_SECONDS, _LEAST_PUMPING_SECONDS = 2 * MINUTE, 50.0
# Samples must be this much denser than a pump's runs are long, or they miss some.
_PUMPING_INTERVALS = 4
# A programme must be this long, against the shortest that was seen, to have all of its phases.
_LONG_SHARE = 0.3
_DRIFT_OF_ONE, _DRIFT_OF_THREE = 0.2, 0.13
_STUCK_WATTS = 20.0


@dataclass(frozen=True)
class UseCase:
    """What a rule looks at."""

    power: Power
    idle_watts: float
    uses: tuple[Use, ...]
    learnt: Learnt
    bounds: Bounds

    @property
    def whole(self) -> list[Use]:
        """The uses that were seen from beginning to end.

        One that lasted as long as others do lacks nothing, and is over once it rests longer than others paused.
        """
        settled = settled_seconds(self.bounds.nature)
        length, pause = self.learnt.get("use_seconds"), self.learnt.get("longest_pause_seconds")
        known = [use for use in self.uses if use.is_known]
        if length is None or pause is None:
            return [use for use in known if use.has_begun and use.rest_seconds >= settled]
        early = min(max(1.5 * pause.high, 5 * MINUTE), settled)
        long = [use for use in known if use.seconds >= 0.95 * length.low and use.rest_seconds >= early]
        return [use for use in known if use in long or (use.has_begun and use.rest_seconds >= settled)]

    def need(self, name: str) -> Usual:
        """Return what is usual of a quantity.

        :raises NotEnough: it is not known.
        """
        usual = self.learnt.get(name)
        if usual is None:
            raise NotEnough(self.learnt.missing or "It is not known what is usual of this appliance.")
        return usual

    def last(self) -> Use:
        """Return the last whole use.

        :raises NotEnough: there is none.
        """
        if not self.whole:
            raise NotEnough("Nothing that was seen of it was in use from beginning to end.")
        return self.whole[-1]

    @property
    def advice(self) -> Mapping[str, str]:
        """What to do, by kind of fault."""
        return ADVICE[self.bounds.nature.value]


def stuck_on(case: UseCase) -> Finding | None:
    """Find a heater or a programme that does not end."""
    heats = case.bounds.nature is Nature.HEATING
    usual = case.learnt.get("longest_heating_seconds" if heats else "use_seconds")
    limit = case.bounds.stuck_seconds or 6 * HOUR
    if usual is not None:
        limit = max(3 * usual.high, 5 * MINUTE) if heats else max(2 * usual.high, usual.high + HOUR)
    runs = runs_of(case.power, case.idle_watts + (700.0 if heats else _STUCK_WATTS))
    begin = case.power.end
    for run in reversed(runs):
        if not run.is_on and run.seconds > (0 if heats else 10 * MINUTE):
            break
        begin = run.begin if run.is_on else begin
    lasted = case.power.end - begin
    if lasted < limit:
        return None
    drawn = float(np.nanmean(case.power.cut(begin, case.power.end).watts))
    noun = case.bounds.noun
    return Finding(
        Fault.STUCK_ON,
        CRITICAL if heats else WARNING,
        begin,
        begin + limit,
        f"The {noun} has been on for {lasted / HOUR:.1f} hours without a break; longer than {limit / MINUTE:.0f} "
        "minutes is not usual. Its switch, thermostat or control does not end it.",
        case.advice[Fault.STUCK_ON],
        {"running_hours": hours_of(lasted), "limit_hours": hours_of(limit), "power_w": round(drawn, 1)},
        chart_of(case.power, begin, case.power.end),
        round(drawn * 0.024, 3),
    )


def power_drift(case: UseCase) -> Finding | None:
    """Find a heater that draws more, or less, than it used to.

    :raises NotEnough: it has none, its usual power is not known or it was not used.
    """
    usual = case.need("heater_w")
    heated = [use for use in case.uses if np.isfinite(use.heater_w)]
    if not heated:
        raise NotEnough("It did not heat in what was seen of it.")
    one, three = heated[-1].heater_w, float(np.median([use.heater_w for use in heated[-3:]]))
    off_one = abs(one / usual.median - 1) > max(_DRIFT_OF_ONE, 5 * usual.spread / usual.median)
    off_three = len(heated) >= 3 and abs(three / usual.median - 1) > max(
        _DRIFT_OF_THREE, 4 * usual.spread / usual.median
    )
    if not (off_one or off_three):
        return None
    use = heated[-1]
    return Finding(
        Fault.POWER_DRIFT,
        WARNING if abs(one / usual.median - 1) > 0.25 else INFO,
        use.begin,
        use.end,
        f"The heater draws {one:.0f} W instead of {usual.median:.0f} W ({one / usual.median - 1:+.0%}). Its element, a "
        "contact or the voltage is not what it was.",
        case.advice[Fault.POWER_DRIFT],
        {"power_w": round(one, 1), "usual_w": usual.median, "uses": len(heated)},
        chart_of(case.power, use.begin, use.end, usual_w=usual.median + case.idle_watts),
    )


def no_heating(case: UseCase) -> Finding | None:
    """Find a programme that did not heat.

    :raises NotEnough: it is not known that each heats, or none was seen.
    """
    use = case.last()
    usual, length = case.learnt.get("heating_seconds"), case.learnt.get("use_seconds")
    if usual is None and case.bounds.must_heat:
        is_missing, least = use.seconds >= 25 * MINUTE and use.heating_seconds < MINUTE, MINUTE
    elif usual is None:
        raise NotEnough(_missing(case) + " A programme may be a cold one.")
    elif usual.low < _LEAST_HEATING_SECONDS or length is None:
        raise NotEnough("Not all of its programmes heat.")
    else:
        least = _HEATING_SHARE * usual.low
        share = _HEATING_SHARE * usual.low / length.high
        is_missing = use.heating_seconds < min(least, share * use.seconds) and use.seconds >= _LONG_SHARE * length.low
    if not is_missing:
        return None
    return Finding(
        Fault.NO_HEATING,
        WARNING,
        use.begin,
        use.end + settled_seconds(case.bounds.nature),
        f"A programme of {use.seconds / MINUTE:.0f} minutes heated for {use.heating_seconds / MINUTE:.1f} minutes"
        + (f" instead of {usual.median / MINUTE:.0f}" if usual else "")
        + ". The heating element, its thermostat or the wiring is broken, or a cold programme was chosen.",
        case.advice[Fault.NO_HEATING],
        {
            "heating_minutes": round(use.heating_seconds / MINUTE, 1),
            "usual_heating_minutes": round(usual.median / MINUTE, 1) if usual else None,
            "limit_minutes": round(least / MINUTE, 1),
            "programme_minutes": round(use.seconds / MINUTE, 1),
            "programme_kwh": round(use.kwh, 3),
        },
        chart_of(case.power, use.begin, use.end),
    )


def no_pumping(case: UseCase) -> Finding | None:
    """Find a programme in which a pump, or the motor, did not run.

    :raises NotEnough: it is not known how long they usually do, or no programme was seen.
    """
    use = case.last()
    length = case.need("use_seconds")
    pump, motor = case.need("pump_seconds"), case.need("motor_seconds")
    phases = {"pump": (use.pump_seconds, pump), "motor": (use.motor_seconds, motor)}
    least = max(_LEAST_PUMPING_SECONDS, _PUMPING_INTERVALS * case.power.interval_seconds)
    steady = {name: phase for name, phase in phases.items() if phase[1].low >= least}
    if not steady:
        raise NotEnough("Its programmes show no pump that could be missed.")
    part = _PUMPING_SHARE if length.count >= _FEW else _PUMPING_SHARE_OF_FEW
    missing = {
        name: (seconds, usual)
        for name, (seconds, usual) in steady.items()
        if seconds < part * usual.low and seconds / use.seconds < part * usual.low / length.high
    }
    if not missing or use.seconds < _LONG_SHARE * length.low:
        return None
    name, (seconds, usual) = min(missing.items(), key=lambda item: item[1][0] / item[1][1].median)
    what = "pump" if name == "pump" or case.learnt.kind == "dishwasher" else "pump or motor"
    return Finding(
        Fault.NO_PUMPING,
        CRITICAL,
        use.begin,
        use.end + settled_seconds(case.bounds.nature),
        f"In a programme of {use.seconds / MINUTE:.0f} minutes the {what} ran for {seconds / MINUTE:.1f} minutes "
        f"instead of {usual.median / MINUTE:.0f}. It is blocked or broken, or the filter is full.",
        case.advice[Fault.NO_PUMPING],
        {
            "pump_minutes": round(use.pump_seconds / MINUTE, 1),
            "motor_minutes": round(use.motor_seconds / MINUTE, 1),
            "usual_pump_minutes": round(pump.median / MINUTE, 1),
            "usual_motor_minutes": round(motor.median / MINUTE, 1),
            "programme_minutes": round(use.seconds / MINUTE, 1),
        },
        chart_of(case.power, use.begin, use.end),
    )


def _missing(case: UseCase) -> str:
    return case.learnt.missing or "It is not known what is usual of this appliance."


PROGRAMME_RULES: Mapping[Fault, Callable[[UseCase], Finding | None]] = {
    Fault.STUCK_ON: stuck_on,
    Fault.POWER_DRIFT: power_drift,
    Fault.NO_HEATING: no_heating,
    Fault.NO_PUMPING: no_pumping,
}
HEATING_RULES: Mapping[Fault, Callable[[UseCase], Finding | None]] = {
    Fault.STUCK_ON: stuck_on,
    Fault.POWER_DRIFT: power_drift,
}
