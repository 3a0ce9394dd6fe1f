"""What the portal knows around a submission, for its evidence and for the page that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from energy_portal.shared.geo import Spot
from field_ops import store
from field_ops.evidence import LOOK_ALIKE_BITS, Claim, Facts, Range, Shot, Twin, expected_range
from field_ops.models import Photo, Submission
from meters.consumption import ESTIMATES
from meters.models import ChainEvent, Installation, Meter, RegisterReading, ServicePoint
from meters.selectors.reading_lists import ReadingList

# A month of half-hours, or years of visits.
_MOST_READS = 1_500
_MOST_TWINS = 10
_MOST_POINTS = 30
_SHOWN = 3
_HOURS_A_DAY = 24
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_DEFAULT_RATE: Decimal = ServicePoint._meta.get_field("greatest_rate_per_hour").default


@dataclass(frozen=True)
class Past:
    """What a register showed before a submission's instant while its meter hung where it does, oldest first."""

    reads: Sequence[tuple[datetime, Decimal]] = ()
    newest: Sequence[RegisterReading] = ()
    greatest_rate_per_hour: Decimal = _DEFAULT_RATE


def claim_of(submission: Submission) -> Claim:
    """Return what an agent says, with the photo that came with it."""
    photo = Photo.objects.filter(submission=submission).first()
    return Claim(
        is_read=submission.outcome == Submission.Outcome.READ,
        read_at=submission.read_at,
        received_at=submission.received_at,
        obstacle=submission.obstacle,
        value=submission.value,
        spot=_spot(submission.latitude, submission.longitude),
        accuracy_m=submission.accuracy_m,
        serial=submission.serial_given,
        shot=None if photo is None else _shot(photo, submission),
    )


def facts_of(submission: Submission, past: Past) -> Facts:
    """Return what is known of a submission's meter."""
    meter = submission.meter
    given = submission.serial_given
    named = Meter.objects.filter(serial__in={given, given.upper(), given.lower()}).exclude(pk=meter.pk)
    return Facts(
        serial=meter.serial,
        spot=_spot(meter.latitude, meter.longitude),
        other_meter=(named.values_list("serial", flat=True).first() or "") if given else "",
        expected=_expected(submission, past),
    )


def past_of(submission: Submission) -> Past:
    """Return what a submission's register showed before; nothing where nothing was read. Four queries at most."""
    register, at = submission.register, submission.read_at
    if register is None:
        return Past()
    stay = (
        Installation.objects.filter(meter=submission.meter, valid__contains=at).select_related("service_point").first()
    )
    since = stay.valid.lower if stay is not None and stay.valid.lower is not None else _EARLIEST
    rows = ReadingList(register).during(since, at).page(limit=_MOST_READS)
    true = {row.time: row.value for row in rows if row.quality not in ESTIMATES}
    events = ChainEvent.objects.filter(register=register, value__isnull=False, at__range=(since, at))
    for instant, value in events.exclude(kind=ChainEvent.Kind.REMOVED).values_list("at", "value"):
        true.setdefault(instant, value)
    return Past(
        sorted(true.items()),
        rows[:_SHOWN],
        _DEFAULT_RATE if stay is None else stay.service_point.greatest_rate_per_hour,
    )


def snapshot(submission: Submission, past: Past) -> dict[str, Any]:
    """Return the meter and its last readings as they are now, ready for JSON.

    ``points`` are up to thirty ``[time, value]``, at most one a day, oldest first, for a sparkline.
    """
    meter, register = submission.meter, submission.register
    return {
        "serial": meter.serial,
        "address": meter.address,
        "type": meter.type,
        "latitude": meter.latitude,
        "longitude": meter.longitude,
        "register": register.code if register else None,
        "unit": register.unit if register else None,
        "digits": register.digits if register else None,
        "decimals": register.decimals if register else None,
        "last_readings": [{"time": row.time, "value": row.value, "quality": row.quality} for row in past.newest],
        "points": [[time, value] for time, value in _thinned(past.reads)],
    }


def _shot(photo: Photo, submission: Submission) -> Shot:
    return Shot(
        taken_at=photo.taken_at,
        spot=_spot(photo.taken_latitude, photo.taken_longitude),
        twins=tuple(_twins(photo, submission)),
        shows_something=photo.perceptual_hash is not None,
    )


def _twins(photo: Photo, submission: Submission) -> list[Twin]:
    """Return photos that are the same or look alike, of all meters.

    Who mends a value that was sent back may send the photo again: the same assignment's are no twins.
    """
    alike = store.look_alikes(
        photo.perceptual_hash, within_bits=LOOK_ALIKE_BITS, except_submission=submission.pk, limit=_MOST_TWINS
    )
    bits = {submission_id: apart for _, submission_id, _, apart in alike}
    same = Photo.objects.filter(sha256=photo.sha256).exclude(submission=submission)
    exact = set(same.values_list("submission_id", flat=True)[:_MOST_TWINS])
    others = Submission.objects.filter(pk__in=exact | bits.keys()).exclude(assignment=submission.assignment_id)
    found = [
        Twin(serial, str(pk), bits.get(pk, 0), is_exact=pk in exact)
        for pk, serial in others.values_list("pk", "meter__serial")
    ]
    return sorted(found, key=lambda twin: (not twin.is_exact, twin.bits, twin.submission))[:_MOST_TWINS]


def _expected(submission: Submission, past: Past) -> Range | None:
    register = submission.register
    if register is None:
        return None
    return expected_range(
        past.reads,
        at=submission.read_at,
        modulus=register.modulus,
        greatest_per_day=past.greatest_rate_per_hour * _HOURS_A_DAY / register.multiplier,
    )


def _thinned(reads: Sequence[tuple[datetime, Decimal]]) -> list[tuple[datetime, Decimal]]:
    kept: list[tuple[datetime, Decimal]] = []
    for read in reversed(reads):
        if not kept or kept[-1][0] - read[0] >= timedelta(days=1):
            kept.append(read)
        if len(kept) == _MOST_POINTS:
            break
    return kept[::-1]


def _spot(latitude: float | None, longitude: float | None) -> Spot | None:
    return None if latitude is None or longitude is None else Spot(latitude, longitude)
