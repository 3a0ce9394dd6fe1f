"""Requests for approval, each with what was decided."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from energy_portal.shared.admin import AppendOnlyAdmin, moment
from field_ops.admin.common import APPROVAL_COLOURS, RISK_COLOURS, AgentFilter, page_link
from field_ops.admin.queue import QueuePage
from field_ops.admin.submissions import thumbnail
from field_ops.models import ApprovalRequest, Decision
from meters.admin.common import RelatedInline, VisibleRows, dial_text, instant_column


class DecisionInline(RelatedInline):
    """What was decided at each level."""

    model = Decision
    fields = readonly_fields = ("level", "verdict", "by", "when", "shown_value", "notes", "in_bulk")
    related = ("by", "request__submission__register")
    ordering = ("level",)
    when = instant_column("at", "At")

    @display(description="Reviewer's value")
    def shown_value(self, decision: Decision) -> str:
        return dial_text(decision.value, decision.request.submission.register)


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(QueuePage, VisibleRows, AppendOnlyAdmin):
    """Submissions before those who decide on them."""

    list_display = ("submitted", "meter", "agent", "shown_value", "shown_risk", "levels", "shown_status", "reviewer")
    list_display_links = ("submitted", "meter")
    list_filter = ("status", "risk", "is_audited", "meter__region", AgentFilter)
    search_fields = ("meter__serial", "agent__user__name")
    search_help_text = "Serial or agent"
    ordering = ("-submitted_at", "id")
    submitted = instant_column("submitted_at", "Submitted")
    reviewed = instant_column("reviewed_at", "Decided")
    inlines = (DecisionInline,)
    readonly_fields = ("submitted", "reviewed", "shown_value", "levels", "of", "photo")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("meter", "agent"),
                    ("shown_value", "of"),
                    "photo",
                    ("risk", "levels"),
                    ("status", "is_audited"),
                    "submission_notes",
                )
            },
        ),
        ("Decision", {"fields": (("reviewer", "reviewed"), "review_notes")}),
        ("What it was decided on", {"fields": ("evidence", "meter_data"), "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related(
            "meter", "agent__user", "reviewer", "submission__photo", "submission__register", "submission__meter"
        )

    @display(description="Value")
    def shown_value(self, row: ApprovalRequest) -> str:
        if row.submission.value is None:
            return row.submission.get_obstacle_display()
        return dial_text(row.submission.value, row.submission.register)

    @display(description="Risk", ordering="risk", label=RISK_COLOURS)
    def shown_risk(self, row: ApprovalRequest) -> tuple[str, str]:
        return row.risk, row.get_risk_display()

    @display(description="Levels")
    def levels(self, row: ApprovalRequest) -> str:
        return f"{row.levels_done} of {row.levels_needed}"

    @display(description="Status", ordering="status", label=APPROVAL_COLOURS)
    def shown_status(self, row: ApprovalRequest) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @display(description="Submission")
    def of(self, row: ApprovalRequest) -> SafeString | str:
        return page_link(row.submission, f"Sent {moment(row.submission.received_at)}")

    @display(description="Photo")
    def photo(self, row: ApprovalRequest) -> SafeString | str:
        return thumbnail(getattr(row.submission, "photo", None))
