"""What a diagnosis says: findings with their evidence, and what it could not judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from meters.insights.appliances.kinds import HOUR, Fault
from meters.insights.appliances.power import Power

INFO, WARNING, CRITICAL = "info", "warning", "critical"
_CHART_POINTS = 240


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with an appliance; instants in UTC seconds since 1970.

    :param figures: the numbers that show it, with their units in their names.
    :param chart: label → points ``[instant, watts]``, in order of time; watts None where unknown.
    :param kwh_a_day: what it costs above the usual; None where that cannot be said.
    """

    kind: str
    severity: str
    began_at: float
    detected_at: float
    cause: str
    advice: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    chart: Mapping[str, list[list[float | None]]] = field(default_factory=dict)
    kwh_a_day: float | None = None


@dataclass(frozen=True)
class Examination:
    """What was found, which kinds of faults could be judged, and why the others could not."""

    findings: tuple[Finding, ...]
    judged: tuple[str, ...]
    not_judged: Mapping[str, str]


ADVICE: Mapping[str, Mapping[str, str]] = {
    "cooling": {
        Fault.STUCK_ON: "Look whether the door closes and the thermostat switches off; then have thermostat and "
        "compressor relay examined. Keep an eye on the temperature inside.",
        Fault.DEAD: "See whether it is plugged in and switched on and whether it is still cold; move the food. "
        "If it has power and stays warm, have start relay and compressor examined.",
        Fault.SHORT_CYCLING: "Have thermostat, start relay and overload protector examined; clean the condenser "
        "and let air reach it. Frequent starts wear the compressor out.",
        Fault.POWER_DRIFT: "Clean the condenser and let air reach it; have the compressor, its fan and the refrigerant "
        "examined.",
        Fault.SEAL_LEAK: "Look at the door's seal (a sheet of paper must stick), defrost it, and check the "
        "thermostat's setting.",
        Fault.STANDBY_CREEP: "See whether the lamp goes out with the door closed and whether a heater or fan runs on.",
    },
    "programme": {
        Fault.STUCK_ON: "Switch it off and close its tap; have programme control, level sensor and heater relay "
        "examined.",
        Fault.POWER_DRIFT: "Descale it; have the heating element and its connections measured.",
        Fault.STANDBY_CREEP: "Switch it off at the plug between programmes; have its electronics examined if that "
        "does not help.",
        Fault.NO_HEATING: "Choose a warm programme once more; if it stays cold, have heating element, thermostat and "
        "their wiring examined.",
        Fault.NO_PUMPING: "Clean filter and hose, then have the pump examined; do not leave it alone with water "
        "inside.",
    },
    "heating": {
        Fault.STUCK_ON: "Unplug it: it does not switch off by itself. Do not use it until switch and thermostat "
        "are examined.",
        Fault.POWER_DRIFT: "Descale it; have the heating element and its connections measured.",
        Fault.STANDBY_CREEP: "Switch it off at the plug when it is not in use.",
    },
    "unknown": {
        Fault.STANDBY_CREEP: "See what keeps drawing power while it is not in use, and switch it off at the plug.",
    },
}


def chart_of(power: Power, begin: float, end: float, **lines: float | None) -> dict[str, list[list[float | None]]]:
    """Return the power around [begin, end) as at most 240 means, and level lines over it.

    :param lines: label → watts; None is left out.
    """
    shown = power.cut(begin - 2 * HOUR, end + HOUR / 2)
    if not len(shown.watts):
        return {}
    size = max(int(np.ceil(len(shown.watts) / _CHART_POINTS)), 1)
    points: list[list[float | None]] = []
    for first in range(0, len(shown.watts), size):
        part = shown.watts[first : first + size]
        known = part[np.isfinite(part)]
        mean = round(float(known.mean()), 1) if len(known) else None
        points.append([shown.start + first * shown.step_seconds, mean])
    edges = (points[0][0], points[-1][0])
    levels = {label: [[edge, round(watts, 1)] for edge in edges] for label, watts in lines.items() if watts is not None}
    return {"power_w": points, **levels}
