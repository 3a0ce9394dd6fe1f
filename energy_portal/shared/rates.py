"""How often a caller may call, counted in the shared cache so that every process sees the same count.

A sliding window is approximated by two fixed ones: the one before counts by the share of it that the last ``seconds``
still cover. Each call takes one atomic increment, so calls at the same moment never both take the last place.
"""

import logging
import math
import re
from dataclasses import dataclass
from typing import Self

from django.core.cache import cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

_TEXT = re.compile(r"([1-9]\d*)/(?:(\d+)\s*)?(s|m|h|d)[a-z]*", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True)
class Rate:
    """So much in so many seconds."""

    amount: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``600/min``, ``10/s`` or ``5/15min``.

        :raises ValueError: when it is anything else.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a rate as in 600/min.")
        return cls(int(match[1]), int(match[2] or 1) * _SECONDS[match[3]])


def take(key: str, rate: Rate, *, cost: int = 1, now: float) -> float:
    """Take ``cost`` from what a caller has left; a refused call takes nothing.

    More than the whole rate at once counts as the whole rate, so that a large batch passes on an idle account. A cache
    that does not answer lets every call pass: readings matter more than limits.

    :param now: seconds since the epoch.
    :returns: 0 when the call may pass, otherwise the whole seconds to wait, at least 1.
    """
    cost = min(cost, rate.amount)
    window, elapsed = divmod(now, rate.seconds)
    share = 1 - elapsed / rate.seconds
    current_key = f"rate:{key}:{window:.0f}"
    try:
        current = _add(current_key, cost, timeout_seconds=2 * rate.seconds)
        if current <= rate.amount * (1 - share):
            # It passes even where the window before took all that it could.
            return 0
        previous = cache.get(f"rate:{key}:{window - 1:.0f}", 0)
        if current + previous * share <= rate.amount:
            return 0
        cache.decr(current_key, cost)
    except (RedisError, OSError, ValueError) as error:
        logger.warning("The cache does not count calls, %s passes uncounted: %s", key, error)
        return 0
    return _wait(rate, taken=current - cost, before=previous, cost=cost, elapsed=elapsed)


def _add(key: str, cost: int, *, timeout_seconds: int) -> int:
    try:
        return cache.incr(key, cost)
    except ValueError:
        # The first call in a window; of several at once one makes the count and all add to it.
        cache.add(key, 0, timeout=timeout_seconds)
        return cache.incr(key, cost)


def _wait(rate: Rate, *, taken: int, before: int, cost: int, elapsed: float) -> int:
    """Return the seconds until ``cost`` fits, if nobody else takes anything meanwhile."""
    free = rate.amount - taken - cost
    if free >= 0:
        wait = rate.seconds * (1 - free / before) - elapsed
    else:
        wait = rate.seconds - elapsed + max(0.0, rate.seconds * (1 - (rate.amount - cost) / taken))
    return max(1, math.ceil(wait))
