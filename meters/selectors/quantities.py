"""What a bill rests on: energy between cuts, with the reads behind it, for many accounts at once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from energy_portal.shared.clock import Period
from meters.consumption import UNKNOWN, Chain, Role
from meters.models import Binding
from meters.models.places import Commodity
from meters.selectors.flows import Direction, as_period, stays_at
from meters.selectors.measuring import Question, chains_of


@dataclass(frozen=True)
class QuantityRequest:
    """An account, and the instants between which its energy is wanted: n cuts make n - 1 stretches."""

    account_id: UUID
    cuts: tuple[datetime, ...]


@dataclass(frozen=True)
class ReadUsed:
    """A value on the dial that an energy was computed from, before the register's multiplier.

    Of half-hours two stand for all: nothing where their summing began, and what they add up to.
    """

    serial: str
    register_code: str
    time: datetime
    value: Decimal
    quality: int
    role: Role


@dataclass(frozen=True)
class MeteredQuantity:
    """The energy of one service point in one stretch between two cuts.

    ``energy_kwh`` is None, and ``complete`` False, unless both ends of the stretch and everything between are known.
    The stretch is cut to the account's binding.
    """

    service_point_id: UUID
    service_point_code: str
    period: Period
    energy_kwh: Decimal | None
    complete: bool
    estimated_share: Decimal
    reads: tuple[ReadUsed, ...]


def metered_quantities(
    *,
    requests: Sequence[QuantityRequest],
    now: datetime,
    as_of: datetime | None = None,
    direction: str = Direction.IMPORT,
) -> dict[UUID, list[MeteredQuantity]]:
    """Return the metered quantities of many accounts, in four queries; accounts without any are left out.

    A stretch that has not ended at ``now`` is not known. Of each account they are in the order of service point and
    time.

    :param as_of: when they were known; now unless told.
    :param direction: what came in, or what went out.
    """
    cuts = {request.account_id: sorted(set(request.cuts)) for request in requests if len(set(request.cuts)) > 1}
    if not cuts:
        return {}
    whole = Period(min(each[0] for each in cuts.values()), max(each[-1] for each in cuts.values()))
    bound = Binding.objects.filter(
        account_id__in=cuts,
        service_point__commodity=Commodity.ELECTRIC,
        valid__overlap=DateTimeTZRange(whole.start, whole.end),
    ).order_by("service_point__code", "valid")
    bindings = list(bound.values_list("account_id", "service_point_id", "service_point__code", "valid"))
    stays = stays_at({point_id for _, point_id, _, _ in bindings}, whole, direction=direction)
    stretches = [
        stretch
        for account_id, point_id, code, valid in bindings
        for stretch in _stretches(account_id, point_id, code, as_period(valid), cuts[account_id])
    ]
    chains = chains_of(
        [Question(stays=stays.get(each.service_point_id, ()), instants=each.instants) for each in stretches],
        as_of=as_of,
    )
    latest = now if as_of is None else min(now, as_of)
    found: dict[UUID, list[MeteredQuantity]] = defaultdict(list)
    for stretch, chain in zip(stretches, chains, strict=True):
        found[stretch.account_id] += (_quantity(stretch, chain, piece, latest) for piece in stretch.pieces)
    return dict(found)


@dataclass(frozen=True)
class _Stretch:
    """What one binding has of an account's cuts."""

    account_id: UUID
    service_point_id: UUID
    service_point_code: str
    pieces: tuple[Period, ...]

    @property
    def instants(self) -> tuple[datetime, ...]:
        return (*(piece.start for piece in self.pieces), self.pieces[-1].end)


def _stretches(account_id: UUID, point_id: UUID, code: str, valid: Period, cuts: Sequence[datetime]) -> list[_Stretch]:
    part = Period(cuts[0], cuts[-1]).intersect(valid)
    return [_Stretch(account_id, point_id, code, tuple(part.split_at(*cuts)))] if part else []


def _quantity(stretch: _Stretch, chain: Chain, piece: Period, latest: datetime) -> MeteredQuantity:
    energy = chain.between(piece.start, piece.end) if piece.end <= latest else UNKNOWN
    return MeteredQuantity(
        service_point_id=stretch.service_point_id,
        service_point_code=stretch.service_point_code,
        period=piece,
        energy_kwh=energy.amount,
        complete=energy.complete,
        estimated_share=energy.estimated_share,
        reads=tuple(
            ReadUsed(serial, code, read.time, read.value, read.quality, read.role)
            for (serial, code), read in energy.reads
        ),
    )
