"""From places to their curves: which registers count there, and the reads that a question needs. Four queries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q

from energy_portal.shared.clock import Period
from meters import store
from meters.consumption import LONGEST_LINEAR_GAP, Chain, Curve, Hanging, Read, Role
from meters.models import ChainEvent, Installation, Quality, ReadingException, Register, RegisterState
from meters.querysets import OfServicePointQuerySet
from meters.selectors.readings import readings_for

ALWAYS = Period(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
TOTAL_IMPORT = "1.8.0"
_ROLES: dict[str, Role] = {ChainEvent.Kind.INSTALLED: "installed", ChainEvent.Kind.REMOVED: "removed"}


@dataclass(frozen=True)
class CountedRegister:
    """A register that counts what a place takes in, kWh."""

    register_id: int
    code: str
    modulus: Decimal
    multiplier: Decimal


@dataclass(frozen=True)
class Stay:
    """A meter at a place: from when to when, and which of its registers count."""

    service_point_id: UUID
    meter_id: UUID
    serial: str
    period: Period
    registers: tuple[CountedRegister, ...]


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


def as_period(valid: DateTimeTZRange) -> Period:
    """Return a database range as a period; an open end lies at the end of the calendar."""
    return Period(valid.lower or ALWAYS.start, valid.upper or ALWAYS.end)


def stays_at(service_point_ids: Iterable[UUID], period: Period) -> dict[UUID, list[Stay]]:
    """Return the stays of meters at service points during a period, in the order of time. Two queries."""
    return _grouped(
        Installation.objects.filter(service_point_id__in=set(service_point_ids)), period, "service_point_id"
    )


def stays_of(meter_ids: Iterable[UUID], period: Period) -> dict[UUID, list[Stay]]:
    """Return the stays of meters, wherever they hung during a period, in the order of time. Two queries."""
    return _grouped(Installation.objects.filter(meter_id__in=set(meter_ids)), period, "meter_id")


def _grouped(installations: OfServicePointQuerySet, period: Period, key: str) -> dict[UUID, list[Stay]]:
    rows = list(
        installations.filter(valid__overlap=DateTimeTZRange(period.start, period.end, "[]"))
        .order_by("valid")
        .values_list("service_point_id", "meter_id", "meter__serial", "valid")
    )
    counted = _counted_registers({meter_id for _, meter_id, _, _ in rows})
    found: dict[UUID, list[Stay]] = defaultdict(list)
    for service_point_id, meter_id, serial, valid in rows:
        stay = Stay(service_point_id, meter_id, serial, as_period(valid), counted.get(meter_id, ()))
        found[getattr(stay, key)].append(stay)
    return found


def _counted_registers(meter_ids: set[UUID]) -> dict[UUID, tuple[CountedRegister, ...]]:
    """Return the dials that count imported kWh: the total where a meter has one, otherwise all that make it up."""
    rows = Register.objects.filter(
        meter_id__in=meter_ids,
        kind=Register.Kind.CUMULATIVE,
        direction=Register.Direction.IMPORT,
        unit=Register.Unit.KWH,
    ).order_by("code")
    found: dict[UUID, list[CountedRegister]] = defaultdict(list)
    for register_id, meter_id, code, digits, multiplier in rows.values_list(
        "id", "meter_id", "code", "digits", "multiplier"
    ):
        found[meter_id].append(CountedRegister(register_id, code, Decimal(10) ** digits, multiplier))
    return {
        meter_id: tuple([register for register in registers if register.code == TOTAL_IMPORT] or registers)
        for meter_id, registers in found.items()
    }


def chains_of(questions: Sequence[Question], *, as_of: datetime | None = None) -> list[Chain]:
    """Return the curves that answer questions, one chain each. Three queries.

    Only the reads around the instants are fetched, and the first and the last of each stretch, unless a dial turned
    over in between or estimates stand: then all are, so that no turn and no estimate is missed.

    :param as_of: when it was known; now unless told. Who hung where is as known today, what was read on the chain's
        events counts from when they were recorded.
    """
    register_ids = {register.register_id for ask in questions for stay in ask.stays for register in stay.registers}
    if not register_ids:
        return [_chain(ask, {}, {}) for ask in questions]
    in_full = register_ids if as_of is not None else _needed_in_full(register_ids, questions)
    windows: list[store.Window] = []
    edges: list[store.Window] = []
    for ask in questions:
        for stay in ask.stays:
            for register in stay.registers:
                fully = ask.fully or register.register_id in in_full
                windows += _windows(ask, stay.period, register.register_id, fully=fully)
                edges += _edges(ask, stay.period, register.register_id)
    reads = readings_for(windows, edges, as_of=as_of)
    events = _events_of(register_ids, as_of)
    return [_chain(ask, reads, events) for ask in questions]


def _windows(ask: Question, stay: Period, register_id: int, *, fully: bool) -> list[store.Window]:
    """Return where reads are wanted: around each instant, as far as a line may reach; overlapping ones joined."""
    low, high = max(ask.instants[0], stay.start), min(ask.instants[-1], stay.end)
    if low >= high:
        return []
    instants = [low, high] if fully else sorted({low, *(at for at in ask.instants if low < at < high), high})
    windows: list[store.Window] = []
    for at in instants:
        start, end = max(at - LONGEST_LINEAR_GAP, stay.start), min(at + LONGEST_LINEAR_GAP, stay.end)
        if windows and (fully or start <= windows[-1].high):
            start = windows.pop().low
        windows.append(store.Window(register_id, start, end))
    return windows


def _edges(ask: Question, stay: Period, register_id: int) -> list[store.Window]:
    if not ask.partly or ask.fully:
        return []
    pieces = {(ask.instants[0], ask.instants[-1]), (ask.instants[-2], ask.instants[-1])}
    cut = [(max(start, stay.start), min(end, stay.end)) for start, end in pieces]
    return [store.Window(register_id, start, end) for start, end in cut if start < end]


def _needed_in_full(register_ids: set[int], questions: Sequence[Question]) -> set[int]:
    """Return the registers whose dial turned over near what is asked, or that hold estimates before its end."""
    low = min(ask.instants[0] for ask in questions) - LONGEST_LINEAR_GAP
    high = max(ask.instants[-1] for ask in questions) + LONGEST_LINEAR_GAP
    turned = ReadingException.objects.filter(
        code=ReadingException.ROLLOVER, register_id__in=register_ids, time__range=(low, high)
    )
    estimated = RegisterState.objects.filter(register_id__in=register_ids, estimated_from__lte=high)
    found = turned.order_by().values_list("register_id", flat=True)
    return set(found.union(estimated.values_list("register_id", flat=True)))


def _events_of(register_ids: set[int], as_of: datetime | None) -> dict[int, list[ChainEvent]]:
    """Return the chain events that say something of registers' values or multipliers, in the order of time.

    Of those recorded after ``as_of`` only a multiplier that held from the start is kept: the oldest was known always.
    """
    events: dict[int, list[ChainEvent]] = defaultdict(list)
    wanted = Q(value__isnull=False) | Q(multiplier__isnull=False)
    for event in ChainEvent.objects.filter(wanted, register_id__in=register_ids).order_by("at", "recorded_at"):
        events[event.register_id].append(event)
    if as_of is None:
        return events
    return {register_id: _known_then(known, as_of) for register_id, known in events.items()}


def _known_then(events: Sequence[ChainEvent], as_of: datetime) -> list[ChainEvent]:
    oldest = next((event for event in events if event.multiplier is not None), None)
    return [event for event in events if event.recorded_at <= as_of or (event is oldest and event.value is None)]


def _chain(ask: Question, reads: Mapping[int, Sequence[Read]], events: Mapping[int, Sequence[ChainEvent]]) -> Chain:
    return Chain(
        [
            Hanging(
                stay.period.start,
                stay.period.end,
                tuple(
                    _curve(stay, register, reads.get(register.register_id, ()), events.get(register.register_id, ()))
                    for register in stay.registers
                ),
            )
            for stay in ask.stays
        ]
    )


def _curve(stay: Stay, register: CountedRegister, reads: Sequence[Read], events: Sequence[ChainEvent]) -> Curve:
    """Draw a register's curve during a stay; of one instant a chain event's value goes before telemetry."""
    start, end = stay.period.start, stay.period.end
    at = {read.time: read for read in reads if start <= read.time <= end}
    for event in events:
        closing = event.kind == ChainEvent.Kind.REMOVED
        if event.value is not None and (start < event.at <= end if closing else start <= event.at < end):
            at[event.at] = Read(event.at, event.value, int(Quality.VALIDATED), _ROLES.get(event.kind, "boundary"))
    multipliers = [(event.at, event.multiplier) for event in events if event.multiplier is not None]
    return Curve(
        [at[time] for time in sorted(at)],
        modulus=register.modulus,
        multipliers=multipliers or [(ALWAYS.start, register.multiplier)],
        label=(stay.serial, register.code),
    )
