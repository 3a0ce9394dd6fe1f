"""Energy of devices by local day and hour: of one device, of a group, of a region, of all that somebody may see.

Everything comes from hours that were rolled up. Whoever sees all devices is answered from the fleet's sums, one row an
hour, group and region; a customer from the hours of the customer's own devices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Aggregate, BigIntegerField, Count, Min, QuerySet, Sum
from django.db.models.functions import Cast, Extract

from accounts.models import User
from energy_portal.shared.clock import Period, local_day, zone
from energy_portal.shared.errors import Invalid, NotFound
from meters.devices.models import Device, DeviceGroup, DeviceHour, FleetHour
from meters.devices.querysets import sees_all_devices
from meters.devices.selectors.hours import complete_until
from meters.models import Region

USUAL_DAYS = 30
MOST_DAYS = 1_100
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class NoSuchDevice(NotFound):
    """No device goes by that name, or not for the one who asks."""

    code = "no_such_device"


class NoSuchGroup(NotFound):
    """No group of devices goes by that name or number."""

    code = "no_such_group"


class NoSuchRegion(NotFound):
    """No region goes by that name or id."""

    code = "no_such_region"


class BadReportPeriod(Invalid):
    """A report's period is empty, too long, or out of all time."""

    code = "invalid_period"


class HourSum(NamedTuple):
    """What some devices used in an hour: its start, Wh, seconds that are known of all of them, how many are known."""

    time: datetime
    energy_wh: float
    covered_seconds: float
    devices: int


@dataclass(frozen=True)
class Wanted:
    """What a report is of, and on whose clock.

    :ivar user: who asks; None for a machine that sees all devices.
    """

    user: User | None
    device: Device | None
    group: DeviceGroup | None
    region: Region | None
    period: Period
    zone: ZoneInfo


@dataclass(frozen=True)
class HourlyReport:
    """The hours of a period of which anything is known, in order, and up to when all are rolled up."""

    wanted: Wanted
    hours: Sequence[HourSum]
    complete_until: datetime | None

    def by_day(self) -> dict[str, dict[str, int]]:
        """Return Wh by local day and hour; an hour that the clock repeats is summed, one without data left out."""
        sums: dict[str, dict[str, float]] = {}
        for hour in self.hours:
            local = hour.time.astimezone(self.wanted.zone).isoformat()
            day, label = sums.setdefault(local[:10], {}), f"{local[11:13]}:00"
            day[label] = day.get(label, 0.0) + hour.energy_wh
        return {day: {label: round(energy) for label, energy in hours.items()} for day, hours in sums.items()}


@dataclass(frozen=True)
class Statistics:
    """What a period's hours come to.

    :ivar devices: the most that were known in an hour.
    :ivar coverage: 0 to 1, the known part of the hours of which anything is known; None where there is none.
    :ivar mean_power_w: of a device while it is known.
    """

    energy_wh: float
    hours: int
    devices: int
    coverage: float | None
    mean_power_w: float | None
    highest: HourSum | None
    lowest: HourSum | None


def want(
    *,
    user: User | None,
    now: datetime,
    device: str = "",
    group: str = "",
    region: str = "",
    from_: datetime | None = None,
    to: datetime | None = None,
    tz: str = "",
) -> Wanted:
    """Return what is asked for: the last 30 local days unless told, on the clock of the device or the portal's own.

    :param device: as it names itself.
    :param group: its name, otherwise its number.
    :param region: its name, otherwise its id.
    :param from_: naive means the clock of the report, as for ``to``, which is not included.
    :raises NotFound: no such device, group or region, or not for the one who asks.
    :raises UnknownZone: no such zone.
    :raises BadReportPeriod: the period ends before it starts, or is longer than ``MOST_DAYS``.
    """
    found = device_for(device_id=device, user=user) if device else None
    clock = zone(tz or (found.zone if found is not None else "") or settings.SITE_ZONE)
    return Wanted(
        user=user,
        device=found,
        group=_group(group) if group else None,
        region=_region(region) if region else None,
        period=asked_period(from_, to, now=now, clock=clock),
        zone=clock,
    )


