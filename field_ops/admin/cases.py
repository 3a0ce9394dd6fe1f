"""One request for approval as a reviewer sees it: value, readings, evidence and all that happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_datetime

from accounts.models import User
from energy_portal.shared.admin import moment
from field_ops.admin.evidence_words import Fact, expected_range, facts_of, reasons_of
from field_ops.admin.sparkline import Sparkline, sparkline
from field_ops.admin.submissions import photo_url
from field_ops.models import ApprovalRequest, AssignmentStep, Decision, Submission
from field_ops.selectors.approvals import decisions_on, hindrance
from meters.admin.common import change_url, dial_text, quality_text
from meters.models import Register


@dataclass(frozen=True)
class ReadingLine:
    """A reading that stands, in words."""

    when: str
    value: str
    quality: str


@dataclass(frozen=True)
class HistoryLine:
    """Something that happened to the work, for the list under a case."""

    at: datetime
    when: str
    title: str
    who: str
    detail: str
    icon: str


@dataclass(frozen=True)
class Case:
    """A request with everything that a decision leans on.

    ``hindered`` says why the person may not decide; empty where they may. ``level`` is the one that is next.
    """

    request: ApprovalRequest
    value: str
    unit: str
    photo_url: str
    readings: tuple[ReadingLine, ...]
    line: Sparkline | None
    facts: tuple[Fact, ...]
    reasons: tuple[str, ...]
    history: tuple[HistoryLine, ...]
    hindered: str
    level: int
    is_waiting: bool
    meter_url: str
    reviewed_value: str


_SENT_SHOWN, _DECISIONS_SHOWN = 20, 50
_ICONS = {"approved": "check", "rejected": "block", "returned": "undo"}


def case_of(request: ApprovalRequest, user: User) -> Case:
    """Gather what a reviewer sees of a request, in a constant number of queries."""
    submission = request.submission
    register = submission.register
    waiting = None if submission.value is None else (submission.read_at, submission.value)
    is_waiting = request.status in (ApprovalRequest.Status.PENDING, ApprovalRequest.Status.UNDER_REVIEW)
    hindered = hindrance(request, user) if is_waiting else None
    reviewed = request.decisions.exclude(value=None).order_by("-level").values_list("value", flat=True).first()
    return Case(
        request=request,
        value="" if submission.value is None else f"{submission.value.normalize():f}",
        unit="" if register is None else register.unit,
        photo_url=photo_url(submission.pk) if getattr(submission, "photo", None) is not None else "",
        readings=_readings(request.meter_data, register),
        line=sparkline(_points(request.meter_data), waiting, expected_range(request.evidence)),
        facts=facts_of(request),
        reasons=reasons_of(request),
        history=_history(request, user),
        hindered="" if hindered is None else hindered.detail,
        level=request.levels_done + 1,
        is_waiting=is_waiting,
        meter_url=change_url(type(request.meter), request.meter_id),
        reviewed_value="" if reviewed is None else dial_text(reviewed, register),
    )


def _readings(meter_data: Mapping[str, Any], register: Register | None) -> tuple[ReadingLine, ...]:
    """Write the last readings as they were when the submission came, newest first."""
    return tuple(
        ReadingLine(
            moment(parse_datetime(str(each["time"]))),
            dial_text(Decimal(str(each["value"])), register),
            quality_text(each.get("quality")),
        )
        for each in meter_data.get("last_readings", ())
    )


def _points(meter_data: Mapping[str, Any]) -> list[tuple[datetime, Decimal]]:
    read = ((parse_datetime(str(at)), Decimal(str(value))) for at, value in meter_data.get("points", ()))
    return [(at, value) for at, value in read if at is not None]


def _history(request: ApprovalRequest, user: User) -> tuple[HistoryLine, ...]:
    """Put in order the steps of the work, and what was sent and decided on its meter, newest first."""
    steps = request.submission.assignment.steps.select_related("agent__user", "by")
    sent = Submission.objects.visible_to(user).filter(meter=request.meter_id)
    lines = [_step_line(each) for each in steps]
    lines += [_sent_line(each) for each in sent.select_related("register", "agent__user")[:_SENT_SHOWN]]
    decided = decisions_on(request.meter_id, user=user).select_related("request__submission__register")
    lines += [_decision_line(each) for each in decided[:_DECISIONS_SHOWN]]
    return tuple(sorted(lines, key=lambda line: line.at, reverse=True))


def _step_line(step: AssignmentStep) -> HistoryLine:
    title = step.act.replace("_", " ").capitalize() + (f": {step.agent}" if step.agent else "")
    who = "" if step.by is None else step.by.name
    return HistoryLine(step.at, moment(step.at), title, who, step.reason, "assignment")


def _sent_line(sent: Submission) -> HistoryLine:
    what = sent.get_obstacle_display() if sent.value is None else dial_text(sent.value, sent.register)
    return HistoryLine(
        sent.received_at, moment(sent.received_at), f"Sent: {what}", str(sent.agent), sent.notes, "upload"
    )


def _decision_line(decision: Decision) -> HistoryLine:
    value = (
        ""
        if decision.value is None
        else f"Reviewer's value {dial_text(decision.value, decision.request.submission.register)}."
    )
    bulk = "Together with others." if decision.in_bulk else ""
    return HistoryLine(
        at=decision.at,
        when=moment(decision.at),
        title=f"{decision.get_verdict_display().capitalize()} at level {decision.level}",
        who=decision.by.name,
        detail=" ".join(filter(None, (decision.notes, value, bulk))),
        icon=_ICONS[decision.verdict],
    )
