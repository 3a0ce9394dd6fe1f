"""What the admin pages of field work share: colours of states, small forms, and acts on many rows at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.models import User
from field_ops.models import Agent, ApprovalRequest, Assignment, Risk, Submission
from meters.admin.common import FilledForm, Question, ask_then, change_url
from meters.models import Meter

MOST_AT_ONCE = 500
ASSIGNMENT_COLOURS = {
    Assignment.Status.PENDING: "info",
    Assignment.Status.IN_PROGRESS: "info",
    Assignment.Status.COMPLETED: "success",
    Assignment.Status.CANCELLED: "warning",
    Assignment.Status.OVERDUE: "danger",
}
SUBMISSION_COLOURS = {
    Submission.Status.RECEIVING: "info",
    Submission.Status.IN_REVIEW: "info",
    Submission.Status.APPROVED: "success",
    Submission.Status.RETURNED: "warning",
    Submission.Status.REJECTED: "danger",
}
APPROVAL_COLOURS = {
    ApprovalRequest.Status.PENDING: "info",
    ApprovalRequest.Status.UNDER_REVIEW: "info",
    ApprovalRequest.Status.APPROVED: "success",
    ApprovalRequest.Status.REJECTED: "danger",
    ApprovalRequest.Status.RETURNED: "warning",
}
RISK_COLOURS = {Risk.LOW: "success", Risk.HIGH: "warning"}
PRIORITY_COLOURS = {
    Meter.Priority.LOW: "info",
    Meter.Priority.MEDIUM: "info",
    Meter.Priority.HIGH: "warning",
    Meter.Priority.CRITICAL: "danger",
}


class AgentFilter(admin.SimpleListFilter):
    """Of which agent."""

    title = "agent"
    parameter_name = "agent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        agents = Agent.objects.visible_to(person(request)).select_related("user")
        nobody = [("none", "Nobody yet")] if model_admin.opts.get_field("agent").null else []
        return [*nobody, *((str(agent.pk), str(agent)) for agent in agents)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        if wanted is None:
            return queryset
        known = {key for key, _ in self.lookup_choices}
        if wanted not in known:
            return queryset.none()
        return queryset.filter(agent=None) if wanted == "none" else queryset.filter(agent=wanted)


def person(request: HttpRequest) -> User:
    """Return who is in front of the page."""
    return cast("User", request.user)


def page_link(row: Model | None, words: str = "") -> SafeString | str:
    """Return a link to a row's page, by its own name unless told otherwise; a dash where there is none."""
    return "-" if row is None else format_html('<a href="{}">{}</a>', change_url(type(row), row.pk), words or row)


def ask_about(
    page: ModelAdmin[Any],
    request: HttpRequest,
    question: Question,
    *,
    chosen: Sequence[UUID],
    bulk_action: str,
    form: Callable[[Any], FilledForm],
    act: Callable[[FilledForm], str | HttpResponse],
) -> HttpResponse:
    """Ask before a bulk act; what was chosen comes back with the answer.

    :param form: makes the form from what was sent, or from None where it is shown first.
    """
    returned = (("action", bulk_action), *((ACTION_CHECKBOX_NAME, str(key)) for key in chosen), ("is_answer", "1"))
    filled = request.method == "POST" and "is_answer" in request.POST
    asked = replace(question, hidden=returned)
    return ask_then(page, request, asked, form=form(request.POST if filled else None), act=act)


def day_field(label: str, *, help_text: str = "", required: bool = False) -> forms.DateField:
    """Return a field for a day that the browser's own calendar fills."""
    return forms.DateField(
        label=label,
        required=required,
        help_text=help_text,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
    )
