"""What each validation rule is for, how it treats what it catches unless somebody says otherwise, and its thresholds.

Every threshold has its unit in its name. ``percent_of_capacity`` is of what the connection carries in that time at its
greatest rate, so that one number fits kWh, m³ and GJ alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeGuard

SeverityName = Literal["reject", "quarantine", "flag", "info"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that tunes a rule: what it says unless somebody changed it, in which bounds, and in plain words.

    ``words`` are for after the number where its unit alone would not tell what it is of.
    """

    default: float
    unit: str
    help: str
    least: float = 0
    most: float = 1_000_000
    whole: bool = False
    words: str = ""

    def text(self, value: float) -> str:
        """Write a value of it."""
        return f"{value:g} {self.words or self.unit}"


@dataclass(frozen=True)
class Default:
    """A rule as the portal brings it.

    ``severities`` are those that make sense for it: a rule that looks at a stretch of time, or at what has entered
    already, cannot keep a value out.
    """

    severity: SeverityName
    about: str
    thresholds: Mapping[str, Threshold] = field(default_factory=lambda: MappingProxyType({}))
    severities: tuple[SeverityName, ...] = ("reject", "quarantine", "flag", "info")


_REJECTS: tuple[SeverityName, ...] = ("reject",)
_AFTERWARDS: tuple[SeverityName, ...] = ("flag", "info")
_HOLDS: tuple[SeverityName, ...] = ("reject", "quarantine")
_PERCENT = "%"
_OF_CAPACITY = "% of capacity"
_MAD = "robust standard deviations"


def _history(percent_of_capacity: float) -> dict[str, Threshold]:
    return {
        "weeks": Threshold(4, "weeks", "How many past weeks are looked at.", least=2, most=26, whole=True),
        "least_weeks": Threshold(
            3,
            "weeks",
            "With fewer of them known nothing is said.",
            least=2,
            most=26,
            whole=True,
            words="known at least",
        ),
        "deviations": Threshold(8, _MAD, "How far from the median of those weeks.", least=1, most=100),
        "percent": Threshold(150, _PERCENT, "And how far from the median in parts of it.", most=10_000),
        "percent_of_capacity": Threshold(
            percent_of_capacity,
            _PERCENT,
            "And at least so much of what the connection carries.",
            most=100,
            words=_OF_CAPACITY,
        ),
    }


