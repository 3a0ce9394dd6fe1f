"""All that is known to have happened at a service point, or to a meter, newest first."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from itertools import chain
from operator import or_
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Max, Min, Q, QuerySet
from django.db.models.functions import TruncDay

from accounts.models import CustomerAccount
from energy_portal.shared.clock import HALF_HOUR, zone
from meters.consumption import ESTIMATES
from meters.models import (
    Binding,
    ChainEvent,
    Correction,
    Installation,
    Meter,
    ReadingException,
    Register,
    RegisterReading,
    RuleCode,
    ServicePoint,
    SupersededReading,
)

ENTRIES_A_PAGE = 25


class Kind(StrEnum):
    """What an entry is about."""

    METER = "meter"
    SUPPLY = "supply"
    MULTIPLIER = "multiplier"
    GAP = "gap"
    EXCEPTION = "exception"
    ESTIMATE = "estimate"
    CORRECTION = "correction"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Read:
    """What a register showed at an event."""

    register: Register
    value: Decimal


@dataclass(frozen=True)
class Stretch:
    """Values of one register that share a fate: ``count`` of them between two instants, both included.

    ``value`` is that of a single one, else None. ``label`` is the quality of estimates, or why others superseded them.
    """

    register: Register
    start: datetime
    end: datetime
    count: int
    label: int | str
    value: Decimal | None = None


@dataclass(frozen=True)
class Entry:
    """Something that happened at ``at`` or between it and ``until``; ``recorded_at`` is since when it is known.

    ``event`` is the chain event's kind. ``row`` is the exception, the correction (with the ``count`` of values that it
    replaced) or the :class:`Stretch`.
    """

    kind: Kind
    at: datetime
    until: datetime | None = None
    event: str = ""
    meter: Meter | None = None
    account: CustomerAccount | None = None
    place: ServicePoint | None = None
    multiplier: Decimal | None = None
    reads: tuple[Read, ...] = ()
    recorded_at: datetime | None = None
    row: Any = None


@dataclass(frozen=True)
class Timeline:
    """A page of entries; ``older_than`` is where the next one begins, None on the last one."""

    entries: tuple[Entry, ...]
    older_than: datetime | None


@dataclass(frozen=True)
class _Scope:
    """Whose history is asked: its installations, its events, and its registers while they count."""

    installations: Sequence[Installation]
    bindings: QuerySet[Binding]
    events: QuerySet[ChainEvent]
    registers: dict[int, Register]
    within: Q


@dataclass
class _Page:
    """Which part of a history is asked."""

    scope: _Scope
    before: datetime | None
    limit: int
    known: dict[tuple[str, datetime, object], Entry] = field(default_factory=dict)

    def newest(self, rows: QuerySet[Any]) -> Iterable[Any]:
        """Return the newest rows of the page by their ``at``, one more than it holds."""
        if self.before is not None:
            rows = rows.filter(at__lt=self.before)
        return rows.order_by("-at")[: self.limit + 1]


def place_history(
    *,
    service_point: ServicePoint,
    kinds: Collection[Kind] = tuple(Kind),
    before: datetime | None = None,
    limit: int = ENTRIES_A_PAGE,
) -> Timeline:
    """Return a page of what happened at a service point, in at most eight queries.

    Readings count for the place while their meter hung there, both ends of that time included.
    """
    installations = list(
        Installation.objects.filter(service_point=service_point).select_related("meter", "service_point")
    )
    registers = _registers({installation.meter_id for installation in installations})
    scope = _Scope(
        installations=installations,
        bindings=Binding.objects.filter(service_point=service_point),
        events=ChainEvent.objects.filter(service_point=service_point),
        registers=registers,
        within=reduce(or_, (_while_hung(each, registers) for each in installations), Q(register_id__in=())),
    )
    return _history(_Page(scope, before, limit), kinds)


def meter_history(
    *,
    meter: Meter,
    kinds: Collection[Kind] = tuple(Kind),
    before: datetime | None = None,
    limit: int = ENTRIES_A_PAGE,
) -> Timeline:
    """Return a page of what happened to a meter, wherever it hung, in at most eight queries."""
    registers = _registers({meter.pk})
    scope = _Scope(
        installations=list(Installation.objects.filter(meter=meter).select_related("meter", "service_point")),
        bindings=Binding.objects.none(),
        events=ChainEvent.objects.filter(
            register__meter=meter,
            kind__in=(ChainEvent.Kind.INSTALLED, ChainEvent.Kind.REMOVED, ChainEvent.Kind.MULTIPLIER_CHANGED),
        ),
        registers=registers,
        within=Q(register_id__in=list(registers)),
    )
    return _history(_Page(scope, before, limit), kinds)


def _registers(meter_ids: Collection[UUID]) -> dict[int, Register]:
    found = Register.objects.filter(meter_id__in=meter_ids).select_related("meter", "state")
    return {register.pk: register for register in found}


def _while_hung(installation: Installation, registers: dict[int, Register]) -> Q:
    ids = [key for key, register in registers.items() if register.meter_id == installation.meter_id]
    hung = Q(register_id__in=ids)
    if installation.valid.lower is not None:
        hung &= Q(time__gte=installation.valid.lower)
    if installation.valid.upper is not None:
        hung &= Q(time__lte=installation.valid.upper)
    return hung


def _history(page: _Page, kinds: Collection[Kind]) -> Timeline:
    sources: dict[Callable[[_Page], Iterator[Entry]], set[Kind]] = {
        _chain: {Kind.METER, Kind.SUPPLY, Kind.MULTIPLIER},
        _exceptions: {Kind.EXCEPTION, Kind.GAP},
        _corrections: {Kind.CORRECTION},
        _superseded: {Kind.SUPERSEDED},
        _estimates: {Kind.ESTIMATE},
    }
    asked = [source(page) for source, told in sources.items() if told.intersection(kinds)]
    found = [entry for entry in chain.from_iterable(asked) if entry.kind in kinds]
    older = [entry for entry in found if page.before is None or entry.at < page.before]
    older.sort(key=lambda entry: entry.at, reverse=True)
    if len(older) <= page.limit:
        return Timeline(tuple(older), None)
    # What shares an instant stays on one page, so that none is lost between two.
    last = older[page.limit - 1].at
    shown = tuple(entry for entry in older if entry.at >= last)
    return Timeline(shown, last if len(older) > len(shown) else None)


def _chain(page: _Page) -> Iterator[Entry]:
    """Tell of meters that came and went, of accounts, and of multipliers, each with what was read then."""
    for installation in page.scope.installations:
        _span(page, Kind.METER, ("installed", "removed"), installation, installation.meter_id)
    for binding in page.scope.bindings.select_related("account"):
        _span(page, Kind.SUPPLY, ("moved_in", "moved_out"), binding, binding.account_id)
    events = page.scope.events.select_related("account", "service_point").order_by("at", "recorded_at")
    for event in events:
        _add_event(page, event)
    yield from page.known.values()


def _span(page: _Page, kind: Kind, names: tuple[str, str], row: Installation | Binding, subject: object) -> None:
    for name, instant in zip(names, (row.valid.lower, row.valid.upper), strict=True):
        if instant is not None:
            page.known[name, instant, subject] = Entry(
                kind=kind,
                at=instant,
                event=name,
                meter=getattr(row, "meter", None),
                account=getattr(row, "account", None),
                place=row.service_point if isinstance(row, Installation) else None,
            )


def _add_event(page: _Page, event: ChainEvent) -> None:
    register = page.scope.registers.get(event.register_id) if event.register_id else None
    subject: object
    if event.kind == ChainEvent.Kind.MULTIPLIER_CHANGED:
        if event.value is None:  # What held before the first change: nothing happened then.
            return
        kind, subject = Kind.MULTIPLIER, event.register_id
    elif event.kind in {ChainEvent.Kind.INSTALLED, ChainEvent.Kind.REMOVED}:
        kind, subject = Kind.METER, register.meter_id if register else None
    else:
        kind, subject = Kind.SUPPLY, event.account_id
    same = [key for key in page.known if key[:2] == (event.kind, event.at) and subject in {key[2], None}]
    key = same[0] if same else (event.kind, event.at, subject)
    entry = page.known.get(key) or Entry(
        kind=kind,
        at=event.at,
        event=event.kind,
        meter=register.meter if register else None,
        account=event.account,
        place=event.service_point,
    )
    read = (Read(register, event.value),) if register is not None and event.value is not None else ()
    page.known[key] = replace(
        entry, reads=(*entry.reads, *read), multiplier=event.multiplier, recorded_at=event.recorded_at
    )


def _exceptions(page: _Page) -> Iterator[Entry]:
    rows = ReadingException.objects.filter(page.scope.within).annotate(at=F("time"))
    for row in page.newest(rows.select_related("closed_by", "source")):
        row.register = page.scope.registers[row.register_id]
        kind = Kind.GAP if row.code == RuleCode.GAP else Kind.EXCEPTION
        yield Entry(kind=kind, at=row.time, until=row.until, recorded_at=row.opened_at, row=row)


def _corrections(page: _Page) -> Iterator[Entry]:
    rows = Correction.objects.filter(page.scope.within).annotate(
        at=F("time"), count=Count("superseded"), last=Max("superseded__time")
    )
    for row in page.newest(rows.select_related("made_by", "source")):
        row.register = page.scope.registers[row.register_id]
        until = row.last if row.count > 1 else None
        yield Entry(kind=Kind.CORRECTION, at=row.time, until=until, recorded_at=row.made_at, row=row)


def _superseded(page: _Page) -> Iterator[Entry]:
    """Tell of what gave way at one go; what a correction replaced is told by the correction."""
    alike = SupersededReading.objects.filter(page.scope.within, correction=None).order_by()
    groups = alike.values("register_id", "reason", "superseded_at").annotate(
        at=Min("time"), end=Max("time"), count=Count("id"), least=Min("value")
    )
    for group in page.newest(groups):
        stretch = Stretch(
            register=page.scope.registers[group["register_id"]],
            start=group["at"],
            end=group["end"],
            count=group["count"],
            label=SupersededReading.Reason(group["reason"]).label,
            value=group["least"] if group["count"] == 1 else None,
        )
        yield _of_stretch(Kind.SUPERSEDED, stretch, group["superseded_at"])


def _estimates(page: _Page) -> Iterator[Entry]:
    """Tell of estimates that stand: by day, days that follow on one another as one."""
    since = {
        key: register.state.estimated_from
        for key, register in page.scope.registers.items()
        if hasattr(register, "state") and register.state.estimated_from is not None
    }
    if not since:
        return
    rows = RegisterReading.objects.filter(
        page.scope.within, register_id__in=list(since), time__gte=min(since.values()), quality__in=ESTIMATES
    )
    days = (
        rows.annotate(day=TruncDay("time", tzinfo=zone(settings.SITE_ZONE)))
        .values("register_id", "quality", "day")
        .annotate(start=Min("time"), end=Max("time"), count=Count("time"), known_at=Max("received_at"))
        .order_by("register_id", "quality", "day")
    )
    standing: list[tuple[Stretch, datetime]] = []
    for day in days:
        stretch = Stretch(
            register=page.scope.registers[day["register_id"]],
            start=day["start"],
            end=day["end"],
            count=day["count"],
            label=day["quality"],
        )
        if standing and _follows(standing[-1][0], stretch):
            earlier, known_at = standing.pop()
            stretch = replace(stretch, start=earlier.start, count=earlier.count + stretch.count)
            day["known_at"] = max(known_at, day["known_at"])
        standing.append((stretch, day["known_at"]))
    for stretch, known_at in standing:
        yield _of_stretch(Kind.ESTIMATE, stretch, known_at)


def _follows(earlier: Stretch, later: Stretch) -> bool:
    alike = (earlier.register.pk, earlier.label) == (later.register.pk, later.label)
    return alike and later.start - earlier.end == HALF_HOUR


def _of_stretch(kind: Kind, stretch: Stretch, recorded_at: datetime) -> Entry:
    until = stretch.end if stretch.count > 1 else None
    return Entry(kind=kind, at=stretch.start, until=until, recorded_at=recorded_at, row=stretch)
