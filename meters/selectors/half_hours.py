"""The half-hours that accounts used, as arrays: what a bill by the hour is rated on, for many accounts at once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import numpy as np
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from energy_portal.shared.clock import HALF_HOUR, Period
from energy_portal.shared.clock import zone as zone_named
from meters import store
from meters.halfhours import Axis, HalfHours, from_chain, from_steps, steps_of
from meters.models import Binding
from meters.models.places import Commodity
from meters.selectors.flows import CountedRegister, Direction, Stay, as_period, stays_at
from meters.selectors.measuring import Question, chains_of
from meters.series.columns import micros_of
from meters.store.profiles import DialColumn
from meters.store.reads import MarkRow

_MICROS_A_UNIT = 1_000_000
_MICROS_A_HALF_HOUR = HALF_HOUR.seconds * 1_000_000
_BINDING = (
    "account_id",
    "service_point_id",
    "service_point__code",
    "service_point__service_class",
    "service_point__premises__zone",
    "valid",
)


@dataclass(frozen=True)
class ProfileRequest:
    """An account, and the period of which its half-hours are wanted."""

    account_id: UUID
    period: Period


@dataclass(frozen=True)
class PointProfile:
    """The half-hours of one service point in the part of a period in which an account was supplied there.

    ``exported`` is None where it was not asked for, and where no meter that hung there counts what goes out.
    """

    service_point_id: UUID
    service_point_code: str
    service_class: str
    zone: str
    period: Period
    imported: HalfHours
    exported: HalfHours | None


def metered_half_hours(
    *, requests: Sequence[ProfileRequest], now: datetime, as_of: datetime | None = None, exports: bool = False
) -> dict[UUID, list[PointProfile]]:
    """Return the half-hours of many accounts, in at most seven queries a direction; accounts without any are left out.

    Of each account they are in the order of service point and time. What comes in adds up to what
    :func:`meters.selectors.quantities.metered_quantities` tells of the same period. A half-hour that has not ended at
    ``now`` is not known. Where one dial hung all the time, which is nearly everywhere, its readings become arrays
    without a step a reading; whatever else happened is measured along the chain of meters.

    :param as_of: when they were known; now unless told.
    :param exports: whether what went out is wanted, too.
    """
    if not requests:
        return {}
    whole = Period(min(each.period.start for each in requests), max(each.period.end for each in requests))
    bindings = _bindings({each.account_id for each in requests}, whole)
    latest = now if as_of is None else min(now, as_of)
    places = [
        _Place(supplied, Axis.of(part, zone_named(supplied.zone), latest))
        for each in requests
        for supplied in bindings.get(each.account_id, ())
        if (part := supplied.valid.intersect(each.period)) is not None
    ]
    imported = _measured(places, whole, Direction.IMPORT, as_of)
    exported = _measured(places, whole, Direction.EXPORT, as_of) if exports else [None] * len(places)
    found: dict[UUID, list[PointProfile]] = defaultdict(list)
    for place, came, went in zip(places, imported, exported, strict=True):
        of_account, point_id, code, service_class, zone, _ = place.supplied
        profile = HalfHours.unknown(place.axis.start, place.axis.count) if came is None else came
        found[of_account].append(PointProfile(point_id, code, service_class, zone, place.axis.period, profile, went))
    return dict(found)


class _Supplied(NamedTuple):
    """An account's binding to a service point."""

    account_id: UUID
    point_id: UUID
    code: str
    service_class: str
    zone: str
    valid: Period


class _Place(NamedTuple):
    """Where an account is supplied, and the half-hours that are wanted of it."""

    supplied: _Supplied
    axis: Axis


def _bindings(account_ids: set[UUID], whole: Period) -> dict[UUID, list[_Supplied]]:
    bound = Binding.objects.filter(
        account_id__in=account_ids,
        service_point__commodity=Commodity.ELECTRIC,
        valid__overlap=DateTimeTZRange(whole.start, whole.end),
    ).order_by("service_point__code", "valid")
    found: dict[UUID, list[_Supplied]] = defaultdict(list)
    for account_id, point_id, code, service_class, zone, valid in bound.values_list(*_BINDING):
        found[account_id].append(_Supplied(account_id, point_id, code, service_class, zone, as_period(valid)))
    return found


