"""Where half-hours are missing: between true readings, and since the newest of a register that fell silent."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F, OuterRef, Subquery

from energy_portal.shared.clock import HALF_HOUR, Period, as_utc, floor_half_hour, local_day, zone
from meters import store
from meters.consumption import ESTIMATES
from meters.estimation import marks_between
from meters.models import ChainEvent, Installation, Meter, Register, RegisterReading, RegisterState
from meters.selectors.flows import as_period
from meters.store.gaps import readings_to_neighbours

Horizon = Callable[[ZoneInfo], datetime]


@dataclass(frozen=True)
class Hung:
    """A register while its meter hangs, or hung, at one place."""

    register: Register
    service_point_id: UUID
    commodity: str
    service_class: str
    zone: ZoneInfo
    stay: Period

    @property
    def is_dial(self) -> bool:
        return self.register.kind == Register.Kind.CUMULATIVE

    @property
    def newest(self) -> datetime | None:
        """When the newest true reading is of, wherever the register hung then."""
        state = getattr(self.register, "state", None)
        return state.last_time if state else None


@dataclass(frozen=True)
class Gap:
    """Half-hours of a register without a true reading, from the true reading before to the one after.

    :ivar end: None while nothing came after; ``until`` then is as far as it is looked at.
    :ivar missing: the marks at which nothing stands.
    :ivar estimated: the marks at which an estimate stands.
    """

    hung: Hung
    start: datetime
    end: datetime | None
    until: datetime
    missing: tuple[datetime, ...]
    estimated: tuple[datetime, ...]

    @property
    def register_id(self) -> int:
        return self.hung.register.pk


@dataclass(frozen=True, slots=True)
class Silent:
    """A register from which nothing true came since an instant; ``newest`` is of any reading, estimates included."""

    register_id: int
    since: datetime
    newest: datetime
    commodity: str
    service_class: str
    zone: ZoneInfo


@dataclass
class _Reads:
    """When something is known of a register: true readings, estimates, and reads of chain events."""

    true: set[datetime] = field(default_factory=set)
    estimated: set[datetime] = field(default_factory=set)
    opening: set[datetime] = field(default_factory=set)
    closing: set[datetime] = field(default_factory=set)

    def within(self, stay: Period) -> list[datetime]:
        """Return, in order, when something true is known during a stay, both ends included."""
        known = {time for time in self.true if stay.start <= time <= stay.end}
        known |= {time for time in self.opening if stay.start <= time < stay.end}
        known |= {time for time in self.closing if stay.start < time <= stay.end}
        return sorted(known)


def last_ended_day(now: datetime) -> Horizon:
    """Return how far a register that fell silent is estimated by itself: today is never invented."""
    return lambda site: local_day(now.astimezone(site).date(), site).start


def last_ended_mark(now: datetime) -> Horizon:
    """Return how far a register that fell silent is estimated when somebody asks for it."""
    return lambda site: as_utc(floor_half_hour(now.astimezone(site)))


def gaps_in(windows: Sequence[store.Window], *, horizon: Horizon) -> list[Gap]:
    """Return the gaps that meet windows, in the order of register and time, whether or not they are estimated.

    No gap crosses the stay of a meter at a place, and none begins before its first reading there. Four queries.

    :param windows: those of one register do not overlap.
    :param horizon: how far to look where nothing came after, on a place's clock.
    """
    hung = hung_registers({window.register_id for window in windows})
    reads = {window.register_id: _Reads() for window in windows}
    for register_id, time, _, quality in readings_to_neighbours(windows):
        (reads[register_id].estimated if quality in ESTIMATES else reads[register_id].true).add(time)
    _add_events(reads)
    asked: dict[int, list[store.Window]] = defaultdict(list)
    for window in windows:
        asked[window.register_id].append(window)
    found = []
    for register_id in sorted(asked):
        for stay in hung.get(register_id, ()):
            found += _gaps_of(stay, reads[register_id], asked[register_id], horizon)
    return found


def hung_registers(register_ids: Iterable[int]) -> dict[int, list[Hung]]:
    """Return where registers hang and hung, in the order of time. Two queries."""
    stays: dict[UUID, list[tuple[UUID, str, str, str, DateTimeTZRange]]] = defaultdict(list)
    installations = Installation.objects.filter(meter__registers__in=set(register_ids)).distinct().order_by("valid")
    for meter_id, *stay in installations.values_list(
        "meter_id",
        "service_point_id",
        "service_point__commodity",
        "service_point__service_class",
        "service_point__premises__zone",
        "valid",
    ):
        stays[meter_id].append((stay[0], stay[1], stay[2], stay[3], stay[4]))
    registers = Register.objects.filter(pk__in=set(register_ids)).select_related("state")
    return {
        register.pk: [
            Hung(
                register=register,
                service_point_id=service_point_id,
                commodity=commodity,
                service_class=service_class,
                zone=zone(site),
                stay=as_period(valid),
            )
            for service_point_id, commodity, service_class, site, valid in stays[register.meter_id]
        ]
        for register in registers
    }


def silent_registers(*, before: datetime) -> list[Silent]:
    """Return the registers on active meters that hang whose newest true reading is older than an instant, by their ids.

    One query: a scan of the states, and a descent of the key for each that is found.
    """
    newest = RegisterReading.objects.filter(register=OuterRef("register_id"), time__gte=OuterRef("last_time"))
    place = "register__meter__installations__service_point__"
    states = RegisterState.objects.filter(
        last_time__lt=before,
        register__meter__status=Meter.Status.ACTIVE,
        register__meter__installations__valid__upper_inf=True,
        register__meter__installations__valid__startswith__lte=F("last_time"),
    )
    rows = states.order_by("register_id").values_list(
        "register_id",
        "last_time",
        Subquery(newest.order_by("-time").values("time")[:1]),
        f"{place}commodity",
        f"{place}service_class",
        f"{place}premises__zone",
    )
    return [
        Silent(register_id, since, newest or since, commodity, service_class, zone(site))
        for register_id, since, newest, commodity, service_class, site in rows
    ]


def joined(windows: Iterable[store.Window]) -> list[store.Window]:
    """Return windows with those of one register that overlap or touch as one, in the order of register and time."""
    found: list[store.Window] = []
    for window in sorted(windows, key=attrgetter("register_id", "low")):
        last = found[-1] if found else None
        if last is not None and last.register_id == window.register_id and window.low <= last.high:
            found[-1] = store.Window(window.register_id, last.low, max(last.high, window.high))
        else:
            found.append(window)
    return found


def _add_events(reads: Mapping[int, _Reads]) -> None:
    events = ChainEvent.objects.filter(register_id__in=list(reads), value__isnull=False).order_by()
    for register_id, at, kind in events.values_list("register_id", "at", "kind"):
        known = reads[register_id]
        (known.closing if kind == ChainEvent.Kind.REMOVED else known.opening).add(at)


def _gaps_of(hung: Hung, reads: _Reads, asked: Sequence[store.Window], horizon: Horizon) -> list[Gap]:
    known = reads.within(hung.stay)
    if not known:
        return []
    found = [_gap(hung, start, end, end, reads) for start, end in pairwise(known) if end - start > HALF_HOUR]
    until = min(horizon(hung.zone), hung.stay.end)
    if until > known[-1] and (hung.newest is None or hung.newest <= known[-1]):
        found.append(_gap(hung, known[-1], None, until, reads))
    return [
        gap
        for gap in found
        if (gap.missing or gap.estimated)
        and any(window.low <= gap.until and gap.start <= window.high for window in asked)
    ]


def _gap(hung: Hung, start: datetime, end: datetime | None, until: datetime, reads: _Reads) -> Gap:
    marks = marks_between(start, end or until + timedelta.resolution, hung.zone)
    return Gap(
        hung=hung,
        start=start,
        end=end,
        until=until,
        missing=tuple(mark for mark in marks if mark not in reads.estimated),
        estimated=tuple(mark for mark in marks if mark in reads.estimated),
    )
