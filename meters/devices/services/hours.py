"""The hours of devices, rolled up as they close, and anew where data came late; each time from the samples.

A closed hour is logged in the transaction that moves the mark past it, and rolled up in a later one: what was written
without a look at the new mark is visible to that, what is written after it is logged by its writer. So no row is lost,
whoever dies in between, and no writer waits for a rollup.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db import transaction

from energy_portal.shared.clock import as_utc, zone
from meters.devices.models import ArchivedDay, RollupMark, TouchedHour
from meters.devices.rollup import Hour, Ints, hour_edges, hour_of
from meters.devices.selectors.hours import complete_until, rolled_until
from meters.devices.store import hours as store
from meters.devices.store.hours import DevicesOfZone
from meters.devices.store.samples import DEVICE_SAMPLES
from meters.series.columns import micros_of
from meters.series.partitions import ensure_partitions, list_partitions
from meters.store.archive import holds_rows

GRACE = timedelta(minutes=2)
MOST_ENTRIES = 1_000
MOST_DEVICES = 200_000
_HOUR = timedelta(hours=1)
_INSTANT = timedelta(microseconds=1)
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, order=True)
class _Bucket:
    """An hour on some devices' clock, and the start of the one before."""

    start: datetime
    end: datetime
    previous: datetime


@transaction.atomic
def close_hours(*, now: datetime) -> int:
    """Move the mark past the hours that closed, and log them to be rolled up; return how many they are.

    An hour (UTC) closes ``GRACE`` after its end; the first one is the first of the earliest day that holds samples.
    Writers wait while this runs, which is for some statements and only where an hour closed.
    """
    until = as_utc(now - GRACE).replace(minute=0, second=0, microsecond=0)
    if not _is_behind(until):
        return 0
    store.lock_mark()
    mark, _ = RollupMark.objects.get_or_create(pk=1)
    reached = mark.until or _first_hour()
    if reached is None or reached >= until:
        return 0
    closed = [reached + n * _HOUR for n in range((until - reached) // _HOUR)]
    TouchedHour.objects.bulk_create(
        TouchedHour(low=start, high=start + _HOUR, device_ids=[], logged_at=now) for start in closed
    )
    mark.until = until
    mark.save(update_fields=("until",))
    return len(closed)


@transaction.atomic
def roll_up_next(*, now: datetime) -> int:
    """Roll up the earliest closed hour that waits, otherwise a batch of hours that late data touched.

    One process at a time, the others do nothing. Memory is bounded: some hundred bytes a device, and a slice of rows.

    :returns: how many entries of the log were worked off; none when nothing waits, or another process is at it.
    """
    if not store.take_turn():
        return 0
    mark = rolled_until()
    whole = TouchedHour.objects.filter(device_ids=[]).order_by("low", "id").first()
    if whole is not None:
        whole.delete()
        _roll_up_hour(whole, now)
        return 1
    entries = _entries()
    if not entries or mark is None:
        return 0
    _roll_up_touched(entries, mark)
    TouchedHour.objects.filter(pk__in=[entry.pk for entry in entries]).delete()
    return len(entries)


def _is_behind(until: datetime) -> bool:
    mark = rolled_until()
    return mark is None or mark < until


def _first_hour() -> datetime | None:
    held = (each.start for each in list_partitions(DEVICE_SAMPLES) if holds_rows(each.name))
    return next(held, None)


def _entries() -> list[TouchedHour]:
    """Return the earliest entries of the log, as many as a batch takes, at least one."""
    taken: list[TouchedHour] = []
    room = MOST_DEVICES
    for entry in TouchedHour.objects.exclude(device_ids=[]).order_by("id")[:MOST_ENTRIES]:
        room -= len(entry.device_ids)
        if taken and room < 0:
            break
        taken.append(entry)
    return taken


def _roll_up_hour(whole: TouchedHour, now: datetime) -> None:
    """Roll up the hours of all devices that end in ``(low, high]``: on most clocks that is this hour.

    Where later hours are rolled up already (this one was logged by hand), those of devices whose end moved follow.
    """
    pools: dict[_Bucket, list[DevicesOfZone]] = {}
    for devices in store.devices_by_zone(None, hold_seconds=settings.DEVICE_HOLD_SECONDS):
        clock = _clock(devices.zone)
        for end in hour_edges(clock, whole.low + _INSTANT, whole.high):
            pools.setdefault(_bucket(clock, end - _INSTANT), []).append(devices)
    reached = complete_until()
    for bucket, pool in sorted(pools.items()):
        ids, hold = (np.concatenate([each[column] for each in pool]) for column in (1, 2))
        order = np.argsort(ids)
        moved = _roll_up(bucket, ids[order], hold[order], everyone=True)
        if moved.size and reached is not None and bucket.end < reached:
            TouchedHour.objects.create(low=bucket.end, high=bucket.end, device_ids=moved.tolist(), logged_at=now)
    store.count_fleet({bucket.start for bucket in pools})


def _roll_up_touched(entries: list[TouchedHour], mark: datetime) -> None:
    """Roll up anew the hours that entries name, and those that follow for as long as what stands between them moves."""
    everyone = np.unique(np.concatenate([entry.device_ids for entry in entries]).astype(np.int64))
    rolled = set()
    for devices in store.devices_by_zone(everyone, hold_seconds=settings.DEVICE_HOLD_SECONDS):
        clock = _clock(devices.zone)
        waiting: dict[datetime, list[Ints]] = {}
        queue: list[datetime] = []
        for start, ids in _touched(entries, clock, devices.device_ids):
            if start not in waiting:
                heappush(queue, start)
            waiting.setdefault(start, []).append(ids)
        while queue:
            start = heappop(queue)
            bucket = _bucket(clock, start)
            if bucket.end > mark:
                break
            ids = np.unique(np.concatenate(waiting.pop(start)))
            hold = devices.hold[np.searchsorted(devices.device_ids, ids)]
            moved = _roll_up(bucket, ids, hold, everyone=False)
            rolled.add(start)
            if moved.size:
                if bucket.end not in waiting:
                    heappush(queue, bucket.end)
                waiting.setdefault(bucket.end, []).append(moved)
    store.count_fleet(rolled)


def _touched(entries: list[TouchedHour], clock: ZoneInfo, device_ids: Ints) -> Iterator[tuple[datetime, Ints]]:
    """Yield the starts of the hours that entries touch, with those of some devices of which they do."""
    for entry in entries:
        ids = np.intersect1d(np.array(entry.device_ids, np.int64), device_ids)
        if ids.size:
            first, _ = hour_of(clock, entry.low)
            for start in [first, *hour_edges(clock, first + _INSTANT, entry.high)]:
                yield start, ids


def _roll_up(bucket: _Bucket, ids: Ints, hold: Ints, *, everyone: bool) -> Ints:
    """Roll up an hour of devices, and return those of which something else stands at its end than before.

    An hour whose samples lie in the archive stays as it is.

    :param everyone: the devices are so many that the whole hour is read.
    """
    asked = None if everyone else ids
    hour = Hour(
        start=micros_of(bucket.start),
        end=micros_of(bucket.end),
        device_ids=ids,
        hold=hold,
        before=store.standing(asked, bucket.previous),
    )
    for told in store.told(asked, bucket.start, bucket.end):
        hour.add(told)
    # Asked after the samples were read: a day that is archived by now may have been so before.
    if _in_archive(bucket):
        return np.zeros(0, np.int64)
    made = hour.close()
    stood = store.standing(asked, bucket.start).of(ids)
    ensure_partitions(store.DEVICE_HOURS, [bucket.start], floor=_EARLIEST, ceiling=_LATEST)
    store.put_hours(bucket.start, made, np.setdiff1d(stood.device_ids, made.device_ids, assume_unique=True))
    return made.standing.unlike(stood)


def _in_archive(bucket: _Bucket) -> bool:
    first, last = bucket.start.date(), (bucket.end - _INSTANT).date()
    return ArchivedDay.objects.filter(day__gte=first, day__lte=last).exists()


def _bucket(clock: ZoneInfo, instant: datetime) -> _Bucket:
    start, end = hour_of(clock, instant)
    return _Bucket(start, end, hour_of(clock, start - _INSTANT)[0])


def _clock(name: str) -> ZoneInfo:
    return zone(name or settings.SITE_ZONE)
