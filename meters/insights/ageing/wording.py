"""What is said of a battery's trends in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass

from meters.insights.ageing.measuring import Quantity
from meters.insights.ageing.trending import FEWEST_DAYS, Reason, Trend


@dataclass(frozen=True, slots=True)
class Words:
    """How a quantity is spoken of.

    :ivar factor: from its own unit to the one that people read.
    :ivar until: what it is at its threshold; ``{}`` is the threshold.
    """

    title: str
    unit: str
    factor: float
    digits: int
    grows: str
    until: str

    def say(self, value: float) -> str:
        """Write a value with its unit."""
        return f"{self.factor * value:,.{self.digits}f} {self.unit}"


WORDS: Mapping[Quantity, Words] = {
    Quantity.WEAK_CELL: Words(
        "Weakest cell below the average",
        "mV",
        1_000.0,
        1,
        "The weakest cell falls behind",
        "at rest it is {} below the average",
    ),
    Quantity.SPREAD: Words(
        "Spread of the cells", "mV", 1_000.0, 1, "The cells drift apart", "at rest they are {} apart"
    ),
    Quantity.RESISTANCE: Words(
        "Resistance of the pack",
        "mΩ",
        1.0,
        1,
        "The resistance grows in like conditions",
        "it is half as much again as at first, {}",
    ),
    Quantity.SOH: Words("State of health", "%", 1.0, 1, "The state of health falls", "{} are left"),
}
_MONTH = 30


def outlook_text(quantity: Quantity, trend: Trend) -> str:
    """Say where a trend leads, or why nobody knows, in one sentence."""
    words = WORDS[quantity]
    if trend.reason is Reason.NOT_MEASURED or trend.level is None or trend.threshold is None:
        return "Nothing could be measured yet."
    until = words.until.format(words.say(trend.threshold))
    if trend.reason is Reason.REACHED:
        return f"The threshold is reached: {until}."
    if trend.reason is Reason.TOO_SHORT:
        return f"Not foreseeable yet: it takes {FEWEST_DAYS} days on which it could be measured."
    if trend.reason is Reason.STEADY:
        return "Not foreseeable: no worsening stands out from the scatter of the days."
    if trend.days is None:
        return "Not foreseeable: at this pace it is too far ahead for the days that were measured."
    return f"{words.grows}: in about {_days(trend.days)}{_range(trend)} {until}."


def pace_text(quantity: Quantity, trend: Trend) -> str:
    """Say how fast a quantity moves, by the month; nothing where no line stands out."""
    if trend.line is None or trend.reason in (Reason.TOO_SHORT, Reason.STEADY, Reason.NOT_MEASURED):
        return ""
    words = WORDS[quantity]
    return f"{words.factor * _MONTH * trend.line.slope:+,.{words.digits}f} {words.unit} a month"


def _days(days: float) -> str:
    return f"{days:.0f} days" if round(days) != 1 else "1 day"


def _range(trend: Trend) -> str:
    """Say between which days a threshold is reached, where that is not as good as one."""
    soonest = f"{trend.soonest or 0.0:.0f}"
    latest = "" if trend.latest is None else f"{trend.latest:.0f}"
    if soonest == latest:
        return ""
    return f" ({soonest} to {latest})" if latest else f" ({soonest} or more)"
