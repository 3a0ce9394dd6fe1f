"""What a customer should know about their readings, in plain words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.pages.windows import DAY, days_in_words
from billing.selectors.overview import Overview
from meters.selectors.consumption import Interval

LATE_AFTER = timedelta(days=2)
GAPS_LOOKED_FOR = timedelta(days=31)
GAPS_TOLD = 3


@dataclass(frozen=True)
class Notice:
    """One thing to know, and what follows from it."""

    kind: str
    title: str
    text: str


def in_percent(share: Decimal) -> str:
    """Say a share as a whole percentage; a small one is never rounded to nothing."""
    return _("Less than 1 %") if 0 < share < Decimal("0.005") else f"{100 * share:.0f} %"


def notices_of(overview: Overview, *, zone: ZoneInfo, now: datetime) -> tuple[Notice, ...]:
    """List what to know now: late readings, gaps, estimates; nothing when all is well."""
    return (*_late(overview, zone, now), *_gaps(overview, zone, now), *_estimates(overview))


def _late(overview: Overview, zone: ZoneInfo, now: datetime) -> Iterator[Notice]:
    until = overview.measured_until
    if until is None:
        yield Notice(
            "info",
            _("No readings yet"),
            _(
                "Your meter has not sent anything in the last twelve weeks. Figures appear here with its first "
                "readings."
            ),
        )
    elif now - until > LATE_AFTER:
        last = until.astimezone(zone)
        yield Notice(
            "warn",
            _("No readings since %(day)s") % {"day": date_format(last, _("j F"))},
            _(
                "Your meter has been quiet since then. What you use is still counted on its dial and will be added "
                "when it is heard again; you need not do anything."
            ),
        )


def _gaps(overview: Overview, zone: ZoneInfo, now: datetime) -> Iterator[Notice]:
    known = [interval for interval in overview.days if interval.start >= now - GAPS_LOOKED_FOR]
    gaps = _runs_of_missing(known, zone)
    if not gaps:
        return
    told = ", ".join(days_in_words(first, last) for first, last in gaps[:GAPS_TOLD])
    if len(gaps) > GAPS_TOLD:
        told = _("%(days)s and %(count)s more") % {"days": told, "count": len(gaps) - GAPS_TOLD}
    yield Notice(
        "warn",
        _("Readings are missing for %(days)s") % {"days": told},
        _(
            "These days are left blank, not counted as zero. The energy is not lost: the next reading of the dial "
            "covers it."
        ),
    )


def _runs_of_missing(days: Sequence[Interval], zone: ZoneInfo) -> list[tuple[date, date]]:
    """Join neighbouring days without energy; those before the first known and after the last one are not gaps."""
    known = [index for index, interval in enumerate(days) if interval.energy_kwh is not None]
    if not known:
        return []
    runs: list[tuple[date, date]] = []
    for interval in days[known[0] : known[-1]]:
        if interval.energy_kwh is not None:
            continue
        day = interval.start.astimezone(zone).date()
        joins = bool(runs) and runs[-1][1] == day - DAY
        runs[-1:] = [(runs[-1][0], day)] if joins else [*runs[-1:], (day, day)]
    return runs


def _estimates(overview: Overview) -> Iterator[Notice]:
    share = overview.so_far.estimated_share if overview.so_far else Decimal(0)
    if share:
        yield Notice(
            "info",
            _("%(share)s of this month is estimated") % {"share": in_percent(share)},
            _(
                "Some readings did not arrive, so they were estimated from what came before and after. True readings "
                "replace them as soon as they come."
            ),
        )
