"""What lies in the archive instead of the database."""

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Q

from energy_portal.shared.clock import Period, as_utc
from energy_portal.shared.errors import Conflict
from meters import store
from meters.models import ReadingException
from meters.series.archive import Asked
from meters.series.partitions import Partition, list_partitions
from meters.store.archive import Month, holds_rows, months, months_held, reader

# A value for an archived month waits under this code until the archive takes it in.
ARCHIVED = "archived"
# The last place on earth where a month ends.
_LAST_OFFSET = timedelta(hours=12)


class InArchive(Conflict):
    """A month lies in the archive, where nothing is changed."""

    code = "archived"


class ArchivedMonths:
    """The months (UTC) that lie in the archive at one moment."""

    def __init__(self, months: list[Month]) -> None:
        self._lows = {month.low: month for month in months}

    def __bool__(self) -> bool:
        return bool(self._lows)

    def __contains__(self, instant: datetime) -> bool:
        return self.holding(instant) is not None

    def holding(self, instant: datetime) -> Month | None:
        """Return the archived month that an aware instant lies in, if any."""
        if not self._lows:
            return None
        utc = as_utc(instant)
        return self._lows.get(datetime(utc.year, utc.month, 1, tzinfo=UTC))


def archived_months() -> ArchivedMonths:
    """Return the archived months. One short query."""
    return ArchivedMonths(months())


def held_months() -> ArchivedMonths:
    """Return the archived months, which no longer change until the caller's transaction ends. Two short queries."""
    return ArchivedMonths(months_held())


def require_unarchived(times: Iterable[datetime]) -> None:
    """Make sure that instants lie in the database, where they stay until the caller's transaction ends.

    :raises InArchive: with the first month that does not.
    """
    archived = held_months()
    if late := sorted(time for time in times if time in archived):
        raise InArchive(f"{late[0]:%Y-%m} lies in the archive: restore it first.")


def archived_values(
    keys: Collection[tuple[int, datetime]], archived: ArchivedMonths
) -> dict[tuple[int, datetime], tuple[Decimal, int]]:
    """Return value and quality of the (register, time) that the archive holds."""
    reached = {month for _, time in keys if (month := archived.holding(time)) is not None}
    asked = [Asked(register_id, time, time) for register_id, time in keys]
    found = reader(reached, "value", "quality").windows(asked)
    return {(register_id, time): (value, quality) for register_id, time, value, quality in found}


def archive_limit(*, now: datetime, until: date | None = None) -> datetime:
    """Return the instant before which months are archived: the start of ``until`` (UTC), or what is kept longest."""
    if until is not None:
        return datetime(until.year, until.month, until.day, tzinfo=UTC)
    utc = as_utc(now)
    months = utc.year * 12 + utc.month - 1 - int(settings.READING_RETENTION_MONTHS)
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def closed_partitions(*, now: datetime, limit: datetime) -> list[Partition]:
    """Return the partitions with rows that end by a limit and whose month is over everywhere, the earliest first."""
    end = min(limit, as_utc(now) - _LAST_OFFSET)
    closed = (partition for partition in list_partitions(store.REGISTER_READINGS) if partition.end <= end)
    return [partition for partition in closed if holds_rows(partition.name)]


def late_values(period: Period | None = None) -> list[ReadingException]:
    """Return the values that wait for the archive, in the order of register and time."""
    waiting = ReadingException.objects.filter(code=ARCHIVED, status=ReadingException.Status.OPEN)
    if period is not None:
        waiting = waiting.filter(Q(time__gte=period.start) & Q(time__lt=period.end))
    return list(waiting.select_related("register__meter", "source").order_by("register_id", "time", "opened_at", "id"))
