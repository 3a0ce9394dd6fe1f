"""Files of many meters: asked for here, written by a worker."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import prefetch_related_objects

from accounts.actors import Actor
from accounts.models import User
from energy_portal.shared.clock import zone
from energy_portal.shared.errors import Invalid
from meters.formats.writing import ExportFormat
from meters.models import Job, Meter
from meters.selectors.access import meters_for, periods_for
from meters.selectors.consumption import PeriodName, meter_period, meter_zone, named_period
from meters.selectors.exports import ExportedMeter, check_format, export_meters
from meters.services.jobs import Running, queue_job
from meters.services.uploads import writing_result

MOST_METERS = 5_000


class TooManyMeters(Invalid):
    """No file holds so many meters, or none."""

    code = "too_many_meters"


def queue_export(
    *,
    serials: Sequence[str],
    name: PeriodName,
    file_format: ExportFormat,
    actor: Actor,
    now: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Job:
    """Ask for a file of meters; each is cut to the period on the clock of its own place.

    :param from_: of a custom period, as it is written: naive stays naive; see :func:`named_period`.
    :raises NoSuchMeter: one is not there, or not for the one who asks.
    :raises NotElectric: the format holds half-hours of energy, and a meter counts something else.
    :raises TooManyMeters: more than a file holds.
    :raises InvalidPeriod: the period is none.
    """
    if not 0 < len(set(serials)) <= MOST_METERS:
        raise TooManyMeters(f"A file holds 1 to {MOST_METERS:,} meters.")
    named_period(name, now=now, zone=zone(settings.SITE_ZONE), from_=from_, to=to)
    for meter in _meters(serials, actor.user):
        check_format(meter=meter, file_format=file_format)
    parameters = {
        "meter_ids": sorted(set(serials)),
        "period": name.value,
        "from": from_.isoformat() if from_ else None,
        "to": to.isoformat() if to else None,
        "format": file_format.value,
    }
    return queue_job(kind=Job.Kind.EXPORT_READINGS, parameters=parameters, actor=actor, now=now)


def run_export(running: Running) -> dict[str, Any]:
    """Write the file of a job; periods are those of when it was asked for."""
    job, user = running.job, running.actor.user
    asked = job.parameters
    file_format = ExportFormat(asked["format"])
    meters = _meters(asked["meter_ids"], user)
    size = 0
    with writing_result(job, suffix=file_format.suffix) as file:
        for chunk in export_meters(asked=_each(meters, running, user), file_format=file_format, now=running.now):
            file.write(chunk)
            size += len(chunk)
    running.note(len(meters), len(meters), at_once=True)
    return {"meters": len(meters), "bytes": size}


def _meters(serials: Collection[str], user: User | None) -> list[Meter]:
    meters = meters_for(serials=serials, user=user)
    prefetch_related_objects(meters, "registers")
    return meters


def _each(meters: Sequence[Meter], running: Running, user: User | None) -> Iterator[ExportedMeter]:
    asked = running.job.parameters
    from_, to = (datetime.fromisoformat(text) if text else None for text in (asked["from"], asked["to"]))
    for place, meter in enumerate(meters):
        running.note(place, len(meters))
        within = periods_for(meter=meter, user=user)
        period = meter_period(
            meter=meter,
            name=asked["period"],
            now=running.job.created_at,
            zone=meter_zone(meter=meter),
            from_=from_,
            to=to,
            within=within,
        )
        yield ExportedMeter(meter, period, within)
