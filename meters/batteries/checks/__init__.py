"""What a battery's newest values and last minutes say of its health: findings to be judged by rules. No database.

A finding is a quantity, its value and its instant. Every check says of which values it is made; where one of them is
missing there is no finding, or one of None where others are judged beside it: missing is neither zero nor wrong.
Thresholds of alarms are not here but in rows; here are only those that say when a comparison makes sense at all.

Positive currents and powers discharge. Cells' temperatures are published as an average and a spread: the hottest and
the coldest cell are taken to lie half the spread from the average. Excesses are distances beyond a battery's own
limits, negative within them.
"""

from collections.abc import Iterator

from meters.batteries.checks.derating import Cause, derating
from meters.batteries.checks.minutes import rest_spread, soc_mismatch
from meters.batteries.checks.newest import glance
from meters.batteries.checks.stuck import stuck_signals
from meters.batteries.checks.values import WINDOW_US, Finding, Nameplate, Newest, Rows

__all__ = [
    "WINDOW_US",
    "Cause",
    "Finding",
    "Nameplate",
    "Newest",
    "Rows",
    "derating",
    "glance",
    "ponder",
    "rest_spread",
    "soc_mismatch",
    "stuck_signals",
]


def ponder(bms: Rows, pcs: Rows, plate: Nameplate) -> Iterator[Finding]:
    """Yield what the last minutes tell, what stands at their end included.

    :param bms: rows of ``WINDOW_US`` up to the newest; ``pcs`` likewise. Either may have none.
    """
    newest_bms = bms.newest() if bms.times.size else None
    newest_pcs = pcs.newest() if pcs.times.size else None
    yield from glance(newest_bms, newest_pcs, plate)
    yield from rest_spread(bms, plate)
    yield from soc_mismatch(bms, plate)
    yield from stuck_signals(bms, pcs, plate)
    for cause, share in derating(bms, pcs, plate).items():
        yield Finding(f"derating_{cause}_percent", share, int(pcs.times[-1]))
