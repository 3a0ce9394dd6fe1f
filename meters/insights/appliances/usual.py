"""What is usual of a quantity and of an appliance, kept as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from meters.insights.appliances.kinds import HOUR

# A median absolute deviation of a normal quantity, times this, is its standard deviation.
_NORMAL = 1.4826


@dataclass(frozen=True)
class Usual:
    """A quantity's median, spread (1.4826 times the median absolute deviation), and its 2nd and 98th percentile."""

    median: float
    spread: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Self | None":
        """Return what is usual of values; None of none."""
        known = np.asarray(values, dtype=np.float64)
        known = known[np.isfinite(known)]
        if not len(known):
            return None
        median = float(np.median(known))
        low, high = np.percentile(known, (2, 98)).tolist()
        spread = _NORMAL * float(np.median(np.abs(known - median)))
        return cls(round(median, 4), round(spread, 4), round(low, 4), round(high, 4), len(known))


@dataclass(frozen=True)
class Learnt:
    """What is usual of one appliance, and from when to when it was seen.

    :param missing: in plain words what is missing for it to be enough; empty when it is.
    :param usuals: by name what is known well enough to judge by.
    """

    kind: str
    hours: float = 0.0
    since: float | None = None
    until: float | None = None
    missing: str = "Nothing is known of it yet."
    usuals: Mapping[str, Usual] = field(default_factory=dict)

    @property
    def is_enough(self) -> bool:
        """Whether an appliance can be judged against it."""
        return not self.missing

    @property
    def slack(self) -> float:
        """How much wider a share's limit has to be for what is known of few hours only."""
        return 2.4 / max(self.hours, 8.0)

    def get(self, name: str) -> Usual | None:
        """Return what is usual of a quantity, None where that is not known."""
        return self.usuals.get(name)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Learnt":
        """Return what :meth:`to_json` gave; of an empty mapping something that knows nothing."""
        if not kept:
            return cls("other")
        usuals = {name: Usual(**usual) for name, usual in kept["usuals"].items()}
        return cls(**{**kept, "usuals": usuals})


def hours_of(seconds: float) -> float:
    """Return seconds as hours, to a hundredth."""
    return round(seconds / HOUR, 2)
