"""Half-hours are scored as they arrive: whatever a write of readings touched, many service points at a time.

The log of writes is worked off by whoever comes; who scores a subject has its baseline to himself until the end.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from energy_portal.shared.clock import HALF_HOUR
from meters.insights.clockwork import SLOTS_A_DAY, Grid, instant_of, slot_of
from meters.insights.models import Anomaly, Subject
from meters.insights.selectors.series import half_hour_grids
from meters.insights.selectors.subjects import Series, series_named
from meters.insights.selectors.verdicts import cells_between
from meters.insights.services.detectors import detectors_in_force
from meters.insights.services.settling import Finding, Stretch, settle
from meters.insights.spotting import Episode, Scored, Usual, episodes, score_recent
from meters.insights.spotting.joining import LEAD
from meters.insights.store.baselines import BaselineRow, Seen, note_scored, take_baselines
from meters.models import Installation, ReadingWork

AT_ONCE = 1_000
# What comes later than this is kept, but nobody is alerted by it any more.
LOOK_BACK = timedelta(days=7)
# How far before the first half-hour to be scored detectors look, and the day in which that lies.
_LEAD_DAYS = LEAD // SLOTS_A_DAY + 1
_DAY = timedelta(days=1)
# A stretch may begin in half-hours that did not open it by themselves.
_OVERLAP_SLOTS = 3
_LEAST_KNOWN = timedelta(weeks=3)


@dataclass(frozen=True, eq=False)
class Watched:
    """A subject of which half-hours are to be scored from ``since`` on; ``again`` where some were scored before."""

    series: Series
    row: BaselineRow
    since: datetime
    again: bool

    @property
    def usual(self) -> Usual:
        """What is usual of it."""
        return Usual(slot_of(self.row.until, self.series.zone), self.row.median, self.row.spread, self.row.figures)


@transaction.atomic
def score_arrivals(*, now: datetime, limit: int = AT_ONCE) -> int:
    """Score what was written since, and settle what does not fit; returns how many notes of work are done.

    Only the days that the detectors need are read, and a number of statements that does not grow with the subjects.

    :param limit: the most registers at once.
    """
    taken = _take(limit)
    if not taken:
        return 0
    lows = _places(taken, now=now)
    watched = _watched(lows, now=now)
    findings: list[Finding] = []
    seen: list[Seen] = []
    for some in _alike(watched, now=now):
        for each, scored, grid in _scored(some, now=now):
            finding, noted = _look(each, scored, grid)
            findings.append(finding)
            seen.append(noted)
    note_scored(seen)
    settle(kind=Subject.SERVICE_POINT, findings=findings, now=now)
    return len(taken)


def _take(limit: int) -> list[ReadingWork]:
    """Take work off the log, as much as fits; of a piece that is too large a part stays there."""
    waiting = ReadingWork.objects.filter(purpose=ReadingWork.Purpose.SCORING).order_by("id")
    taken: list[ReadingWork] = []
    room = limit
    for work in waiting.select_for_update(skip_locked=True)[:limit]:
        now, later = work.register_ids[:room], work.register_ids[room:]
        if later:
            if not taken:
                work.register_ids = later
                work.save(update_fields=("register_ids",))
                taken.append(ReadingWork(register_ids=now, low=work.low, high=work.high))
            break
        taken.append(work)
        room -= len(now)
        if not room:
            break
    ReadingWork.objects.filter(pk__in=[work.pk for work in taken if work.pk is not None]).delete()
    return taken


def _places(taken: Iterable[ReadingWork], *, now: datetime) -> dict[str, datetime]:
    """Return the service points whose half-hours were touched lately, and from when on. One query."""
    lows: dict[int, datetime] = {}
    for work in taken:
        # What ends at an instant and what begins there are both touched.
        low = work.low - HALF_HOUR
        if work.high > now - LOOK_BACK:
            lows.update((key, min(low, lows.get(key, low))) for key in work.register_ids)
    if not lows:
        return {}
    hung = Installation.objects.filter(
        meter__registers__in=list(lows), valid__overlap=DateTimeTZRange(now - LOOK_BACK, None)
    )
    found: dict[str, datetime] = {}
    for register_id, code in hung.values_list("meter__registers", "service_point__code"):
        if register_id in lows:
            found[code] = min(lows[register_id], found.get(code, lows[register_id]))
    return found


def _watched(lows: Mapping[str, datetime], *, now: datetime) -> list[Watched]:
    """Lock what is usual of places, and return those of which that is known. Three queries."""
    if not lows:
        return []
    rows = {row.subject: row for row in take_baselines(Subject.SERVICE_POINT, lows)}
    if not rows:
        return []
    series = series_named(kind=Subject.SERVICE_POINT, subjects=rows, at=now)
    late = {each.subject for each in series if _was_seen(rows[each.subject], lows[each.subject])}
    begun = _begun(late, lows)
    earliest = now - LOOK_BACK
    found = []
    for each in series:
        row, low = rows[each.subject], lows[each.subject]
        if each.since is not None and row.until < each.since + _LEAST_KNOWN:
            continue
        anew = min(low, begun.get(each.subject, low))
        # What began longer ago than anybody looks back goes on as it stands.
        again = each.subject in late and begun.get(each.subject, earliest) >= earliest
        since = max(anew, row.watched_since or anew) if again else row.scored_until or row.until
        found.append(Watched(each, row, max(since, earliest), again))
    return found


def _was_seen(row: BaselineRow, low: datetime) -> bool:
    return row.scored_until is not None and low < row.scored_until


def _begun(subjects: set[str], lows: Mapping[str, datetime]) -> dict[str, datetime]:
    """Return where the anomalies began that what was written lies in: they are looked at from their start on."""
    if not subjects:
        return {}
    rows = Anomaly.objects.filter(subject_kind=Subject.SERVICE_POINT, subject__in=subjects)
    rows = rows.filter(end__gt=min(lows[subject] for subject in subjects)).order_by("-start")
    return {
        subject: start for subject, start, end in rows.values_list("subject", "start", "end") if end > lows[subject]
    }


def _alike(watched: Sequence[Watched], *, now: datetime) -> Iterator[tuple[list[Watched], int]]:
    """Part subjects by how many days have to be read of them: most need few."""
    parts: dict[int, list[Watched]] = defaultdict(list)
    for each in watched:
        days = _LEAD_DAYS + max((now - each.since) // _DAY, 0)
        parts[_LEAD_DAYS if days == _LEAD_DAYS else _LEAD_DAYS + LOOK_BACK.days].append(each)
    for days, some in sorted(parts.items()):
        yield some, days


def _scored(some: tuple[Sequence[Watched], int], *, now: datetime) -> Iterator[tuple[Watched, Scored, Grid]]:
    """Yield what the detectors say of subjects of which anything new is known."""
    watched, days = some
    found = half_hour_grids([each.series for each in watched], until=now, days=days)
    known = [(each, _to_newest(grid)) for each, grid in zip(watched, found, strict=True)]
    known = [(each, grid) for each, grid in known if each.again or grid.after > _first_new(each)]
    taught = detectors_in_force()
    scored = score_recent(
        [grid for _, grid in known],
        [each.usual for each, _ in known],
        since=[_first_new(each) - _OVERLAP_SLOTS for each, _ in known],
        forest=taught.forest if taught else None,
        encoder=taught.encoder if taught else None,
    )
    for (each, grid), told in zip(known, scored, strict=True):
        yield each, told, grid


def _first_new(watched: Watched) -> int:
    return slot_of(watched.since, watched.series.zone)


def _to_newest(grid: Grid) -> Grid:
    known = np.flatnonzero(np.isfinite(grid.values))
    return grid.until(grid.first + int(known[-1]) + 1 if len(known) else grid.first)


def _look(watched: Watched, scored: Scored, grid: Grid) -> tuple[Finding, Seen]:
    """Let the hysteresis take the scores; looked at anew, from where that begins and as if nothing had been."""
    state = {} if watched.again else (watched.row.state or {"until": _first_new(watched)})
    after, grown, ended = episodes(state, grid, watched.usual, scored)
    zone = watched.series.zone
    running = after.get("open")
    lasting = running["start"] if running else None
    stretches = [_stretch(each, zone, lasts=False) for each in ended]
    stretches += [
        _stretch(each, zone, lasts=each.start == lasting)
        for each in grown
        if all(each.start != other.start for other in ended)
    ]
    newest = max(instant_of(grid.after, zone), watched.row.scored_until or watched.since)
    finding = Finding(
        watched.series,
        sorted(stretches, key=lambda stretch: stretch.start),
        watched.since if watched.again else None,
    )
    return finding, Seen(watched.row.id, after, newest, watched.since)


def _stretch(episode: Episode, zone: ZoneInfo, *, lasts: bool) -> Stretch:
    start = instant_of(episode.start, zone)
    end = max(instant_of(episode.end, zone), start + HALF_HOUR)
    return Stretch(
        start=start,
        end=end,
        lasts=lasts,
        kind=episode.kind,
        score=episode.score,
        detectors=episode.detectors,
        excess_kwh=episode.excess,
        usual_kwh=episode.usual,
        reason=episode.reason,
        cells=cells_between(start, end, zone),
    )
