"""What a write of readings leaves to be done, logged where it cannot be lost: in the same transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np

from meters import store
from meters.models import ReadingWork
from meters.store.door import Int64s

AFTER_A_WRITE = (
    ReadingWork.Purpose.ROLLUP,
    ReadingWork.Purpose.VALIDATION,
    ReadingWork.Purpose.ESTIMATION,
    ReadingWork.Purpose.SCORING,
)


def log_work(
    *,
    register_ids: Iterable[int] | Int64s,
    low: datetime,
    high: datetime,
    now: datetime,
    purposes: Sequence[ReadingWork.Purpose] = AFTER_A_WRITE,
) -> None:
    """Note that readings of registers were written between two instants, both included, once a purpose."""
    given = register_ids if isinstance(register_ids, np.ndarray) else np.fromiter(register_ids, dtype=np.int64)
    ids = np.unique(given)
    if ids.size:
        store.door.log_work(purposes, ids, low=low, high=high, now=now)
