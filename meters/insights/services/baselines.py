"""What is usual of each service point is learnt anew every week, from the weeks before."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from energy_portal.shared.clock import local_day
from energy_portal.shared.clock import zone as zone_named
from meters.insights.clockwork import slot_of
from meters.insights.models import Baseline, Subject
from meters.insights.selectors.series import half_hour_grids
from meters.insights.selectors.subjects import Series, series_page, zones
from meters.insights.spotting import Usual, usual_of

PAGE = 300
DAYS = 57
# Less than a week, so that whoever comes every hour is through with all by then.
FRESH = timedelta(days=6, hours=12)
_LEARNT = ("cohort", "zone", "made_at", "until", "median", "spread", "figures")


def refresh_baselines(*, now: datetime, until: datetime | None = None, most: int | None = None) -> int:
    """Learn what is usual of service points of which that was not done within a week; returns of how many.

    Page by page, each in a transaction of its own: what dies midway goes on where it was. Harmless when several do so.

    :param until: nothing at or after it is looked at; each clock's last midnight unless told.
    :param most: of how many about; of all unless told.
    """
    made = 0
    for name in zones():
        zone = zone_named(name)
        known_until = until or local_day(now.astimezone(zone).date(), zone).start
        after = ""
        while page := series_page(kind=Subject.SERVICE_POINT, zone=name, at=now, after=after, limit=PAGE):
            made += learn_usual(series=_due(page, now), until=known_until, now=now)
            after = page[-1].subject
            if most is not None and made >= most:
                return made
    return made


@transaction.atomic
def learn_usual(*, series: Sequence[Series], until: datetime, now: datetime) -> int:
    """Learn what is usual of service points of a clock; returns of how many enough is known.

    Where it is not any more, since somebody else lives there, what was learnt is forgotten.
    """
    if not series:
        return 0
    grids = half_hour_grids(series, until=until, days=DAYS)
    usuals = [usual_of(grid, until=slot_of(until, each.zone)) for each, grid in zip(series, grids, strict=True)]
    rows = [
        _row(each, usual, until=until, now=now) for each, usual in zip(series, usuals, strict=True) if usual is not None
    ]
    Baseline.objects.bulk_create(
        rows, update_conflicts=True, update_fields=_LEARNT, unique_fields=("subject_kind", "subject")
    )
    unknown = {each.subject for each, usual in zip(series, usuals, strict=True) if usual is None}
    Baseline.objects.filter(subject_kind=Subject.SERVICE_POINT, subject__in=unknown).delete()
    return len(rows)


def _due(page: Sequence[Series], now: datetime) -> list[Series]:
    fresh = Baseline.objects.filter(
        subject_kind=Subject.SERVICE_POINT, subject__in=[each.subject for each in page], made_at__gt=now - FRESH
    )
    known = set(fresh.values_list("subject", flat=True))
    return [each for each in page if each.subject not in known]


def _row(series: Series, usual: Usual, *, until: datetime, now: datetime) -> Baseline:
    return Baseline(
        subject_kind=series.kind,
        subject=series.subject,
        cohort=series.cohort,
        zone=str(series.zone),
        made_at=now,
        until=until,
        median=usual.median.tolist(),
        spread=usual.spread.tolist(),
        figures=dict(_without_nan(usual.figures)),
    )


def _without_nan(figures: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield figures as JSON knows them: what is not known is null."""
    for name, told in figures.items():
        yield name, _plain(told)


def _plain(told: Any) -> Any:
    match told:
        case dict():
            return {name: _plain(each) for name, each in told.items()}
        case list():
            return [_plain(each) for each in told]
        case float() if not math.isfinite(told):
            return None
        case _:
            return told