def asked_period(from_: datetime | None, to: datetime | None, *, now: datetime, clock: ZoneInfo) -> Period:
    """Return the period between two instants, naive ones on a clock: to the end of today and 30 days long unless told.

    :raises BadReportPeriod: it ends before it starts, lies out of all time, or is longer than ``MOST_DAYS``.
    """
    end = _on(to, clock) or local_day(now.astimezone(clock).date(), clock).end
    if not _EARLIEST <= end <= _LATEST:
        raise BadReportPeriod(f"A report lies between {_EARLIEST.year} and {_LATEST.year}.")
    first = (end - timedelta(microseconds=1)).astimezone(clock).date() - timedelta(days=USUAL_DAYS - 1)
    start = _on(from_, clock) or local_day(first, clock).start
    if not _EARLIEST <= start < end:
        raise BadReportPeriod(f"A report's period ends after it starts, and lies after {_EARLIEST.year}.")
    if end - start > timedelta(days=MOST_DAYS):
        raise BadReportPeriod(f"A report spans at most {MOST_DAYS} days.", code="period_too_long")
    return Period(start, end)


def device_for(*, device_id: str, user: User | None) -> Device:
    """Return a device by the name that it gives itself.

    :raises NoSuchDevice: there is none, or the one who asks may not see it.
    """
    device: Device | None = _visible(user).filter(device_id=device_id).first()
    if device is None:
        raise NoSuchDevice(f"There is no device {device_id}.")
    return device


def hourly_report(wanted: Wanted) -> HourlyReport:
    """Return the hours of a period, each the sum over the devices. Two queries.

    Of one device it is a descent of the key a day; of the fleet a range of the index over the hours; of a customer a
    descent a device and day.
    """
    # Asked first, so that it claims no more than the hours that are read then hold.
    reached = complete_until()
    return HourlyReport(wanted, _hours(wanted), reached)


def statistics(report: HourlyReport) -> Statistics:
    """Return what a report's hours come to."""
    hours = report.hours
    energy = sum(hour.energy_wh for hour in hours)
    seconds = sum(hour.covered_seconds for hour in hours)
    device_hours = sum(hour.devices for hour in hours)
    return Statistics(
        energy_wh=energy,
        hours=len(hours),
        devices=max((hour.devices for hour in hours), default=0),
        coverage=seconds / (3600 * device_hours) if device_hours else None,
        mean_power_w=3600 * energy / seconds if seconds else None,
        highest=max(hours, key=lambda hour: hour.energy_wh, default=None),
        lowest=min(hours, key=lambda hour: hour.energy_wh, default=None),
    )


def _hours(wanted: Wanted) -> list[HourSum]:
    rows: QuerySet[DeviceHour] | QuerySet[FleetHour]
    counted: Aggregate = Count("device_id")
    period = {"time__gte": wanted.period.start, "time__lt": wanted.period.end}
    narrowed = {"group": wanted.group, "region": wanted.region}
    filters = {name: value for name, value in narrowed.items() if value is not None}
    if wanted.device is not None:
        held = {"group": wanted.device.group_id, "region": wanted.device.region_id}
        if any(held[name] != value.pk for name, value in filters.items()):
            return []
        rows = DeviceHour.objects.filter(device=wanted.device, **period)
    elif wanted.user is None or sees_all_devices(wanted.user):
        rows, counted = FleetHour.objects.filter(**filters, **period), Sum("devices")
    else:
        own = _visible(wanted.user).filter(**filters).order_by()
        rows = DeviceHour.objects.filter(device__in=own, **period)
    # A number is read many times as fast as an instant is; Django would take it on the portal's clock.
    second = Cast(Extract(Min("time"), "epoch", tzinfo=UTC), BigIntegerField())
    sums = (
        rows.order_by("time")
        .values("time")
        .annotate(at=second, energy=Sum("energy_wh"), covered=Sum("covered_seconds"), known=counted)
    )
    return [
        HourSum(datetime.fromtimestamp(at, UTC), *row)
        for at, *row in sums.values_list("at", "energy", "covered", "known")
    ]


def _visible(user: User | None) -> QuerySet[Device]:
    devices: QuerySet[Device] = Device.objects.all() if user is None else Device.objects.visible_to(user)
    return devices


def _group(text: str) -> DeviceGroup:
    group = DeviceGroup.objects.filter(name=text).first()
    if group is None and text.isascii() and text.isdigit() and len(text) < 10:
        group = DeviceGroup.objects.filter(pk=int(text)).first()
    if group is None:
        raise NoSuchGroup(f"There is no group {text}.")
    return group


def _region(text: str) -> Region:
    region: Region | None = Region.objects.filter(name=text).first()
    if region is None and (key := _uuid(text)) is not None:
        region = Region.objects.filter(pk=key).first()
    if region is None:
        raise NoSuchRegion(f"There is no region {text}.")
    return region


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _on(instant: datetime | None, clock: ZoneInfo) -> datetime | None:
    if instant is None or instant.tzinfo is not None:
        return instant
    return instant.replace(tzinfo=clock)
