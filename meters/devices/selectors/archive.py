"""What devices told, wherever it lies, and which days of it leave the database."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Count, DateTimeField, ExpressionWrapper, F, Sum
from django.db.models.functions import TruncDate

from energy_portal.shared.clock import as_utc
from meters.devices.models import ArchivedDay, LateSample, RollupMark, TouchedHour
from meters.devices.store import archive as store
from meters.devices.store.samples import DEVICE_SAMPLES
from meters.models import Job
from meters.series.partitions import Partition, list_partitions
from meters.store.archive import holds_rows, with_files

_DAY = timedelta(days=1)
# Younger days are never archived: those who take samples need not ask for them whether they are.
YOUNGEST_ARCHIVED = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class SampleRow:
    """What a device told of an instant (UTC), None where it told nothing; units as the names say."""

    time: datetime
    received_at: datetime
    power_w: float | None
    temperature_c: float | None
    voltage_v: float | None
    current_a: float | None
    energy_wh: float | None
    switch: bool | None


class DueDays(NamedTuple):
    """Days older than a limit: those that can be archived, and those whose hours are still to be rolled up."""

    ready: list[Partition]
    waiting: list[Partition]


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of samples: days in the database since ``since`` (UTC), days in files, and when those were made.

    :ivar keeps: how many days are kept before they are archived.
    :ivar last_run: when the archive was last asked to run, or last wrote a file.
    """

    keeps: int
    days: int
    since: datetime | None
    bytes: int
    archived_days: int
    archived_bytes: int
    late: int
    last_run: datetime | None


def samples_of(
    *, device_id: int, start: datetime, end: datetime, limit: int | None = None, newest_first: bool = False
) -> list[SampleRow]:
    """Return what a device told in ``[start, end)``, in the order of time: live, archived and late, each instant once.

    One query, and some milliseconds for each archived day.

    :param device_id: the device's primary key.
    :param limit: at most so many, from the start, or from the end where ``newest_first``.
    :raises ArchiveDamaged: a file of the archive is missing or cannot be read.
    """
    if start >= end:
        return []
    found = with_files(
        lambda: store.samples_around(device_id=device_id, start=start, end=end, limit=limit, newest_first=newest_first)
    )
    return [SampleRow(*row) for row in found]


def retention_limit(*, now: datetime, until: date | None = None) -> datetime:
    """Return the instant before which days leave: the start of ``until`` (UTC), or what is older than the retention.

    Of themselves no days leave that devices may still send samples of; those would wait in the late table.
    """
    if until is not None:
        return store.start_of_day(until)
    return store.start_of_day(as_utc(now).date() - timedelta(days=_days_kept()))


def due_days(*, now: datetime, limit: datetime, also: Collection[datetime] = ()) -> DueDays:
    """Return the days with samples that end by a limit, and by three days ago, the earliest first.

    A day can go once its hours are rolled up and nothing of it, nor of the day before, whose last word may reach into
    it, waits to be rolled up anew: nobody rolls hours up from the archive.

    :param also: starts of days that are due whatever the limit.
    """
    end = min(limit, as_utc(now) - YOUNGEST_ARCHIVED)
    closed = [each for each in list_partitions(DEVICE_SAMPLES) if each.end <= end or each.start in also]
    mark = RollupMark.objects.values_list("until", flat=True).first()
    days = DueDays([], [])
    for each in closed:
        if holds_rows(each.name):
            rolled = mark is not None and mark >= each.end and not _touched(each)
            (days.ready if rolled else days.waiting).append(each)
    return days


def late_days(*, before: timedelta = timedelta(0)) -> set[datetime]:
    """Return the starts (UTC) of the days that late samples wait for. One scan of the late samples.

    :param before: of the days that lie so much before the samples.
    """
    at = ExpressionWrapper(F("time") - before, output_field=DateTimeField())
    days = LateSample.objects.order_by().values_list(TruncDate(at, tzinfo=UTC), flat=True).distinct()
    return {store.start_of_day(day) for day in days}


def retention() -> Retention:
    """Tell what is kept of samples. Four short queries."""
    held = store.kept()
    archived = ArchivedDay.objects.aggregate(days=Count("day"), bytes=Sum("bytes"))
    runs = (
        Job.objects.filter(kind=Job.Kind.ARCHIVE_SAMPLES).order_by("-created_at").values_list("started_at", flat=True),
        ArchivedDay.objects.order_by("-archived_at").values_list("archived_at", flat=True),
    )
    return Retention(
        keeps=_days_kept(),
        days=held.days,
        since=None if held.since is None else held.since.astimezone(UTC),
        bytes=held.bytes,
        archived_days=archived["days"],
        archived_bytes=int(archived["bytes"] or 0),
        late=LateSample.objects.count(),
        last_run=max((at for found in runs if (at := found.first()) is not None), default=None),
    )


def _days_kept() -> int:
    return max(int(settings.DEVICE_RETENTION_DAYS), int(settings.DEVICE_ACCEPTANCE_DAYS) + 1)


def _touched(day: Partition) -> bool:
    return TouchedHour.objects.filter(low__lt=day.end, high__gte=day.start - _DAY).exists()
