"""How much energy was used, when, and how well that is known.

Missing is never zero. The energy of a period is that of its known part, from the first to the last instant at which
the curve is known; ``complete`` tells whether that is all of it. So "today" shows what was used so far although the
newest half-hours may still be on their way, and a month with a missing edge shows what is certain. An edge between
two reads at most two hours apart is taken from the line between them and counts as estimated. Intervals of a series
are stricter: each is wholly known or None, half-hours from reads at both their ends alone; only the last interval of
a period that still runs shows its part so far.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import CustomerAccount
from energy_portal.shared.clock import Period
from energy_portal.shared.clock import zone as zone_named
from meters.consumption import ESTIMATES, UNKNOWN, Chain, Energy, total
from meters.models import Binding, Installation, Meter
from meters.models.places import Commodity
from meters.selectors.measuring import ALWAYS, Question, Stay, as_period, chains_of, stays_at, stays_of
from meters.selectors.periods import Granularity, InvalidPeriod, PeriodName, ended, named_period, pieces

__all__ = [
    "Consumption",
    "Granularity",
    "Interval",
    "InvalidPeriod",
    "PeriodName",
    "account_consumption",
    "account_period",
    "accounts_consumption",
    "meter_consumption",
    "meter_period",
    "meter_zone",
    "named_period",
]

LATEST_LOOK_BACK = timedelta(hours=24)
_ZERO = Decimal(0)


@dataclass(frozen=True)
class Interval:
    """The energy of one stretch of a series, kWh; ``energy_kwh`` and ``quality`` are None where it is not known."""

    start: datetime
    end: datetime
    energy_kwh: Decimal | None
    quality: int | None
    estimated: bool


@dataclass(frozen=True)
class Consumption:
    """What was used in a period, kWh.

    ``period`` ends with the last half-hour that has ended. ``energy_kwh`` is the energy of its known part, None where
    nothing is known; ``complete`` tells whether the known part is all of it. ``estimated_share`` is 0 to 1, of
    ``energy_kwh``. ``as_of`` is when this was known.
    """

    period: Period
    energy_kwh: Decimal | None
    complete: bool
    estimated_share: Decimal
    as_of: datetime
    series: tuple[Interval, ...]


@dataclass(frozen=True)
class _Stretch:
    """A part of a period in which a chain of stays counts."""

    period: Period
    stays: Sequence[Stay]


@dataclass(frozen=True)
class _Axis:
    """What is asked of stretches: the period up to the last mark, and its pieces where a series is wanted."""

    period: Period
    runs: bool
    granularity: Granularity | None
    pieces: Sequence[Period]
    known_at: datetime

    @classmethod
    def of(cls, period: Period, granularity: Granularity | None, zone: ZoneInfo, known_at: datetime) -> "_Axis":
        cut = ended(period, known_at, zone)
        parts = pieces(cut, granularity, zone) if granularity else ()
        return cls(cut, cut.end < period.end, granularity, parts, known_at)

    def question(self, stretch: _Stretch) -> Question:
        inner = (piece.start for piece in self.pieces if stretch.period.start < piece.start < stretch.period.end)
        return Question(
            stays=stretch.stays,
            instants=(stretch.period.start, *inner, stretch.period.end),
            fully=self.granularity is Granularity.HALF_HOUR,
            partly=True,
        )


def account_consumption(
    *,
    account: CustomerAccount,
    period: Period,
    granularity: Granularity | None,
    now: datetime,
    as_of: datetime | None = None,
) -> Consumption:
    """Return what an account used in a period: at all places where it was supplied, while it was.

    Energy that its meters sent out is not subtracted. Series follow the account's clock.

    :param as_of: when it was known; now unless told.
    :raises InvalidPeriod: more intervals than an answer may hold.
    """
    found = accounts_consumption(accounts=[account], period=period, granularity=granularity, now=now, as_of=as_of)
    return found[account]


def accounts_consumption(
    *,
    accounts: Sequence[CustomerAccount],
    period: Period,
    granularity: Granularity | None,
    now: datetime,
    as_of: datetime | None = None,
) -> dict[CustomerAccount, Consumption]:
    """Return what each of several accounts used, in six queries.

    :param as_of: when it was known; now unless told.
    :raises InvalidPeriod: more intervals than an answer may hold.
    """
    known_at = _known_at(now, as_of)
    axes = {account.pk: _Axis.of(period, granularity, zone_named(account.zone), known_at) for account in accounts}
    bound = Binding.objects.filter(
        account_id__in=axes,
        service_point__commodity=Commodity.ELECTRIC,
        valid__overlap=DateTimeTZRange(period.start, period.end),
    )
    bindings = list(bound.order_by("valid", "id").values_list("account_id", "service_point_id", "valid"))
    stays = stays_at({point_id for _, point_id, _ in bindings}, period)
    asked: dict[UUID, list[_Stretch]] = {account.pk: [] for account in accounts}
    for account_id, point_id, valid in bindings:
        part = as_period(valid).intersect(axes[account_id].period)
        if part is not None:
            asked[account_id].append(_Stretch(part, stays.get(point_id, ())))
    measured = _measure([(axes[account.pk], asked[account.pk]) for account in accounts], as_of)
    return dict(zip(accounts, measured, strict=True))


def meter_consumption(
    *,
    meter: Meter,
    period: Period,
    granularity: Granularity | None,
    now: datetime,
    zone: ZoneInfo | None = None,
    within: Sequence[Period] | None = None,
    as_of: datetime | None = None,
) -> Consumption:
    """Return what one meter counted in a period, while it hung anywhere and, where given, ``within`` periods.

    It follows the meter, not the place: what was counted before or after an exchange is another meter's.

    :param zone: whose clock the series follow; by default that of the place where the meter hangs.
    :param as_of: when it was known; now unless told.
    :raises InvalidPeriod: more intervals than an answer may hold.
    """
    axis = _Axis.of(period, granularity, zone or meter_zone(meter=meter), _known_at(now, as_of))
    stretches = [
        _Stretch(part, (stay,))
        for stay in stays_of([meter.pk], period).get(meter.pk, ())
        for part in _parts(stay.period, axis.period, within)
    ]
    return _measure([(axis, stretches)], as_of)[0]


def account_period(
    *,
    account: CustomerAccount,
    name: PeriodName | str,
    now: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    as_of: datetime | None = None,
) -> Period:
    """Return the period that a name means for an account; the last 30 minutes are the newest known ones of a day.

    :param as_of: when they were known; the name means what it means now all the same.
    :raises InvalidPeriod: see :func:`named_period`.
    """
    period = named_period(name, now=now, zone=zone_named(account.zone), from_=from_, to=to)
    if name != PeriodName.LAST_30_MINUTES:
        return period
    return _newest_half_hour(
        period,
        lambda day: account_consumption(
            account=account, period=day, granularity=Granularity.HALF_HOUR, now=now, as_of=as_of
        ),
    )


def meter_period(
    *,
    meter: Meter,
    name: PeriodName | str,
    now: datetime,
    zone: ZoneInfo,
    from_: datetime | None = None,
    to: datetime | None = None,
    within: Sequence[Period] | None = None,
    as_of: datetime | None = None,
) -> Period:
    """Return the period that a name means for a meter; the last 30 minutes are the newest known ones of a day.

    :param as_of: when they were known; the name means what it means now all the same.
    :raises InvalidPeriod: see :func:`named_period`.
    """
    period = named_period(name, now=now, zone=zone, from_=from_, to=to)
    if name != PeriodName.LAST_30_MINUTES:
        return period
    return _newest_half_hour(
        period,
        lambda day: meter_consumption(
            meter=meter,
            period=day,
            granularity=Granularity.HALF_HOUR,
            now=now,
            zone=zone,
            within=within,
            as_of=as_of,
        ),
    )


def meter_zone(*, meter: Meter) -> ZoneInfo:
    """Return the zone of the place where a meter hangs, or hung last."""
    newest = Installation.objects.filter(meter=meter).order_by("-valid")
    name = newest.values_list("service_point__premises__zone", flat=True).first()
    return zone_named(name or settings.SITE_ZONE)


def _newest_half_hour(last: Period, consumption_of: Callable[[Period], Consumption]) -> Period:
    """Return the newest half-hour whose energy is known within a day before the end of ``last``, otherwise ``last``."""
    series = consumption_of(Period(last.end - LATEST_LOOK_BACK, last.end)).series
    known = (each for each in reversed(series) if each.energy_kwh is not None)
    return next((Period(each.start, each.end) for each in known), last)


def _parts(stay: Period, period: Period, within: Sequence[Period] | None) -> Iterable[Period]:
    inside = stay.intersect(period)
    if inside is None:
        return []
    parts = (inside.intersect(part) for part in ([ALWAYS] if within is None else within))
    return [part for part in parts if part is not None]


def _known_at(now: datetime, as_of: datetime | None) -> datetime:
    return now if as_of is None else min(now, as_of)


def _measure(asked: Sequence[tuple[_Axis, Sequence[_Stretch]]], as_of: datetime | None) -> list[Consumption]:
    questions = [axis.question(stretch) for axis, stretches in asked for stretch in stretches]
    chains = iter(chains_of(questions, as_of=as_of))
    return [_consumption(axis, [(stretch.period, next(chains)) for stretch in stretches]) for axis, stretches in asked]


def _consumption(axis: _Axis, stretches: Sequence[tuple[Period, Chain]]) -> Consumption:
    whole = total([chain.known_within(part.start, part.end) for part, chain in stretches])
    return Consumption(
        period=axis.period,
        energy_kwh=whole.kwh,
        complete=whole.complete,
        estimated_share=whole.estimated_share,
        as_of=axis.known_at,
        series=tuple(
            _interval(piece, axis, stretches, running=axis.runs and piece.end == axis.period.end)
            for piece in axis.pieces
        ),
    )


def _interval(piece: Period, axis: _Axis, stretches: Sequence[tuple[Period, Chain]], *, running: bool) -> Interval:
    half_hourly = axis.granularity is Granularity.HALF_HOUR
    parts: list[Energy] = []
    for period, chain in stretches:
        start, end = max(piece.start, period.start), min(piece.end, period.end)
        if start >= end:
            continue
        if running and not half_hourly:
            parts.append(chain.known_within(start, end))
        else:
            parts.append(chain.between(start, end, estimate=not half_hourly))
    energy = parts[0] if len(parts) == 1 else total(parts)
    if not (energy.complete or running):
        energy = UNKNOWN
    return Interval(
        start=piece.start,
        end=piece.end,
        energy_kwh=energy.kwh,
        quality=energy.quality,
        estimated=energy.estimated_kwh > _ZERO or energy.quality in ESTIMATES,
    )
