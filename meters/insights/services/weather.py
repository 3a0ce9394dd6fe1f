"""Temperatures and holidays as they are told: kept with when they were known, beside what was said before."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import IO, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.clock import as_utc, floor_half_hour
from energy_portal.shared.clock import zone as zone_named
from energy_portal.shared.errors import Invalid, ItemError
from meters.insights.models import Holiday, Weather
from meters.models import Region

MOST_ROWS = 20_000
_COLDEST, _HOTTEST = -90.0, 60.0
_AT_ONCE = 2_000
_MOST_ERRORS = 100


class BadWeather(Invalid):
    """Rows of temperatures or holidays cannot be so; none was kept."""

    code = "bad_weather"


@dataclass(frozen=True)
class Reported:
    """A temperature of a half-hour; without a region it is of all of them.

    :ivar known_at: when it was known; None: now.
    """

    time: datetime
    temperature_c: float
    region: str | None = None
    known_at: datetime | None = None


@dataclass(frozen=True)
class DayOff:
    """A local day on which people live as on a Sunday; without a region it is so in all of them."""

    day: date
    name: str = ""
    region: str | None = None


@dataclass
class WeatherReport:
    """What became of a file: rows that were kept, and bad lines by their numbers."""

    kept: int = 0
    bad: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)


@transaction.atomic
def record_weather(*, rows: Sequence[Reported], actor: Actor, now: datetime) -> int:
    """Keep temperatures beside what was said of the same half-hours before; the same word again adds nothing.

    :returns: how many were kept.
    :raises BadWeather: a region that does not exist, a temperature that no place on earth has, a time off the
        half-hour, or a word of the future; nothing is kept then.
    """
    regions = _regions(row.region for row in rows)
    errors = [
        ItemError("bad_weather", problem, index=index)
        for index, row in enumerate(rows)
        if (problem := _problem(row, regions, now))
    ]
    if errors:
        raise BadWeather(f"{len(errors)} rows cannot be kept.", errors=errors[:_MOST_ERRORS])
    words = [
        Weather(
            region_id=regions[row.region] if row.region else None,
            time=as_utc(row.time),
            temperature_c=row.temperature_c,
            known_at=row.known_at or now,
        )
        for row in rows
    ]
    times = [word.time for word in words]
    standing = Weather.objects.filter(time__range=(min(times), max(times))) if times else Weather.objects.none()
    before = standing.count()
    Weather.objects.bulk_create(words, ignore_conflicts=True, batch_size=_AT_ONCE)
    kept = standing.count() - before
    audit.record_all(action="weather.recorded", objects=words[:1], actor=actor, now=now, rows=len(rows))
    return kept


@transaction.atomic
def record_holidays(*, days: Sequence[DayOff], actor: Actor, now: datetime) -> int:
    """Keep holidays; what is said of a day again changes its name only, so that it stays known since it was.

    :returns: how many were new.
    :raises BadWeather: a region that does not exist.
    """
    regions = _regions(day.region for day in days)
    unknown = [
        ItemError("no_such_region", f"There is no region {day.region}.", index=index)
        for index, day in enumerate(days)
        if day.region and day.region not in regions
    ]
    if unknown:
        raise BadWeather(f"{len(unknown)} days cannot be kept.", errors=unknown[:_MOST_ERRORS])
    fresh = 0
    for day in days:
        region_id: Any = regions[day.region] if day.region else None
        row, is_new = Holiday.objects.update_or_create(
            region_id=region_id,
            day=day.day,
            defaults={"name": day.name},
            create_defaults={"name": day.name, "known_at": now},
        )
        fresh += is_new
        if is_new:
            audit.record(action="holiday.recorded", obj=row, actor=actor, now=now, day=day.day)
    return fresh


def import_weather(*, file: IO[str], region: str | None, zone: str, actor: Actor, now: datetime) -> WeatherReport:
    """Keep the good lines of a CSV with columns time, temperature_c and optionally known_at and region.

    Times without an offset are read on a zone's clock. Each block of lines is a transaction.

    :param region: of lines that name none.
    :raises BadWeather: the columns are not there.
    :raises UnknownZone: no zone goes by that name.
    """
    lines = csv.DictReader(file)
    if not {"time", "temperature_c"} <= set(lines.fieldnames or ()):
        raise BadWeather("The file needs the columns time and temperature_c.")
    clock, report = zone_named(zone or settings.SITE_ZONE), WeatherReport()
    numbered = enumerate(lines, start=2)
    while block := list(islice(numbered, _AT_ONCE)):
        rows = list(_good(block, region, clock, now, report))
        if rows:
            report.kept += record_weather(rows=rows, actor=actor, now=now)
    return report


def forget_weather(*, before: datetime) -> int:
    """Delete temperatures of times before an instant; return how many."""
    return Weather.objects.filter(time__lt=before).delete()[0]


def _good(
    block: Iterable[tuple[int, Mapping[str, Any]]],
    region: str | None,
    clock: ZoneInfo,
    now: datetime,
    report: WeatherReport,
) -> Iterator[Reported]:
    regions = _regions([region, *(line.get("region") for _, line in block)])
    for number, line in block:
        try:
            row = Reported(
                _instant(line["time"], clock),
                float(line["temperature_c"]),
                line.get("region") or region,
                _instant(line["known_at"], clock) if line.get("known_at") else None,
            )
            problem = _problem(row, regions, now)
        except (TypeError, ValueError) as error:
            problem = str(error)
        if problem:
            report.bad += 1
            if len(report.problems) < _MOST_ERRORS:
                report.problems.append((number, problem))
        else:
            yield row


def _instant(text: str, clock: ZoneInfo) -> datetime:
    at = datetime.fromisoformat(text.strip())
    return as_utc(at if at.tzinfo else at.replace(tzinfo=clock))


def _regions(names: Iterable[str | None]) -> dict[str | None, Any]:
    wanted = {name for name in names if name}
    return dict(Region.objects.filter(name__in=wanted).values_list("name", "pk")) if wanted else {}


def _problem(row: Reported, regions: Mapping[str | None, Any], now: datetime) -> str:
    if row.region and row.region not in regions:
        return f"There is no region {row.region}."
    if not _COLDEST <= row.temperature_c <= _HOTTEST:
        return f"{row.temperature_c} °C is no temperature of the air."
    if row.time != floor_half_hour(row.time):
        return f"{row.time.isoformat()} does not begin a half-hour."
    if row.known_at is not None and row.known_at > now:
        return f"{row.known_at.isoformat()} lies ahead: it cannot have been known."
    return ""
