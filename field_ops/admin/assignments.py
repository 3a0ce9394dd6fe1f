"""Assignments, each with what became of it; they are given out, taken back and put off by hand here."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldBooleanWidget

from accounts.admin.common import actor_of
from energy_portal.shared.admin import AppendOnlyAdmin
from field_ops.admin.assign_forms import end_of_day
from field_ops.admin.assigning import AssignPage
from field_ops.admin.common import (
    ASSIGNMENT_COLOURS,
    MOST_AT_ONCE,
    PRIORITY_COLOURS,
    AgentFilter,
    ask_about,
    day_field,
    page_link,
    person,
)
from field_ops.models import Agent, Assignment, AssignmentStep, Submission
from field_ops.services import assignments as services
from field_ops.services.due_dates import postpone
from meters.admin.acts import NoteForm
from meters.admin.common import DecidedOnly, Question, RelatedInline, VisibleRows, dial_text, instant_column, list_url


class GiveForm(forms.Form):
    """To whom work goes, and why it is taken from who has it."""

    agent = forms.ModelChoiceField(
        queryset=Agent.objects.none(),
        required=False,
        empty_label="Nobody yet",
        widget=UnfoldAdminSelectWidget,
        help_text="Nobody yet: it waits for somebody to be found.",
    )
    beyond_max_load = forms.BooleanField(
        label="Even beyond what they can take", required=False, widget=UnfoldBooleanWidget
    )
    reason = forms.CharField(
        label="Why",
        max_length=1000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Who has it now reads it, and who gets it.",
    )

    def __init__(self, data: Any = None, *, agents: QuerySet[Agent]) -> None:
        super().__init__(data)
        self.fields["agent"].queryset = agents  # type: ignore[attr-defined]


class DueForm(forms.Form):
    """By when work is to be done."""

    due_on = day_field("Due by the end of", required=True)
    note = NoteForm.base_fields["note"]


class StepInline(RelatedInline):
    """What became of an assignment."""

    model = AssignmentStep
    fields = readonly_fields = ("when", "act", "agent", "by", "reason")
    related = ("agent__user", "by")
    ordering = ("-id",)
    verbose_name_plural = "history"
    when = instant_column("at", "When")


class SentInline(RelatedInline):
    """What its agents sent for an assignment."""

    model = Submission
    fields = readonly_fields = ("received", "agent", "shown_value", "status", "page")
    related = ("agent__user", "register", "meter")
    fk_name = "assignment"
    verbose_name_plural = "submissions"
    received = instant_column("received_at", "Received")

    @display(description="Value")
    def shown_value(self, sent: Submission) -> str:
        return sent.get_obstacle_display() if sent.value is None else dial_text(sent.value, sent.register)

    @display(description="Page")
    def page(self, sent: Submission) -> SafeString | str:
        return page_link(sent, "Open")


@admin.register(Assignment)
class AssignmentAdmin(AssignPage, DecidedOnly, VisibleRows, AppendOnlyAdmin):
    """Meters that somebody is to read."""

    list_display = ("meter", "region", "agent", "shown_status", "shown_priority", "due", "origin", "assigned")
    list_filter = ("status", "priority", "origin", "is_in_review", "meter__region", AgentFilter)
    search_fields = ("meter__serial", "meter__address", "agent__user__name")
    search_help_text = "Serial, address or agent"
    due = instant_column("due_at", "Due")
    assigned = instant_column("assigned_at", "Assigned")
    started = instant_column("started_at", "Started")
    completed = instant_column("completed_at", "Completed")
    readonly_fields = ("due", "assigned", "started", "completed", "region", "minutes", "made_by_round")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("meter", "region"),
                    ("agent", "status"),
                    ("is_in_review", "priority"),
                    ("due", "sequence"),
                    "minutes",
                )
            },
        ),
        (
            "How it came about",
            {
                "fields": (
                    ("origin", "made_by_round"),
                    ("assigned", "assigned_by"),
                    ("started", "completed"),
                    "completion_notes",
                    "closing_reason",
                )
            },
        ),
    )
    inlines = (StepInline, SentInline)
    actions = ("give_all", "postpone_all", "cancel_all")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related("meter__region", "agent__user", "assigned_by", "round_run__round")

    @display(description="Region", ordering="meter__region__name")
    def region(self, assignment: Assignment) -> str:
        return str(assignment.meter.region or "-")

    @display(description="Status", ordering="status", label=ASSIGNMENT_COLOURS)
    def shown_status(self, assignment: Assignment) -> tuple[str, str]:
        if assignment.is_in_review:
            return assignment.status, "In review"
        return assignment.status, assignment.get_status_display()

    @display(description="Priority", ordering="priority", label=PRIORITY_COLOURS)
    def shown_priority(self, assignment: Assignment) -> tuple[str, str]:
        return assignment.priority, assignment.get_priority_display()

    @display(description="Round")
    def made_by_round(self, assignment: Assignment) -> str:
        run = assignment.round_run
        return "-" if run is None else f"{run.round}, {run.on:%-d %b %Y}"

    @display(description="Takes")
    def minutes(self, assignment: Assignment) -> str:
        return f"{assignment.estimated_time} min"

    @admin.action(description="Give to somebody", permissions=["decide"])
    def give_all(self, request: HttpRequest, rows: QuerySet[Assignment]) -> HttpResponse:
        """Give the selected work to one agent, or take it back from whoever has it."""
        agents = Agent.objects.visible_to(person(request)).select_related("user")

        def do(form: GiveForm, keys: Sequence[UUID]) -> services.Changed:
            chosen = form.cleaned_data["agent"]
            return services.reassign(
                assignment_ids=keys,
                agent_id=None if chosen is None else chosen.pk,
                reason=form.cleaned_data["reason"],
                beyond_max_load=form.cleaned_data["beyond_max_load"],
                actor=actor_of(request),
                now=timezone.now(),
            )

        words = ("Give to somebody", "Who has it now hears that it is not theirs any more, and why.", "Give")
        return self._ask(request, rows, "give_all", words, partial(GiveForm, agents=agents), do)

    @admin.action(description="Change the due date", permissions=["decide"])
    def postpone_all(self, request: HttpRequest, rows: QuerySet[Assignment]) -> HttpResponse:
        """Give the selected work another due date."""

        def do(form: DueForm, keys: Sequence[UUID]) -> services.Changed:
            return postpone(
                assignment_ids=keys,
                due_at=end_of_day(form.cleaned_data["due_on"]),
                reason=form.cleaned_data["note"],
                actor=actor_of(request),
                now=timezone.now(),
            )

        words = ("Change the due date", "What is overdue is on time again until the new day is over.", "Change")
        return self._ask(request, rows, "postpone_all", words, DueForm, do)

    @admin.action(description="Cancel", permissions=["decide"])
    def cancel_all(self, request: HttpRequest, rows: QuerySet[Assignment]) -> HttpResponse:
        """Cancel the selected work."""

        def do(form: NoteForm, keys: Sequence[UUID]) -> services.Changed:
            note = form.cleaned_data["note"]
            return services.cancel(assignment_ids=keys, reason=note, actor=actor_of(request), now=timezone.now())

        words = ("Cancel", "Nobody reads these meters then; who has them hears why.", "Cancel the work")
        return self._ask(request, rows, "cancel_all", words, NoteForm, do)

    def _ask(
        self,
        request: HttpRequest,
        rows: QuerySet[Assignment],
        bulk_action: str,
        words: tuple[str, str, str],
        form: Callable[[Any], Any],
        do: Callable[[Any, Sequence[UUID]], services.Changed],
    ) -> HttpResponse:
        keys = list(rows.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(keys) > MOST_AT_ONCE:
            self.message_user(request, f"At most {MOST_AT_ONCE} at once.", messages.WARNING)
            return HttpResponse(status=302, headers={"Location": request.get_full_path()})
        title, intro, submit = words
        several = f"{len(keys)} assignment{'' if len(keys) == 1 else 's'}"
        question = Question(title=title, intro=f"{several}. {intro}", submit=submit, back=list_url(Assignment))

        def act(filled: Any) -> str:
            done = do(filled, keys)
            for why in sorted({each.detail for each in done.refused}):
                count = sum(each.detail == why for each in done.refused)
                self.message_user(request, f"{count} left as they were: {why}", messages.WARNING)
            return f"{len(done.changed)} changed."

        return ask_about(self, request, question, chosen=keys, bulk_action=bulk_action, form=form, act=act)
