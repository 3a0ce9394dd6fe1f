"""The readings of a register one by one, wherever they lie: what lists and files of readings are made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Q, prefetch_related_objects

from energy_portal.shared.clock import Period
from meters import store
from meters.models import Register, RegisterReading
from meters.series.archive import Asked
from meters.store.archive import Month

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)
_COLUMNS = ("value", "quality", "source_id", "raw_stamp", "received_at")


@dataclass(frozen=True)
class ReadingList:
    """What a register showed within spans of time, their ends included, to be read page by page.

    A page is one query along the key of the series, one of the archived months, and some milliseconds for each of
    these that it reaches into.
    """

    ordering: ClassVar[tuple[str, ...]] = ("-time", "-register_id")

    register: Register | None
    spans: tuple[tuple[datetime, datetime], ...] = ((_EARLIEST, _LATEST),)

    def during(self, start: datetime | None = None, last: datetime | None = None) -> "ReadingList":
        """Keep to the instants from one to another, both included."""
        return self._cut(((start or _EARLIEST, last or _LATEST),))

    def before(self, end: datetime) -> "ReadingList":
        """Keep to the instants before one."""
        return self._cut(((_EARLIEST, end - _INSTANT),) if end > _EARLIEST else ())

    def after(self, start: datetime) -> "ReadingList":
        """Keep to the instants after one."""
        return self._cut(((start + _INSTANT, _LATEST),) if start < _LATEST else ())

    def within(self, periods: Sequence[Period] | None) -> "ReadingList":
        """Keep to periods with both of their ends, where a period's last read lies; all unless told."""
        return self if periods is None else self._cut(tuple((each.start, each.end) for each in periods))

    def page(
        self, *, limit: int, backwards: bool = False, beyond: Sequence[Any] | None = None
    ) -> list[RegisterReading]:
        """Return the newest readings, or backwards the earliest, that lie beyond one.

        :param beyond: that reading's values in the list's order: its time first, an instant or as text.
        :raises ValueError: no time is first.
        """
        part = self
        if beyond is not None:
            edge = datetime.fromisoformat(beyond[0]) if isinstance(beyond[0], str) else beyond[0]
            part = self.after(edge) if backwards else self.before(edge)
        if part.register is None or not part.spans:
            return []
        return store.archive.with_files(lambda: part._read(limit, newest_first=not backwards))

    def _cut(self, others: Sequence[tuple[datetime, datetime]]) -> "ReadingList":
        spans = ((max(low, start), min(high, last)) for low, high in self.spans for start, last in others)
        return ReadingList(self.register, tuple((low, high) for low, high in spans if low <= high))

    @transaction.atomic
    def _read(self, limit: int, *, newest_first: bool) -> list[RegisterReading]:
        """Read the series and then, while neither changes, the months that lie in the archive."""
        seen = Q()
        for low, high in self.spans:
            seen |= Q(time__range=(low, high))
        rows = RegisterReading.objects.filter(seen, register=self.register)
        found = list(rows.order_by("-time" if newest_first else "time")[:limit])
        if months := store.archive.months():
            reached = self
            if len(found) == limit:
                reached = self.during(found[-1].time) if newest_first else self.during(last=found[-1].time)
            at = {row.time: row for row in reached._archived(months, limit, newest_first=newest_first)}
            at |= {row.time: row for row in found}
            found = [at[time] for time in sorted(at, reverse=newest_first)][:limit]
        prefetch_related_objects(found, "source")
        return found

    def _archived(self, months: Sequence[Month], limit: int, *, newest_first: bool) -> Iterator[RegisterReading]:
        if self.register is None:
            return
        reached = [month for month in months if any(low < month.high and high >= month.low for low, high in self.spans)]
        archive = store.archive.reader(reached, *_COLUMNS)
        asked = [Asked(self.register.pk, low, high) for low, high in self.spans]
        for register_id, time, *values in archive.windows(asked, newest_first=newest_first, limit=limit):
            yield RegisterReading(register_id=register_id, time=time, **dict(zip(_COLUMNS, values, strict=True)))
