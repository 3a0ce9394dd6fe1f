"""What is wrong with a stretch, in plain words with figures."""

from collections.abc import Mapping

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


_MORE = frozenset({kinds.SPIKE, kinds.HIGH, kinds.NIGHT_USE})
_LESS = frozenset({kinds.LOW, kinds.ZERO_RUN})
_LEVEL = frozenset({kinds.LEVEL_SHIFT, kinds.DRIFT})
# Less than this share over or under the usual energy is no other level.
_SAME_LEVEL = 0.12
_FAR = 20


def fitting_kind(votes: Mapping[str, float], excess: float, usual: float) -> str:
    """Return the kind that most half-hours look like, of those that agree with the energy of the whole stretch.

    :param votes: by kind.
    :param excess: what was used over the usual; ``usual`` is that.
    """
    for kind in sorted(votes, key=lambda kind: -votes[kind]):
        if kind in _MORE and excess <= 0:
            continue
        if kind in _LESS and excess >= 0:
            continue
        if kind in _LEVEL and abs(excess) < _SAME_LEVEL * abs(usual):
            continue
        return kind
    return kinds.SHAPE


def reason_of(kind: str, half_hours: int, excess: float, usual: float, unit: str) -> str:
    """Return why a stretch stands out.

    :param excess: kWh over what is usual.
    :param usual: kWh, or another unit that is told.
    """
    return _SAID[kind].format(
        time=_time(half_hours),
        used=_energy(usual + excess, unit),
        usual=_energy(usual, unit),
        level=_level(excess, usual),
    )


def _level(excess: float, usual: float) -> str:
    times = 1 + excess / usual if usual > 0 else float("inf")
    return f"{max(times, 0):.1f} times" if times < _FAR else "far above"


def _time(half_hours: int) -> str:
    if half_hours <= 2:
        return "half an hour" if half_hours == 1 else "an hour"
    hours = half_hours / 2
    return f"{hours:g} hours" if hours < 72 else f"{hours / 24:.1f} days"


def _energy(amount: float, unit: str) -> str:
    return (f"{amount:,.0f}" if abs(amount) >= 100 else f"{amount:.2f}") + (f" {unit}" if unit else "")
