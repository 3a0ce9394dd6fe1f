"""What alignment means, said as plainly as can be: one bucket and one value at a time."""

from collections.abc import Sequence
from math import isfinite, nan

from meters.batteries.quantities import Manner

Told = Sequence[tuple[int, float]]


def aligned(told: Told, start: int, end: int, manner: Manner, tolerance: int) -> tuple[float, int]:
    """Return a signal's value and age in one bucket, NaN and -1 where nothing stands."""
    standing: dict[int, float] = {}
    for at, value in told:
        if isfinite(value) and at < end:
            standing.setdefault(at, value)
    known = sorted(standing.items())
    if manner is Manner.GAUGE:
        return next(((value, end - at) for at, value in reversed(known) if end - at <= tolerance), (nan, -1))
    total, covered = 0.0, 0
    for place, (at, value) in enumerate(known):
        following = known[place + 1][0] if place + 1 < len(known) else end
        lasted = min(following, at + tolerance, end) - max(at, start)
        if lasted > 0:
            total, covered = total + value * lasted, covered + lasted
    return (total / covered, end - known[-1][0]) if covered else (nan, -1)
