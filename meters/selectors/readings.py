"""The one way to what registers showed: every read of readings for a curve goes through here."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from meters import store
from meters.consumption import Read
from meters.store import Window


def readings_for(
    windows: Sequence[Window], edges: Sequence[Window], *, as_of: datetime | None = None
) -> dict[int, list[Read]]:
    """Return the reads inside windows, and the first and last inside each edge window, by register, in order of time.

    One query.

    :param as_of: when they were known; now unless told.
    """
    reads: dict[int, list[Read]] = defaultdict(list)
    for register_id, time, value, quality in store.reads.readings_within(windows, edges, as_of=as_of):
        reads[register_id].append(Read(time, value, quality))
    return reads
