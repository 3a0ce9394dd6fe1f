"""What was known of days and temperatures when a forecast was made: nothing that was learnt later."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db.models import Q

from meters.insights.clockwork import Floats, Grid, grid_of
from meters.insights.features import AHEAD_DAYS, Surroundings
from meters.insights.models import Holiday, Weather
from meters.insights.selectors.subjects import Series

_FIRST_DAY = date(1970, 1, 1)
# A word of a temperature that came so long before it is a forecast.
_FORESEEN = timedelta(hours=12)
_MOST_FORESEEN = 0.5


class SurroundingsBook:
    """Holidays and temperatures as they were known at an instant, looked up once a region and clock.

    :param known_at: what was learnt later is left out.
    :param days: so many before and two after that instant are looked at.
    :param is_lesson: of temperatures that were foreseen, the word that stood half a day before is taken, as whoever
        made a forecast then would have.
    """

    def __init__(self, *, known_at: datetime, days: int, is_lesson: bool = False) -> None:
        self._known_at, self._is_lesson = known_at, is_lesson
        self._first = known_at - timedelta(days=days + 1)
        self._last = known_at + timedelta(days=AHEAD_DAYS + 1)
        self._found: dict[tuple[UUID | None, ZoneInfo], Surroundings] = {}

    def of(self, series: Iterable[Series]) -> list[Surroundings]:
        """Return what surrounds each of some series; two queries a region and clock that was not asked for before."""
        keys = [(each.region_id, each.zone) for each in series]
        for key in keys:
            if key not in self._found:
                self._found[key] = self._looked_up(*key)
        return [self._found[key] for key in keys]

    def _looked_up(self, region_id: UUID | None, zone: ZoneInfo) -> Surroundings:
        here = Q(region=None) | Q(region=region_id) if region_id else Q(region=None)
        days = Holiday.objects.filter(here, day__range=(self._first.date(), self._last.date()))
        off = days.filter(known_at__lte=self._known_at).values_list("day", flat=True)
        holidays = frozenset((day - _FIRST_DAY).days for day in (*off, *settings.SITE_HOLIDAYS))
        words = Weather.objects.filter(here, time__range=(self._first, self._last), known_at__lte=self._known_at)
        rows = list(words.order_by("known_at", "id").values_list("region", "time", "temperature_c", "known_at"))
        # A word of the region goes before one of all.
        rows.sort(key=lambda row: row[0] is not None)
        if not rows:
            return Surroundings(holidays)
        is_foreseen = self._is_foreseen((time, known_at) for _, time, _, known_at in rows)
        if self._is_lesson and is_foreseen:
            rows = [row for row in rows if row[3] <= row[1] - _FORESEEN]
        latest = {time: celsius for _, time, celsius, _ in rows}
        starts = np.array([int(time.timestamp()) for time in latest], dtype=np.int64)
        temperature = _held(grid_of(starts, np.array(list(latest.values())), zone))
        return Surroundings(holidays, temperature, is_foreseen)

    def _is_foreseen(self, words: Iterable[tuple[datetime, datetime]]) -> bool:
        """Tell whether of most half-hours that are over something was known half a day before."""
        foreseen: dict[datetime, bool] = defaultdict(bool)
        for time, known_at in words:
            foreseen[time] |= known_at <= time - _FORESEEN
        past = [known for time, known in foreseen.items() if time <= self._known_at]
        return sum(past) > _MOST_FORESEEN * len(past) if past else True


def _held(grid: Grid) -> Grid:
    """Have a temperature that is told every hour stand for both its halves."""
    values: Floats = grid.values
    before = np.concatenate([[np.nan], values[:-1]])
    after_last = np.append(np.where(np.isfinite(values), values, before), values[-1:])
    return Grid(grid.first, after_last)
