"""What agents bring from meters: taken in once, however often it is sent, and never changed afterwards."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.models import User
from accounts.roles import Role
from accounts.services import audit
from energy_portal.shared.errors import Conflict, Forbidden, Invalid
from field_ops.models import OPEN_STATES, Agent, Assignment, Submission
from field_ops.selectors.assignments import NoSuchAssignment
from field_ops.services import assignments, reviewing
from field_ops.services.news import tell, work_group
from meters.models import Meter, Register
from meters.services.offers import USUAL_CODE
from meters.services.screening import earliest_accepted, latest_accepted
from meters.validation import parse_value, plain

LONGEST_NOTE = 2_000
LONGEST_SERIAL = 64
_Outcome = Submission.Outcome
_Status = Submission.Status


class SubmissionDiffers(Conflict):
    """Something else was sent under the same id before."""

    code = "submission_differs"


class AssignmentClosed(Conflict):
    """Nothing is to be done there any more."""

    code = "assignment_closed"


class InReviewAlready(Conflict):
    """Another submission of the assignment is under way."""

    code = "in_review_already"


class FollowsAnother(Conflict):
    """What it should follow was not sent back, or has been followed."""

    code = "follows_another"


class BadSubmission(Invalid):
    """A part of it contradicts another, or cannot be; its code says which."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What an agent's device says: ``id`` and ``read_at`` are its own, places degrees (WGS84), accuracy metres."""

    id: UUID
    assignment_id: UUID
    outcome: str
    read_at: datetime
    obstacle: str = ""
    value: object = None
    register_code: str = ""
    serial_given: str = ""
    serial_scanned: bool = False
    latitude: float | None = None
    longitude: float | None = None
    accuracy_m: float | None = None
    notes: str = ""
    expects_photo: bool = True
    follows: UUID | None = None

    def body_hash(self) -> str:
        """Return the SHA-256 of all of it, by which a repeat is known from another body."""
        document = json.dumps(asdict(self), cls=DjangoJSONEncoder, sort_keys=True, default=str)
        return hashlib.sha256(document.encode()).hexdigest()


def submit(*, draft: Draft, user: User, now: datetime) -> Submission:
    """Take a submission in; one that came before is answered as it was then.

    What its value means is not judged here: whatever the register can show is taken, as evidence.

    :raises SubmissionDiffers: another body came under its id.
    :raises NoSuchAssignment: the assignment is not the sender's.
    :raises AssignmentClosed: it is done or cancelled.
    :raises InReviewAlready: another submission of it waits for its photo or for a decision.
    :raises FollowsAnother: it follows what was not sent back.
    :raises BadSubmission: a part of it cannot be.
    """
    digest = draft.body_hash()
    if (earlier := _came_before(draft.id, digest, user)) is not None:
        return earlier
    _check(draft, now)
    try:
        return _take_in(draft, digest, user, now)
    except IntegrityError:
        # The same id came for another assignment in the same moment.
        if (earlier := _came_before(draft.id, digest, user)) is None:
            raise
        return earlier


def _came_before(submission_id: UUID, digest: str, user: User) -> Submission | None:
    earlier = Submission.objects.select_related("agent").filter(pk=submission_id).first()
    if earlier is not None and (earlier.agent.user_id != user.pk or earlier.body_hash != digest):
        raise SubmissionDiffers("Another submission has this id already.")
    return earlier


@transaction.atomic
def _take_in(draft: Draft, digest: str, user: User, now: datetime) -> Submission:
    agent = _sender(draft, user)
    assignment = assignments.lock_work(draft.assignment_id)
    if (earlier := _came_before(draft.id, digest, user)) is not None:
        return earlier
    _require_to_do(assignment, agent)
    register, value = _read(draft, assignment.meter)
    submission: Submission = Submission.objects.create(
        id=draft.id,
        assignment=assignment,
        agent=agent,
        meter=assignment.meter,
        register=register,
        follows=_followed(draft, assignment, agent),
        outcome=draft.outcome,
        obstacle=draft.obstacle,
        value=value,
        serial_given=draft.serial_given.strip(),
        serial_scanned=draft.serial_scanned,
        read_at=draft.read_at,
        received_at=now,
        latitude=draft.latitude,
        longitude=draft.longitude,
        accuracy_m=draft.accuracy_m,
        notes=draft.notes,
        expects_photo=draft.expects_photo,
        body_hash=digest,
        status=_Status.RECEIVING,
    )
    audit.record(
        action="submission.received",
        obj=submission,
        actor=Actor(user=user),
        now=now,
        meter=assignment.meter.serial,
        outcome=draft.outcome,
    )
    if not draft.expects_photo:
        reviewing.open_request(submission=submission, now=now)
    tell(work_group(agent.pk))
    return submission


