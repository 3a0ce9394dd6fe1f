"""A whole submission comes before those who decide: its evidence is gathered once, and its risk follows from it."""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.crypto import salted_hmac

from energy_portal.shared.errors import Conflict
from field_ops.evidence import assess
from field_ops.models import OPEN_STATES, ApprovalRequest, Risk, Submission
from field_ops.selectors.evidence import claim_of, facts_of, past_of, snapshot
from field_ops.services import assignments, recognising
from field_ops.services.news import APPROVALS_GROUP, tell, work_group

_LEVELS = {Risk.LOW: 1, Risk.HIGH: 2}
_WHOLE = 2**64


class WorkTaken(Conflict):
    """Its assignment was closed or given to somebody else before it was whole."""

    code = "assignment_closed"


@transaction.atomic
def open_request(*, submission: Submission, now: datetime) -> ApprovalRequest:
    """Bring a whole submission before those who decide; what is before them already stays as it is.

    :raises WorkTaken: its assignment was closed, or given to somebody else, meanwhile.
    """
    assignment = assignments.lock_work(submission.assignment_id)
    locked: Submission = (
        Submission.objects.select_for_update(of=("self",)).select_related("meter", "register").get(pk=submission.pk)
    )
    if locked.status != Submission.Status.RECEIVING:
        return ApprovalRequest.objects.get(submission=locked)
    if assignment.status not in OPEN_STATES or assignment.agent_id != locked.agent_id:
        raise WorkTaken("The assignment was closed or given to somebody else meanwhile.")
    past, claim = past_of(locked), claim_of(locked)
    found = assess(claim, facts_of(locked, past), geofence_m=settings.FIELD_GEOFENCE_M)
    risk = Risk.HIGH if found.is_high else Risk.LOW
    request: ApprovalRequest = ApprovalRequest.objects.create(
        submission=locked,
        meter=assignment.meter,
        agent_id=locked.agent_id,
        meter_data=snapshot(locked, past),
        evidence={**found.numbers, "ocr": {"state": recognising.ask(locked) if claim.shot else "no_photo"}},
        risk=risk,
        risk_reasons=list(found.reasons),
        levels_needed=_LEVELS[risk],
        is_audited=risk == Risk.LOW and is_chosen_for_audit(locked),
        submission_notes=locked.notes,
        submitted_at=locked.received_at,
    )
    submission.status = locked.status = Submission.Status.IN_REVIEW
    locked.save(update_fields=("status", "updated_at"))
    assignments.put_in_review(assignment, now=now)
    tell(APPROVALS_GROUP, work_group(locked.agent_id))
    return request


def is_chosen_for_audit(submission: Submission) -> bool:
    """Tell whether chance wants a look at it one by one.

    Chance is the portal's secret and the submission's id, so that who chooses the id cannot choose the outcome.
    """
    drawn = salted_hmac("field_ops.audit", str(submission.pk), algorithm="sha256").digest()[:8]
    share: float = settings.FIELD_AUDIT_SHARE
    return int.from_bytes(drawn) < share * _WHOLE
