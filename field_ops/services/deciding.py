"""Decisions on submissions: locked, one a level, kept for good; the last approval enters the value in the same act."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from accounts.models import User
from accounts.services import audit
from energy_portal.shared.errors import Conflict, DomainError, Forbidden, Invalid
from field_ops.models import ApprovalRequest, Assignment, Decision, Risk, Submission
from field_ops.selectors.approvals import hindrance, request_for
from field_ops.services import assignments
from field_ops.services.entering import enter_value
from field_ops.services.news import APPROVALS_GROUP, tell, work_group
from field_ops.services.recognising import is_being_read
from field_ops.services.submissions import value_of
from meters.services.exceptions import reason_of

MOST_AT_ONCE = 500
LONGEST_NOTE = 1_000
_Status = ApprovalRequest.Status
_Verdict = Decision.Verdict


class AlreadyDecided(Conflict):
    """Somebody was faster; ``by``, ``at`` and ``verdict`` say who, when and what."""

    code = "already_decided"


class TooManyAtOnce(Invalid):
    """More requests than one bulk decision may hold."""

    code = "too_many_at_once"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one request of several was not approved."""

    request_id: UUID
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Bulk:
    """What became of several requests, in the order in which they were given."""

    approved: tuple[UUID, ...]
    refused: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class _Act:
    """A decision as somebody asks for it; ``level``, where they say which they mean."""

    verdict: Decision.Verdict
    notes: str
    value: object = None
    level: int | None = None
    in_bulk: bool = False


def approve(
    *, request_id: UUID, notes: str = "", value: object = None, level: int | None = None, actor: Actor, now: datetime
) -> ApprovalRequest:
    """Approve the next level; at the last one the value enters and the assignment is completed.

    :param value: what the reviewer reads on the photo, where it is not what the agent wrote; that stays as it is.
    :param level: which level is meant, for a page that shows one: decided meanwhile, it is not taken for the next.
    :raises NoSuchRequest: none, or not theirs to see.
    :raises AlreadyDecided: somebody was faster.
    :raises Forbidden: it is their own, they decided on it before, or the second level is not theirs.
    :raises CannotEnter: the value does not fit what stands; nothing is decided.
    :raises Invalid: a value that the register cannot show.
    """
    _check_length(notes)
    return _decide(request_id, _Act(_Verdict.APPROVED, notes.strip(), value, level), actor, now)


def reject(*, request_id: UUID, notes: str, level: int | None = None, actor: Actor, now: datetime) -> ApprovalRequest:
    """Say that it is not so: nothing enters, and the assignment is cancelled with the reason.

    :raises NoReason: it is not said why.
    :raises DomainError: as :func:`approve`.
    """
    return _decide(request_id, _Act(_Verdict.REJECTED, reason_of(notes), level=level), actor, now)


def send_back(
    *, request_id: UUID, notes: str, level: int | None = None, actor: Actor, now: datetime
) -> ApprovalRequest:
    """Have the agent do it again, and tell them what to mend.

    :raises NoReason: it is not said what.
    :raises DomainError: as :func:`approve`.
    """
    return _decide(request_id, _Act(_Verdict.RETURNED, reason_of(notes), level=level), actor, now)


def approve_low_risk(*, request_ids: Iterable[UUID], actor: Actor, now: datetime) -> Bulk:
    """Approve those of several requests that need no look one by one, each in a transaction of its own.

    :raises TooManyAtOnce: more than a bulk may hold.
    """
    wanted = list(dict.fromkeys(request_ids))
    if len(wanted) > MOST_AT_ONCE:
        raise TooManyAtOnce(f"At most {MOST_AT_ONCE} requests are approved at once.")
    approved: list[UUID] = []
    refused: list[Refusal] = []
    for request_id in wanted:
        try:
            _decide(request_id, _Act(_Verdict.APPROVED, "", in_bulk=True), actor, now)
            approved.append(request_id)
        except DomainError as error:
            refused.append(Refusal(request_id, error.code, error.detail))
    return Bulk(tuple(approved), tuple(refused))


def _decide(request_id: UUID, act: _Act, actor: Actor, now: datetime) -> ApprovalRequest:
    user = actor.user
    if user is None:
        raise Forbidden("People decide, not the portal.", code="people_only")
    # A look without a lock turns away who comes late, so that they need not wait for each other.
    _require_theirs(request_for(request_id=request_id, user=user), act, user)
    return _decide_locked(request_id, act, actor, user, now)


