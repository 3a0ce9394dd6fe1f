"""How many messages a source may send: counted in this process, settled with the count of all processes by and by.

To ask the shared cache at each message would cost more than to store it. Between two settlements a process knows its
own messages and what all had sent before: a source that uses n processes at once may send up to n times its rate for
that long, and no longer.
"""

import logging
import math
import threading
from dataclasses import dataclass

from django.core.cache import cache
from redis.exceptions import RedisError

from energy_portal.shared.errors import Throttled
from energy_portal.shared.rates import Rate
from meters.devices.services.keys import Grant

logger = logging.getLogger(__name__)

SETTLED_EVERY_SECONDS = 0.25


@dataclass(slots=True)
class _Account:
    """A source's two windows: ``current`` holds what all processes sent, as far as is known, ``pending`` ours since."""

    rate: Rate
    window: int
    current: int = 0
    pending: int = 0
    previous: int = 0

    def turn_to(self, rate: Rate, window: int) -> None:
        if rate.seconds != self.rate.seconds:
            self.current = self.pending = self.previous = 0
        elif window != self.window:
            self.previous = self.current + self.pending if window == self.window + 1 else 0
            self.current = self.pending = 0
        self.rate, self.window = rate, window


class MessageLimits:
    """What each source has sent lately: the same sliding window as that of the API's other limits."""

    def __init__(self) -> None:
        self._accounts: dict[int, _Account] = {}
        self._lock = threading.Lock()

    def take(self, source_id: int, rate: Rate, cost: int, *, now: float) -> int:
        """Take ``cost`` messages from what a source has left; a refused call takes nothing.

        More than the whole rate at once counts as the whole rate, so that a large array passes on an idle account.

        :param now: seconds since the epoch.
        :returns: 0 when they may pass, otherwise the whole seconds to wait, at least 1.
        """
        cost = min(cost, rate.amount)
        window, elapsed = divmod(now, rate.seconds)
        with self._lock:
            account = self._accounts.get(source_id)
            if account is None:
                account = self._accounts[source_id] = _Account(rate, int(window))
            if account.window != window or account.rate != rate:
                account.turn_to(rate, int(window))
            taken = account.current + account.pending + cost
            if taken + account.previous * (1 - elapsed / rate.seconds) <= rate.amount:
                account.pending += cost
                return 0
        return max(1, math.ceil(rate.seconds - elapsed))

    def charge(self, grant: Grant, cost: int, *, now: float) -> None:
        """Take ``cost`` messages from what a key's source has left.

        :param now: seconds since the epoch.
        :raises Throttled: it has not as many left.
        """
        wait = self.take(grant.source_id, grant.rate, cost, now=now)
        if wait:
            detail = f"{grant.name} may send {grant.rate.amount} messages in {grant.rate.seconds} s."
            raise Throttled(detail, retry_after_seconds=wait)

    def settle(self) -> None:
        """Add to the shared count what this process let pass, and learn what the others did."""
        for source_id, account in list(self._accounts.items()):
            with self._lock:
                rate, window, pending = account.rate, account.window, account.pending
                account.pending -= pending
                account.current += pending
            if not pending:
                continue
            total = _add_to_shared(f"rate:devices:{source_id}:{rate.seconds}:{window}", pending, 2 * rate.seconds)
            with self._lock:
                if account.window == window and account.rate == rate:
                    account.current = max(total, account.current)

    def forget(self) -> None:
        """Forget what was sent."""
        with self._lock:
            self._accounts.clear()


def _add_to_shared(key: str, amount: int, seconds: int) -> int:
    """Return the shared count after an addition; 0 where the cache is silent: messages matter more than limits."""
    try:
        cache.add(key, 0, timeout=seconds)
        return int(cache.incr(key, amount))
    except (RedisError, OSError, ValueError) as error:
        logger.warning("The cache does not count messages, this process counts alone: %s", error)
        return 0


limits = MessageLimits()
"""The one of this process."""
