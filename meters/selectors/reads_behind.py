"""What half-hours rest on: the register reads that each follows from, and how good they are."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from energy_portal.shared.clock import HALF_HOUR, Period
from meters.consumption import Chain, Curve, Hanging, Read
from meters.intervals import Backed
from meters.selectors.flows import Direction, stays_at
from meters.selectors.measuring import Question, chains_of
from meters.selectors.quantities import ReadUsed

# A read with the serial of its meter and the code of its register.
NamedRead: TypeAlias = tuple[tuple[str, str], Read]


@dataclass(frozen=True)
class HalfHourReads:
    """The reads of the half-hour from ``start``, in order of time.

    ``quality`` is that of the least trusted; None where no read ends it and those are the nearest around it.
    """

    start: datetime
    quality: int | None
    reads: tuple[ReadUsed, ...]


def reads_behind(
    *,
    service_point_id: UUID,
    starts: Sequence[datetime],
    within: Period,
    as_of: datetime | None = None,
    direction: str = Direction.IMPORT,
) -> list[HalfHourReads]:
    """Return the reads that half-hours of a place follow from, in the order of ``starts``. Three queries.

    :param within: what the half-hours are cut to, and where reads around those that none ends are looked for.
    :param as_of: when they were known; now unless told.
    """
    stays = stays_at({service_point_id}, within, direction=direction).get(service_point_id, [])
    question = Question(stays=stays, instants=(within.start, within.end), fully=True)
    (chain,) = chains_of([question], as_of=as_of)
    return [_behind(chain, start, within) for start in starts]


def _behind(chain: Chain, start: datetime, within: Period) -> HalfHourReads:
    half_hour = Period(start, start + HALF_HOUR).intersect(within)
    if half_hour is None:
        return HalfHourReads(start, None, ())
    energy = chain.between(half_hour.start, half_hour.end)
    if energy.complete:
        return HalfHourReads(start, energy.quality, _in_order(energy.reads))
    return HalfHourReads(start, None, _in_order(_around(chain, half_hour)))


def _around(chain: Chain, half_hour: Period) -> Iterator[NamedRead]:
    """Yield, of each dial that hung in a half-hour, the last read before it and the first after it."""
    for hanging in chain.hangings:
        if hanging.start < half_hour.end and half_hour.start < hanging.end:
            for dial in _dials(hanging):
                before = [read for read in dial.reads if read.time <= half_hour.start]
                after = [read for read in dial.reads if read.time >= half_hour.end]
                yield from ((dial.label, read) for read in (*before[-1:], *after[:1]))


def _dials(hanging: Hanging) -> Iterator[Curve]:
    for counted in hanging.curves:
        for each in counted.dials if isinstance(counted, Backed) else (counted,):
            if isinstance(each, Curve):
                yield each


def _in_order(reads: Iterable[NamedRead]) -> tuple[ReadUsed, ...]:
    ordered = sorted(dict.fromkeys(reads), key=lambda named: named[1].time)
    return tuple(
        ReadUsed(serial, code, read.time, read.value, read.quality, read.role) for (serial, code), read in ordered
    )
