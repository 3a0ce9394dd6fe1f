"""The one way to what registers showed: every read of readings for a curve goes through here."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

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
    rows = store.reads.readings_within(windows, edges, as_of=as_of)
    return {
        register_id: [Read(time, value, quality) for _, time, value, quality in own]
        for register_id, own in groupby(rows, key=itemgetter(0))
    }