@transaction.atomic
def _decide_locked(request_id: UUID, act: _Act, actor: Actor, user: User, now: datetime) -> ApprovalRequest:
    request, assignment = _lock(request_id)
    _require_theirs(request, act, user)
    decision = Decision.objects.create(
        request=request,
        level=request.levels_done + 1,
        verdict=act.verdict,
        by=user,
        at=now,
        notes=act.notes,
        value=_reviewed_value(request, act),
        in_bulk=act.in_bulk,
    )
    request.reviewer, request.reviewed_at = user, now
    request.review_notes = act.notes or request.review_notes
    if act.verdict == _Verdict.APPROVED:
        request.levels_done += 1
    request.status = _next_status(request, act)
    request.save()
    _close(request, assignment, actor, now)
    audit.record(
        action=f"approval.{act.verdict.value}",
        obj=request,
        actor=actor,
        now=now,
        meter=request.meter.serial,
        submission=request.submission_id,
        level=decision.level,
        of=request.levels_needed,
        value=decision.value,
        notes=act.notes,
        in_bulk=act.in_bulk,
    )
    tell(APPROVALS_GROUP, work_group(request.agent_id))
    return request


def _lock(request_id: UUID) -> tuple[ApprovalRequest, Assignment]:
    """Lock what a decision moves, in the one order: agent, assignment, submission, request."""
    seen = ApprovalRequest.objects.select_related("submission").get(pk=request_id)
    assignment = assignments.lock_work(seen.submission.assignment_id)
    Submission.objects.select_for_update(of=("self",)).get(pk=seen.submission_id)
    request: ApprovalRequest = (
        ApprovalRequest.objects.select_for_update(of=("self",))
        .select_related("submission__register", "meter", "agent", "reviewer")
        .get(pk=request_id)
    )
    return request, assignment


def _require_theirs(request: ApprovalRequest, act: _Act, user: User) -> None:
    decided = request.status not in (_Status.PENDING, _Status.UNDER_REVIEW)
    if decided or (act.level is not None and act.level <= request.levels_done):
        _raise_decided(request)
    hindered = hindrance(request, user)
    if hindered is not None:
        if hindered.is_second_level:
            _raise_decided(request)
        raise Forbidden(hindered.detail, code=hindered.code)
    if act.in_bulk and request.risk != Risk.LOW:
        raise Conflict("It is of high risk: look at it.", code="not_low_risk")
    if act.in_bulk and request.is_audited:
        raise Conflict("Chance chose it for a look one by one.", code="chosen_for_audit")
    if act.in_bulk and is_being_read(request):
        raise Conflict("Its photo has not been read yet.", code="photo_being_read")


def _raise_decided(request: ApprovalRequest) -> None:
    last = request.decisions.select_related("by").order_by("-level").first()
    who, when = (last.by.name, last.at.isoformat()) if last else ("", "")
    raise AlreadyDecided(
        f"{who} decided at {when}: {last.get_verdict_display() if last else request.get_status_display()}.",
        extra={"by": who, "at": when, "verdict": last.verdict if last else request.status},
    )


def _check_length(notes: str) -> None:
    if len(notes) > LONGEST_NOTE:
        raise Invalid(f"Notes have at most {LONGEST_NOTE} characters.", code="too_long")


def _reviewed_value(request: ApprovalRequest, act: _Act) -> Decimal | None:
    if act.value is None:
        return None
    register = request.submission.register
    if register is None:
        raise Invalid("Nothing was read, so that there is no value to mend.", code="no_value_expected")
    return value_of(act.value, register)


def _next_status(request: ApprovalRequest, act: _Act) -> ApprovalRequest.Status:
    if act.verdict == _Verdict.REJECTED:
        return _Status.REJECTED
    if act.verdict == _Verdict.RETURNED:
        return _Status.RETURNED
    return _Status.APPROVED if request.levels_done == request.levels_needed else _Status.UNDER_REVIEW


def _close(request: ApprovalRequest, assignment: Assignment, actor: Actor, now: datetime) -> None:
    """Let the submission and its assignment follow a request that is finished; a value enters at last."""
    if request.status == _Status.UNDER_REVIEW:
        return
    submission = request.submission
    submission.status = Submission.Status(request.status)
    submission.save(update_fields=("status", "updated_at"))
    if request.status == _Status.RETURNED:
        assignments.bring_back(assignment, reason=request.review_notes, actor=actor, now=now)
    elif request.status == _Status.REJECTED:
        assignments.give_up(assignment, reason=request.review_notes, actor=actor, now=now)
    else:
        assignments.complete(assignment, notes=request.review_notes, actor=actor, now=now)
    if request.status == _Status.APPROVED and submission.register is not None:
        enter_value(request=request, register=submission.register, now=now)
