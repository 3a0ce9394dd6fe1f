"""The value of an approved submission enters through the one door of readings, and the apps above hear of it."""

from datetime import datetime
from decimal import Decimal

from accounts.actors import Actor
from accounts.models import DataSource
from accounts.roles import Scope
from energy_portal.shared.errors import Conflict
from field_ops.models import ApprovalRequest
from meters.models import DomainEvent, Installation, Quality, Register, RuleCode
from meters.services import outbox
from meters.services.readings import OfferedReading, ReadingReport, receive_readings

SOURCE_NAME = "Field readings"
# A person has looked at what these rules look for; an agent reads at any instant.
OVERRIDES = frozenset(
    code.value for code in (RuleCode.OFF_MARK, RuleCode.HIGH, RuleCode.LOW, RuleCode.SPIKE, RuleCode.OVER_CAPACITY)
)


class CannotEnter(Conflict):
    """The door refused the value; the code is the door's own."""


def approved_value(request: ApprovalRequest) -> Decimal | None:
    """Return the last value that a reviewer gave, else the agent's; None where nothing was read."""
    given = request.decisions.exclude(value=None).order_by("-level").values_list("value", flat=True).first()
    value: Decimal | None = request.submission.value if given is None else given
    return value


def enter_value(*, request: ApprovalRequest, register: Register, now: datetime) -> None:
    """Let an approved value of a register stand, in the caller's transaction, and publish it: their last act.

    :raises CannotEnter: it does not fit what stands.
    """
    submission, value = request.submission, approved_value(request)
    offered = OfferedReading(
        meter_id=request.meter.serial,
        timestamp=submission.read_at,
        value=value,
        register_code=register.code,
        quality=int(Quality.VERIFIED),
    )
    report = receive_readings(readings=[offered], actor=Actor(source=_source()), now=now, overrides=OVERRIDES)
    _require_entered(report)
    place = Installation.objects.filter(meter=request.meter, valid__contains=submission.read_at).first()
    event = outbox.NewEvent(
        DomainEvent.Kind.READING_APPROVED,
        service_point_id=place.service_point_id if place else None,
        register_id=register.pk,
        start=submission.read_at,
        end=submission.read_at,
        data={
            "submission": str(submission.pk),
            "assignment": str(submission.assignment_id),
            "meter": str(request.meter_id),
            "value": str(value),
        },
    )
    outbox.publish([event], now=now)


def _source() -> DataSource:
    source, _ = DataSource.objects.get_or_create(name=SOURCE_NAME, defaults={"scopes": [Scope.READINGS]})
    return source


def _require_entered(report: ReadingReport) -> None:
    if report.stored or report.duplicates:
        return
    refusal = (*report.rejected, *report.conflicts, *report.quarantined)[0]
    raise CannotEnter(refusal.detail, code=refusal.code)
