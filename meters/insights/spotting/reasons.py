"""What is wrong with a stretch, in plain words with figures."""

from meters.insights.spotting import kinds

_SAID = {
    kinds.SPIKE: "Use jumped for {time}: {used} where {usual} is usual.",
    kinds.HIGH: "More was used than usual for {time}: {used} where {usual} is usual.",
    kinds.LOW: "Less was used than usual for {time}: {used} where {usual} is usual.",
    kinds.ZERO_RUN: "Nothing was used for {time}, where {usual} is usual.",
    kinds.NIGHT_USE: "More was used at night than usual for {time}: {used} where {usual} is usual.",
    kinds.LEVEL_SHIFT: "Use has been {level} its usual level for {time}: {used} where {usual} is usual.",
    kinds.STUCK_VALUE: "The meter told the same value again and again for {time}: {used} where {usual} is usual.",
    kinds.DRIFT: "Use has drifted away from what is usual for {time}: {used} where {usual} is usual.",
    kinds.SHAPE: "The course of the day differs from the usual one for {time}: {used} where {usual} is usual.",
}


def reason_of(kind: str, half_hours: int, excess: float, usual: float) -> str:
    """Return why a stretch stands out.

    :param excess: kWh over what is usual.
    :param usual: kWh.
    """
    return _SAID[kind].format(
        time=_time(half_hours),
        used=_energy(usual + excess),
        usual=_energy(usual),
        level=f"{max(1 + excess / usual, 0):.1f} times" if usual > 0 else "above",
    )


def _time(half_hours: int) -> str:
    if half_hours == 1:
        return "half an hour"
    hours = half_hours / 2
    return f"{hours:g} hours" if hours < 72 else f"{hours / 24:.1f} days"


def _energy(kwh: float) -> str:
    return f"{kwh:,.0f} kWh" if abs(kwh) >= 100 else f"{kwh:.2f} kWh"
