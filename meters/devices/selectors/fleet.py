"""The whole fleet at a glance: who is online where, what was used today, what waits for somebody."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet, Sum

from accounts.models import User
from energy_portal.shared.clock import local_day
from meters.devices.models import Command, Device, DeviceGroup, FleetHour, UnknownCode
from meters.devices.selectors.hours import complete_until
from meters.models import Alarm, Region
from meters.models.alarms import SubjectKind

LISTED = 8
STANDING_KEY = "fleet-standing"
_STANDING_SECONDS = 15


@dataclass(frozen=True)
class Standing:
    """Devices in service, how many of them are online, and what those draw now, in watt; ``key`` None: the rest."""

    key: str | None
    name: str
    devices: int
    online: int
    power_w: float

    @property
    def offline(self) -> int:
        return self.devices - self.online

    @property
    def percent(self) -> int:
        """The online share in whole per cent, 100 only when nobody is missing."""
        return 100 * self.online // self.devices if self.devices else 0


@dataclass(frozen=True)
class FleetStanding:
    """The fleet, and the same by group and by region, the largest first."""

    whole: Standing
    groups: tuple[Standing, ...]
    regions: tuple[Standing, ...]


@dataclass(frozen=True)
class FleetHourSum:
    """What the fleet used in an hour, and of how many devices something is known."""

    start: datetime
    energy_wh: float
    covered: float
    devices: int


@dataclass(frozen=True)
class FleetToday:
    """The hours of a local day that are rolled up, and up to when they all are."""

    hours: tuple[FleetHourSum, ...]
    complete_until: datetime | None

    @property
    def energy_wh(self) -> float | None:
        """Their sum; None where there is none."""
        return sum(hour.energy_wh for hour in self.hours) if self.hours else None


def fleet_standing() -> FleetStanding:
    """Count the fleet by group and region in three queries.

    One pass over devices and their states, about a second for two million: callers keep it for a while.
    """
    online = Q(state__is_online=True)
    rows = (
        Device.objects.filter(status=Device.Status.ACTIVE)
        .order_by()
        .values_list("group_id", "region_id")
        .annotate(devices=Count("pk"), online=Count("pk", filter=online), power=Sum("state__power_w", filter=online))
    )
    found = [(group, region, devices, up, power or 0.0) for group, region, devices, up, power in rows]
    groups = dict(DeviceGroup.objects.values_list("pk", "name"))
    regions = dict(Region.objects.values_list("pk", "name"))
    return FleetStanding(
        whole=_sum(None, "All devices", [row[2:] for row in found]),
        groups=_by(((row[0], row[2:]) for row in found), groups, "No group"),
        regions=_by(((row[1], row[2:]) for row in found), regions, "No region"),
    )


def fleet_standing_of_late() -> FleetStanding:
    """Return the same, some seconds old at most."""
    kept: FleetStanding | None = cache.get(STANDING_KEY)
    if kept is None:
        kept = fleet_standing()
        cache.set(STANDING_KEY, kept, _STANDING_SECONDS)
    return kept


def fleet_today(*, now: datetime, zone: ZoneInfo) -> FleetToday:
    """Return what the fleet used today, by hour, in two queries; served by the key that begins with the hour."""
    day = local_day(now.astimezone(zone).date(), zone)
    rows = (
        FleetHour.objects.filter(time__gte=day.start, time__lt=day.end)
        .order_by("time")
        .values_list("time")
        .annotate(energy=Sum("energy_wh"), covered=Sum("covered_seconds"), known=Sum("devices"))
    )
    return FleetToday(
        hours=tuple(
            FleetHourSum(time, energy, min(1.0, covered / (3600 * known)) if known else 0.0, known)
            for time, energy, covered, known in rows
        ),
        complete_until=complete_until(),
    )


def open_alarms_of_devices(*, user: User) -> QuerySet[Alarm]:
    """Return the alarms of devices that somebody may see and that are not over, the newest first."""
    alarms: QuerySet[Alarm] = Alarm.objects.visible_to(user).open()
    return alarms.filter(subject_kind=SubjectKind.DEVICE).order_by("-raised_at", "id")


def newest_commands(*, user: User) -> QuerySet[Command]:
    """Return the commands that somebody may see, with their device and who asked for them, the newest first."""
    commands: QuerySet[Command] = Command.objects.visible_to(user)
    return commands.select_related("device", "user", "source").order_by("-created_at", "id")


def most_frequent_unknown_codes() -> QuerySet[UnknownCode]:
    """Return the codes that no mapping knows, the most frequent first."""
    return UnknownCode.objects.order_by("-count", "id")


def _by(
    rows: Iterable[tuple[Any, tuple[int, int, float]]], names: Mapping[Any, str], rest: str
) -> tuple[Standing, ...]:
    sorted_in: dict[Any, list[tuple[int, int, float]]] = {}
    for key, figures in rows:
        sorted_in.setdefault(key, []).append(figures)
    standings = [
        _sum(None if key is None else str(key), rest if key is None else names.get(key, "?"), figures)
        for key, figures in sorted_in.items()
    ]
    return tuple(sorted(standings, key=lambda each: (each.key is None, -each.devices, each.name)))


def _sum(key: str | None, name: str, figures: Sequence[tuple[int, int, float]]) -> Standing:
    return Standing(
        key,
        name,
        devices=sum(devices for devices, _, _ in figures),
        online=sum(online for _, online, _ in figures),
        power_w=sum(power for _, _, power in figures),
    )