DEFAULTS: Mapping[str, Default] = MappingProxyType(
    {
        "off_mark": Default("reject", "A stamp that ends no half-hour (:00, :30 or 23:59).", severities=_REJECTS),
        "in_future": Default(
            "reject",
            "A stamp that has not come yet.",
            {"minutes": Threshold(5, "min", "How far a sender's clock may be ahead.", most=1_440)},
            _REJECTS,
        ),
        "unknown_meter": Default("reject", "A serial that nobody registered.", severities=_REJECTS),
        "inactive_meter": Default(
            "reject", "A meter that is pending, inactive or out of service.", severities=_REJECTS
        ),
        "wrong_unit": Default("reject", "A unit that is not the register's.", severities=_REJECTS),
        "duplicate": Default("info", "The value that stands already, sent again.", severities=("info",)),
        "conflict": Default(
            "flag", "Another value for an instant that has one: the first stands.", severities=("flag",)
        ),
        "regression": Default("reject", "A dial that would have run backwards.", severities=_HOLDS),
        "rollover": Default("info", "A dial that turned over, plausibly.", severities=_AFTERWARDS),
        "negative": Default("reject", "A value below zero.", severities=_REJECTS),
        "over_capacity": Default(
            "quarantine",
            "A half-hour, or a dial's growth since the value before, of more than the connection carries.",
            {
                "percent": Threshold(
                    100, _PERCENT, "Of what the connection carries in half an hour.", least=1, most=10_000
                )
            },
        ),
        "high": Default("flag", "Far above the same weekday and half-hour of past weeks.", _history(25)),
        "low": Default(
            "flag",
            "Far below the same weekday and half-hour of past weeks.",
            _history(10)
            | {"percent": Threshold(75, _PERCENT, "And how far from the median in parts of it.", most=100)},
        ),
        "spike": Default(
            "flag",
            "The highest half-hour stands out from the third highest: (highest - third) / third.",
            {
                "percent": Threshold(180, _PERCENT, "By how much more than the third highest.", least=1, most=100_000),
                "hours": Threshold(24, "h", "Within so many hours in a row.", least=2, most=168),
                "percent_of_capacity": Threshold(
                    50,
                    _PERCENT,
                    "And at least so much of what the connection carries.",
                    most=100,
                    words=_OF_CAPACITY,
                ),
            },
        ),
        "stuck": Default(
            "flag",
            "Equal half-hours in a row, none of them zero.",
            {"half_hours": Threshold(24, "half-hours", "How many in a row.", least=3, most=672, whole=True)},
            _AFTERWARDS,
        ),
        "zero_use": Default(
            "flag",
            "No use at all where somebody is supplied.",
            {"hours": Threshold(96, "h", "For how long without a break.", least=1, most=336)},
            _AFTERWARDS,
        ),
        "inactive_use": Default(
            "flag",
            "Use at a place that is inactive, or where nobody is supplied.",
            {
                "hours": Threshold(24, "h", "Summed over so many hours.", least=1, most=168),
                "percent_of_capacity": Threshold(
                    1, _PERCENT, "More than so much of what the connection carries.", most=100, words=_OF_CAPACITY
                ),
            },
            _AFTERWARDS,
        ),
        "sum_check": Default(
            "flag",
            "The half-hours of a day do not add up to what the dial of the same meter counted.",
            {"percent": Threshold(2, _PERCENT, "Of what the dial counted, beyond rounding.", most=100)},
            _AFTERWARDS,
        ),
        "gap": Default(
            "flag",
            "Nothing came from a register that should send.",
            {"hours": Threshold(24, "h", "For longer than this.", least=1, most=8_760)},
            _AFTERWARDS,
        ),
        "prolonged_estimation": Default(
            "flag",
            "Estimates stand in for readings for long.",
            {"days": Threshold(7, "days", "For longer than this.", least=1, most=365)},
            _AFTERWARDS,
        ),
        "clock_drift": Default(
            "flag",
            "Readings come before the half-hour that they end is over: the sender's clock is ahead.",
            {
                "seconds": Threshold(60, "s", "By more than this.", least=1, most=86_400),
                "readings": Threshold(3, "readings", "In so many readings in a row.", least=1, most=336, whole=True),
            },
            _AFTERWARDS,
        ),
    }
)
# These look at a register's profile of half-hours; set to hold values back, they are judged at the door.
AT_THE_DOOR_WHEN_BLOCKING = frozenset({"high", "low", "spike"})
BLOCKING = frozenset({"reject", "quarantine"})


def full_thresholds(code: str, thresholds: Mapping[str, object]) -> dict[str, float]:
    """Return a rule's thresholds: those that were set, and its defaults for the rest."""
    known = DEFAULTS[code].thresholds
    found = {name: threshold.default for name, threshold in known.items()}
    found |= {name: float(value) for name, value in thresholds.items() if name in known and _is_number(value)}
    return found


def wrong_thresholds(code: str, thresholds: Mapping[str, object]) -> dict[str, str]:
    """Return, by name, what is wrong with thresholds that somebody wants to set."""
    wrong: dict[str, str] = {}
    known = DEFAULTS[code].thresholds
    for name, value in thresholds.items():
        threshold = known.get(name)
        if threshold is None:
            wrong[name] = f"This rule has no such threshold; it has {', '.join(known) or 'none'}."
        elif not _is_number(value) or not threshold.least <= float(value) <= threshold.most:
            wrong[name] = f"A number of {threshold.unit} from {threshold.least:g} to {threshold.most:g} is needed."
        elif threshold.whole and float(value) != int(value):
            wrong[name] = f"A whole number of {threshold.unit} is needed."
    full = full_thresholds(code, {name: value for name, value in thresholds.items() if name not in wrong})
    if full.get("least_weeks", 0) > full.get("weeks", 0):
        wrong.setdefault("least_weeks", "No more weeks can be needed than are looked at.")
    return wrong


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
