"""From the stays of meters to their curves: the reads that a question needs. Two queries."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from energy_portal.shared.clock import HALF_HOUR, Period
from meters import store
from meters.consumption import LONGEST_LINEAR_GAP, Chain, Counted, Curve, Hanging, Read, Role
from meters.intervals import Backed, IntervalCurve
from meters.models import ChainEvent, Quality
from meters.selectors.flows import ALWAYS, CountedRegister, Stay
from meters.selectors.readings import readings_for
from meters.store.reads import MarkRow

_ROLES: dict[str | None, Role] = {ChainEvent.Kind.INSTALLED: "installed", ChainEvent.Kind.REMOVED: "removed"}


@dataclass(frozen=True)
class Question:
    """What is asked about one chain of stays.

    ``instants`` are in order, two at least; ``fully`` asks for every read between the first and the last, ``partly``
    for the first and the last read of the whole and of its last piece, for the case that its ends are not known.
    """

    stays: Sequence[Stay]
    instants: Sequence[datetime]
    fully: bool = False
    partly: bool = False


def chains_of(questions: Sequence[Question], *, as_of: datetime | None = None) -> list[Chain]:
    """Return the curves that answer questions, one chain each. Two queries.

    Only the reads around the instants are fetched, and the first and the last of each stretch, unless a dial turned
    over in between or estimates stand: then all are, so that no turn and no estimate is missed.

    :param as_of: when it was known; now unless told. Who hung where is as known today, what was read on the chain's
        events counts from when they were recorded.
    """
    register_ids = {register.register_id for ask in questions for stay in ask.stays for register in stay.registers}
    if not register_ids:
        return [_chain(ask, {}, {}) for ask in questions]
    events, in_full = _marks_of(register_ids, questions, as_of)
    windows: list[store.Window] = []
    edges: list[store.Window] = []
    for ask in questions:
        for stay in ask.stays:
            for register in stay.registers:
                if register.is_interval:
                    windows += _all_of(ask, stay.period, register.register_id)
                    continue
                fully = ask.fully or register.register_id in in_full
                windows += _windows(ask, stay.period, register.register_id, fully=fully)
                edges += _edges(ask, stay.period, register.register_id)
    reads = readings_for(windows, edges, as_of=as_of)
    return [_chain(ask, reads, events) for ask in questions]


def _windows(ask: Question, stay: Period, register_id: int, *, fully: bool) -> list[store.Window]:
    """Return where reads are wanted: around each instant, as far as a line may reach, or around all of them."""
    low, high = max(ask.instants[0], stay.start), min(ask.instants[-1], stay.end)
    if low >= high:
        return []
    inner = (at for at in ask.instants if low < at < high)
    spans = [(low, high)] if fully else [(at, at) for at in (low, *inner, high)]
    return [
        store.Window(register_id, max(first - LONGEST_LINEAR_GAP, stay.start), min(last + LONGEST_LINEAR_GAP, stay.end))
        for first, last in spans
    ]


def _all_of(ask: Question, stay: Period, register_id: int) -> list[store.Window]:
    """Return where the half-hours lie that share time with what is asked."""
    low, high = max(ask.instants[0], stay.start), min(ask.instants[-1], stay.end)
    return [store.Window(register_id, low, min(high, ALWAYS.end - HALF_HOUR) + HALF_HOUR)] if low < high else []


def _edges(ask: Question, stay: Period, register_id: int) -> list[store.Window]:
    if not ask.partly or ask.fully:
        return []
    pieces = {(ask.instants[0], ask.instants[-1]), (ask.instants[-2], ask.instants[-1])}
    cut = [(max(start, stay.start), min(end, stay.end)) for start, end in pieces]
    return [store.Window(register_id, start, end) for start, end in cut if start < end]


def _marks_of(
    register_ids: set[int], questions: Sequence[Question], as_of: datetime | None
) -> tuple[dict[int, list[MarkRow]], set[int]]:
    """Return the events of registers' chains, in the order of time, and which registers' reads are needed in full.

    These are the dials that turned over near what is asked or hold estimates before its end, and all once it is asked
    as of an instant: nobody noted what was estimated then.
    """
    low = min(ask.instants[0] for ask in questions) - LONGEST_LINEAR_GAP
    high = max(ask.instants[-1] for ask in questions) + LONGEST_LINEAR_GAP
    events: dict[int, list[MarkRow]] = defaultdict(list)
    in_full: set[int] = set()
    for mark in store.reads.marks_of(register_ids, low, high):
        if mark.kind is None:
            in_full.add(mark.register_id)
        else:
            events[mark.register_id].append(mark)
    if as_of is None:
        return events, in_full
    return {register_id: _known_then(known, as_of) for register_id, known in events.items()}, register_ids


def _known_then(events: Sequence[MarkRow], as_of: datetime) -> list[MarkRow]:
    """Leave out what was recorded later, but for a multiplier that held from the start: it was known always."""
    oldest = next((event for event in events if event.multiplier is not None), None)
    return [event for event in events if event.recorded_at <= as_of or (event is oldest and event.value is None)]


def _chain(ask: Question, reads: Mapping[int, Sequence[Read]], events: Mapping[int, Sequence[MarkRow]]) -> Chain:
    return Chain(
        [
            Hanging(
                stay.period.start,
                stay.period.end,
                _counts(stay, reads, events),
            )
            for stay in ask.stays
        ]
    )


def _counts(
    stay: Stay, reads: Mapping[int, Sequence[Read]], events: Mapping[int, Sequence[MarkRow]]
) -> tuple[Counted, ...]:
    """Return what counts during a stay: dials, or else half-hours; where a meter has both, the dials before them."""
    dials: list[Counted] = []
    intervals: list[Counted] = []
    for register in stay.registers:
        known, happened = reads.get(register.register_id, ()), events.get(register.register_id, ())
        if register.is_interval:
            intervals.append(_interval_curve(stay, register, known, happened))
        else:
            dials.append(_curve(stay, register, known, happened))
    return (Backed(dials, intervals),) if dials and intervals else (*dials, *intervals)


def _interval_curve(
    stay: Stay, register: CountedRegister, reads: Sequence[Read], events: Sequence[MarkRow]
) -> IntervalCurve:
    """Draw an interval register's curve during a stay; a half-hour that ends after it is of another place."""
    return IntervalCurve(
        [read for read in reads if stay.period.start < read.time <= stay.period.end],
        since=stay.period.start,
        multipliers=_multipliers(register, events),
        label=(stay.serial, register.code),
    )


def _curve(stay: Stay, register: CountedRegister, reads: Sequence[Read], events: Sequence[MarkRow]) -> Curve:
    """Draw a register's curve during a stay; of one instant a chain event's value goes before telemetry."""
    start, end = stay.period.start, stay.period.end
    known = [read for read in reads if start <= read.time <= end]
    noted = {}
    for event in events:
        closing = event.kind == ChainEvent.Kind.REMOVED
        if event.value is not None and (start < event.at <= end if closing else start <= event.at < end):
            noted[event.at] = Read(event.at, event.value, int(Quality.VALIDATED), _ROLES.get(event.kind, "boundary"))
    if noted:
        at = {read.time: read for read in known} | noted
        known = [at[time] for time in sorted(at)]
    return Curve(
        known,
        modulus=register.modulus,
        multipliers=_multipliers(register, events),
        label=(stay.serial, register.code),
    )


def _multipliers(register: CountedRegister, events: Sequence[MarkRow]) -> list[tuple[datetime, Decimal]]:
    changes = [(event.at, event.multiplier) for event in events if event.multiplier is not None]
    return [(at, factor * register.scale) for at, factor in changes or [(ALWAYS.start, register.multiplier)]]
