"""The stretches of time in which what a meter counts, or an account uses, is asked for."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from energy_portal.shared.clock import Period
from meters.models import Binding
from meters.selectors.flows import ALWAYS, Stay, as_period, stays_at, stays_of
from meters.selectors.rollups import Stretch


def meter_stretches(
    within: Mapping[UUID, Sequence[Period] | None], period: Period, *, direction: str
) -> dict[UUID, list[Stretch]]:
    """Return, by meter, where and when it hung during a period; one query.

    :param within: by meter the periods to keep to; None where all of it is asked for.
    """
    stays = stays_of(within, period, direction=direction)
    return {
        meter_id: [Stretch(part, (stay,)) for stay in stays.get(meter_id, ()) for part in _parts(stay, period, seen)]
        for meter_id, seen in within.items()
    }


def supply_stretches(
    periods: Mapping[UUID, Period], period: Period, *, commodity: str, direction: str
) -> dict[UUID, list[Stretch]]:
    """Return, by account, where it was supplied, with the meters that hung there; two queries.

    :param periods: by account the part of ``period`` that is asked for.
    """
    bound = Binding.objects.filter(
        account_id__in=periods,
        service_point__commodity=commodity,
        valid__overlap=DateTimeTZRange(period.start, period.end),
    )
    bindings = list(bound.order_by("valid", "id").values_list("account_id", "service_point_id", "valid"))
    stays = stays_at({point_id for _, point_id, _ in bindings}, period, direction=direction)
    found: dict[UUID, list[Stretch]] = defaultdict(list)
    for account_id, point_id, valid in bindings:
        part = as_period(valid).intersect(periods[account_id])
        if part is not None:
            found[account_id].append(Stretch(part, stays.get(point_id, ())))
    return found


def _parts(stay: Stay, period: Period, within: Sequence[Period] | None) -> Iterator[Period]:
    inside = stay.period.intersect(period)
    if inside is not None:
        parts = (inside.intersect(part) for part in ([ALWAYS] if within is None else within))
        yield from (part for part in parts if part is not None)
