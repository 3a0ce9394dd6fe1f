"""What a phone fetches in one go and keeps, so that every page opens without a connection."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone

from energy_portal.shared.strict_json import dumps
from field_ops.models import AgentNotice, Submission
from field_ops.pages.doors import AgentRequest, agents_data
from field_ops.selectors.carried import Carried, Dial, Task, carried_by


@agents_data
def work(request: AgentRequest) -> HttpResponse:
    """Answer all that an agent's pages show, as JSON."""
    body = dumps(_body(carried_by(request.agent, now=timezone.now())))
    return HttpResponse(body, content_type="application/json")


def _body(carried: Carried) -> dict[str, Any]:
    agent = carried.agent
    return {
        "as_of": carried.as_of,
        "agent": {
            "id": agent.pk,
            "name": agent.user.name,
            "status": agent.status,
            "on_shift": carried.is_on_shift,
        },
        "photo_limit_bytes": settings.MAX_FILE_SIZE,
        "assignments": [_task(task) for task in carried.tasks],
        "notices": [_notice(notice) for notice in carried.notices],
        "submissions": [_submission(submission) for submission in carried.submissions],
    }


def _task(task: Task) -> dict[str, Any]:
    assignment = task.assignment
    meter = assignment.meter
    return {
        "id": assignment.pk,
        "status": assignment.status,
        "is_in_review": assignment.is_in_review,
        "priority": assignment.priority,
        "sequence": assignment.sequence,
        "minutes": assignment.estimated_time,
        "due_at": assignment.due_at,
        "serial": meter.serial,
        "type": meter.get_type_display(),
        "address": meter.address,
        "place": meter.location_id,
        "latitude": meter.latitude,
        "longitude": meter.longitude,
        "dials": [_dial(dial) for dial in task.dials],
        "returned": task.returned and {"id": task.returned.pk, "notes": _review_notes(task.returned)},
    }


def _dial(dial: Dial) -> dict[str, Any]:
    return {
        "code": dial.code,
        "unit": dial.unit,
        "digits": dial.digits,
        "decimals": dial.decimals,
        "plausible": [[float(low), float(high)] for low, high in dial.plausible],
    }


def _notice(notice: AgentNotice) -> dict[str, Any]:
    return {
        "id": notice.pk,
        "kind": notice.kind,
        "text": notice.text,
        "at": notice.created_at,
        "assignment": notice.assignment_id,
    }


def _submission(submission: Submission) -> dict[str, Any]:
    return {
        "id": submission.pk,
        "assignment": submission.assignment_id,
        "serial": submission.meter.serial,
        "address": submission.meter.address,
        "outcome": submission.outcome,
        "obstacle": submission.get_obstacle_display(),
        "value": None if submission.value is None else _plain(submission.value),
        "unit": submission.register and submission.register.unit,
        "read_at": submission.read_at,
        "received_at": submission.received_at,
        "status": submission.status,
        "review_notes": _review_notes(submission),
    }


def _plain(value: Decimal) -> str:
    """Write a number without the zeros that its column adds."""
    return f"{value.normalize():f}"


def _review_notes(submission: Submission) -> str:
    approval = getattr(submission, "approval", None)
    return approval.review_notes if approval else ""