def _measured(
    places: Sequence[_Place], whole: Period, direction: Direction, as_of: datetime | None
) -> list[HalfHours | None]:
    """Return the half-hours of a direction at each place; None where nothing counts it."""
    stays = stays_at({place.supplied.point_id for place in places}, whole, direction=direction)
    found: list[HalfHours | None] = [None] * len(places)
    if as_of is None:
        for at, told in _of_dials(places, stays).items():
            found[at] = told
    left = [
        at for at, place in enumerate(places) if found[at] is None and _counts(stays.get(place.supplied.point_id, ()))
    ]
    axes = [places[at].axis for at in left]
    questions = [_question(places[at].axis, stays[places[at].supplied.point_id]) for at in left]
    for at, axis, chain in zip(left, axes, chains_of(questions, as_of=as_of), strict=True):
        found[at] = from_chain(axis, chain)
    return found


def _counts(stays: Sequence[Stay]) -> bool:
    return any(stay.registers for stay in stays)


def _question(axis: Axis, stays: Sequence[Stay]) -> Question:
    instants = (axis.period.start, max(axis.limit, axis.period.start + HALF_HOUR))
    return Question(stays=stays, instants=instants, fully=True)


def _of_dials(places: Sequence[_Place], stays: Mapping[UUID, Sequence[Stay]]) -> dict[int, HalfHours]:
    """Return the half-hours of the places where one dial alone tells them, by the place's number."""
    dials = {
        at: dial
        for at, place in enumerate(places)
        if (dial := _dial(place.axis, stays.get(place.supplied.point_id, ())))
    }
    if not dials:
        return {}
    factors = _factors(dials, places)
    plain = [at for at in dials if at in factors]
    windows = [store.Window(dials[at].register_id, places[at].axis.start, places[at].axis.limit) for at in plain]
    columns = store.profiles.dial_columns(windows)
    told = {
        at: _half_hours(places[at].axis, dials[at], factors[at], column)
        for at, column in zip(plain, columns, strict=True)
        if column is not None
    }
    return {at: half_hours for at, half_hours in told.items() if half_hours is not None}


def _dial(axis: Axis, stays: Sequence[Stay]) -> CountedRegister | None:
    """Return the one dial that counts all through a period, if there is one and the period is of whole half-hours."""
    hung = [stay for stay in stays if stay.period.start < axis.period.end and stay.period.end > axis.period.start]
    if len(hung) != 1 or not axis.is_whole or not axis.marks:
        return None
    (stay,) = hung
    all_through = stay.period.start <= axis.period.start and stay.period.end >= axis.period.end
    return stay.registers[0] if all_through and len(stay.registers) == 1 and not stay.registers[0].is_interval else None


def _factors(dials: Mapping[int, CountedRegister], places: Sequence[_Place]) -> dict[int, Decimal]:
    """Return the multiplier of each dial to which nothing happened during its place's period; others are left out."""
    axes = [places[at].axis for at in dials]
    low, high = min(axis.start for axis in axes), max(axis.limit for axis in axes)
    events: dict[int, list[MarkRow]] = defaultdict(list)
    for mark in store.reads.marks_of({dial.register_id for dial in dials.values()}, low, high):
        if mark.kind is not None:
            events[mark.register_id].append(mark)
    found = {}
    for at, dial in dials.items():
        axis, own = places[at].axis, events.get(dial.register_id, ())
        if any(axis.start <= event.at <= axis.limit for event in own):
            continue
        changes = [event for event in own if event.multiplier is not None]
        before = [event.multiplier for event in changes if event.at < axis.start] or [
            event.multiplier for event in changes[:1]
        ]
        factor = before[-1] if before else dial.multiplier
        found[at] = (factor or dial.multiplier) * dial.scale
    return found


def _half_hours(axis: Axis, dial: CountedRegister, factor: Decimal, column: DialColumn) -> HalfHours | None:
    """Return a dial's half-hours; None where a read lies beside the marks, or one is missing at the period's ends.

    Lines may lead to such an end. The end of a period that still runs may be missing: what is beyond is not known.
    """
    marks, beside = np.divmod(column.times - micros_of(axis.start), _MICROS_A_HALF_HOUR)
    ended = axis.limit == axis.period.end
    if not marks.size or beside.any() or marks[0] != 0 or (ended and marks[-1] != axis.count):
        return None
    steps = steps_of(column.values, modulus=int(dial.modulus) * _MICROS_A_UNIT, factor=factor)
    if steps is None:
        return None
    estimates = np.isin(column.times, column.estimated_times, assume_unique=True)
    return from_steps(axis, marks, steps, estimates)