def _sender(draft: Draft, user: User) -> Agent:
    agent: Agent | None = Agent.objects.filter(user=user).first()
    if agent is None or user.role != Role.AGENT:
        raise Forbidden("Only agents send submissions.", code="not_an_agent")
    if not Assignment.objects.filter(pk=draft.assignment_id, agent=agent).exists():
        raise NoSuchAssignment("There is no such assignment.")
    return agent


def _require_to_do(assignment: Assignment, agent: Agent) -> None:
    if assignment.agent_id != agent.pk:
        raise NoSuchAssignment("There is no such assignment.")
    if assignment.status not in OPEN_STATES:
        raise AssignmentClosed(f"The assignment is {assignment.get_status_display().lower()}.")
    under_way = Submission.objects.filter(
        assignment=assignment, agent=agent, status__in=(_Status.RECEIVING, _Status.IN_REVIEW)
    ).first()
    if under_way is not None:
        raise InReviewAlready(
            f"Another submission of the assignment is {under_way.get_status_display()}.",
            extra={"submission": str(under_way.pk), "submission_status": under_way.status},
        )


def _followed(draft: Draft, assignment: Assignment, agent: Agent) -> Submission | None:
    """Return what was sent back before and not followed yet; a device need not know of it."""
    returned: Submission | None = (
        Submission.objects.filter(assignment=assignment, agent=agent, status=_Status.RETURNED, followed_by=None)
        .order_by("-received_at")
        .first()
    )
    if draft.follows is not None and (returned is None or returned.pk != draft.follows):
        raise FollowsAnother("It follows a submission that was not sent back, or has been followed.")
    return returned


def _check(draft: Draft, now: datetime) -> None:
    """Check what needs no database."""
    if draft.outcome not in _Outcome.values or draft.obstacle not in ("", *Submission.Obstacle.values):
        raise BadSubmission("The outcome or the obstacle is unknown.", code="unknown_outcome")
    if draft.outcome == _Outcome.READ and (draft.value is None or draft.obstacle):
        raise BadSubmission("What was read has a value and no obstacle.", code="value_missing")
    if draft.outcome == _Outcome.COULD_NOT_READ and (draft.value is not None or not draft.obstacle):
        raise BadSubmission("What could not be read has an obstacle and no value.", code="obstacle_missing")
    if draft.read_at > latest_accepted(now):
        raise BadSubmission(f"{draft.read_at.isoformat()} has not come yet.", code="in_future")
    if draft.read_at < earliest_accepted(now):
        raise BadSubmission(f"Readings are taken back to {earliest_accepted(now).isoformat()}.", code="too_old")
    if len(draft.notes) > LONGEST_NOTE or len(draft.serial_given) > LONGEST_SERIAL:
        raise BadSubmission("The notes or the serial are too long.", code="too_long")
    if any("\x00" in text for text in (draft.notes, draft.serial_given, draft.register_code)):
        raise BadSubmission("A text holds a NUL.", code="malformed")
    _check_place(draft)


def _check_place(draft: Draft) -> None:
    place = (draft.latitude, draft.longitude)
    if (place[0] is None) != (place[1] is None):
        raise BadSubmission("A position has a latitude and a longitude.", code="bad_position")
    if draft.latitude is None or draft.longitude is None:
        return
    if not (-90 <= draft.latitude <= 90 and -180 <= draft.longitude <= 180):
        raise BadSubmission("The position is not on the globe.", code="bad_position")
    if draft.accuracy_m is not None and not (draft.accuracy_m >= 0 and math.isfinite(draft.accuracy_m)):
        raise BadSubmission("An accuracy is a distance in metres.", code="bad_position")


def _read(draft: Draft, meter: Meter) -> tuple[Register | None, Decimal | None]:
    """Return the register that was read, and what it showed."""
    if draft.outcome != _Outcome.READ:
        return None, None
    dials = list(Register.objects.filter(meter=meter, kind=Register.Kind.CUMULATIVE).order_by("code"))
    code = draft.register_code or (dials[0].code if len(dials) == 1 else USUAL_CODE)
    register = next((dial for dial in dials if dial.code == code), None)
    if register is None:
        raise BadSubmission(f"The meter {meter.serial} has no dial {code[:20]!r}.", code="unknown_register")
    return register, value_of(draft.value, register)


def value_of(value: object, register: Register) -> Decimal:
    """Return a value as a register can show it, before its multiplier.

    :raises Invalid: not a number, negative, beyond its digits, or finer than its decimals.
    """
    shown = parse_value(value)
    if shown < 0:
        raise BadSubmission("A register cannot show less than zero.", code="negative")
    if shown >= register.modulus:
        raise BadSubmission(f"The register turns over at {plain(register.modulus)}.", code="exceeds_register")
    exponent = shown.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > register.decimals:
        raise BadSubmission(f"The register shows {register.decimals} decimals.", code="too_many_decimals")
    return shown
