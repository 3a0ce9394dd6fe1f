"""Codes that no mapping knows: counted in memory, written down every few seconds, for people to map them."""

import logging
import threading
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import Error, connection, connections, transaction

from meters.devices import store

logger = logging.getLogger(__name__)

FLUSHED_EVERY_SECONDS = 3.0
OTHERS = ("", "(others)")
"""What is counted as one once there are too many."""

_MOST_ROWS = 10_000
_MOST_IN_MEMORY = 2_000
_LONGEST = 64

_lock = threading.Lock()
_counts: Counter[tuple[str, str]] = Counter()
_timer: list[threading.Timer] = []


def note_unknown(pairs: Iterable[tuple[str, str]]) -> None:
    """Count products and codes; they are in the database within seconds, or lost with the process."""
    with _lock:
        for product, code in pairs:
            pair = (_clean(product), _clean(code))
            _counts[pair if pair in _counts or len(_counts) < _MOST_IN_MEMORY else OTHERS] += 1
    if connection.in_atomic_block:
        flush_unknown(now=datetime.now(UTC))
    elif _counts and not _timer:
        _start_timer()


def flush_unknown(*, now: datetime) -> None:
    """Write down what was counted; what cannot be written is counted on."""
    with _lock:
        counts = dict(_counts)
        _counts.clear()
    if not counts:
        return
    try:
        with transaction.atomic():
            counted = store.add_counts(counts, most=_MOST_ROWS, now=now)
            left = sum(count for pair, count in counts.items() if pair not in counted)
            if left:
                store.add_counts({OTHERS: left}, most=_MOST_ROWS + 1, now=now)
    except Error as error:
        logger.warning("Unknown codes wait to be counted: %s", error)
        with _lock:
            _counts.update(counts)


def _start_timer() -> None:
    timer = threading.Timer(FLUSHED_EVERY_SECONDS, _flush_on_time)
    timer.daemon = True
    _timer.append(timer)
    timer.start()


def _flush_on_time() -> None:
    _timer.clear()
    try:
        flush_unknown(now=datetime.now(UTC))
    finally:
        connections.close_all()
    if _counts and not _timer:
        _start_timer()


def _clean(text: str) -> str:
    return text.replace("\0", "�")[:_LONGEST]
