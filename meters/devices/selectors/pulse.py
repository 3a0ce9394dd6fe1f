"""How many samples came in the last minutes, as the run that brings states up to date counted them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core.cache import cache

from meters.devices.store.state import PULSE_SECONDS

PULSE_KEY = "devices-pulse"
PULSES_KEPT = 240
_SHOWN = timedelta(minutes=10)
_AVERAGED = timedelta(minutes=1)
# The newest pulse is not over yet, and the run that counts comes every five seconds.
_LAG = timedelta(seconds=3 * PULSE_SECONDS)


@dataclass(frozen=True)
class PulseBar:
    """Samples a second in one pulse; ``height`` is percent of the highest."""

    start: datetime
    rate: float
    height: float

    @property
    def top(self) -> float:
        """Where it begins, in percent from above."""
        return 100 - self.height


@dataclass(frozen=True)
class Pulse:
    """The rate of samples in the last ten minutes.

    :ivar rate: samples a second over the last minute that is counted; None where nothing was counted lately.
    :ivar counted_until: the end of what is counted; None where nothing was.
    """

    bars: tuple[PulseBar, ...]
    rate: float | None
    highest: float
    counted_until: datetime | None


def pulse_at(*, now: datetime) -> Pulse:
    """Return how fast samples came in the ten minutes before an instant, at the cost of one look into the cache."""
    counts: dict[int, int] = cache.get(PULSE_KEY) or {}
    end = int((now - _LAG).timestamp()) // PULSE_SECONDS
    numbers = range(end - int(_SHOWN.total_seconds()) // PULSE_SECONDS, end)
    rates = [counts.get(number, 0) / PULSE_SECONDS for number in numbers]
    highest = max(rates)
    bars = tuple(
        PulseBar(datetime.fromtimestamp(number * PULSE_SECONDS, tz=UTC), rate, 100 * rate / highest if highest else 0.0)
        for number, rate in zip(numbers, rates, strict=True)
    )
    averaged = rates[-int(_AVERAGED.total_seconds()) // PULSE_SECONDS :]
    known = any(number in counts for number in numbers)
    return Pulse(
        bars=bars,
        rate=sum(averaged) / len(averaged) if known else None,
        highest=highest,
        counted_until=datetime.fromtimestamp(PULSE_SECONDS * (max(counts) + 1), tz=UTC) if counts else None,
    )
