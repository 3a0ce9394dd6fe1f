"""The queue of disputes: what the customer says beside what the bill rests on, and what a manager answers."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.admin.common import actor_of
from billing.admin.corrections import document_link
from billing.models import Dispute, DisputeStep
from billing.selectors.corrections import supplied_by
from billing.services import disputes
from energy_portal.shared.admin import AppendOnlyAdmin
from meters.admin.common import (
    DecidedOnly,
    Question,
    RelatedInline,
    VisibleRows,
    ask_then,
    change_url,
    instant_column,
)

_STATUS_COLOURS = {
    Dispute.Status.OPEN: "warning",
    Dispute.Status.READINGS_ASKED: "info",
    Dispute.Status.CORRECTING: "info",
    Dispute.Status.UPHELD: "success",
    Dispute.Status.REJECTED: "danger",
    Dispute.Status.WITHDRAWN: "info",
}


class AnswerForm(forms.Form):
    """What the customer reads."""

    answer = forms.CharField(
        label="Answer",
        max_length=disputes.LONGEST_TEXT,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="The customer reads it on the bill.",
    )


class StepInline(RelatedInline):
    """Who did what about it, when and why."""

    model = DisputeStep
    fields = readonly_fields = ("when", "status", "by", "text")
    related = ("by",)
    ordering = ("id",)
    tab = False
    when = instant_column("at", "When")


@admin.register(Dispute)
class DisputeAdmin(DecidedOnly, VisibleRows, AppendOnlyAdmin):
    """Bills that customers object to."""

    list_display = ("opened", "bill_name", "account", "shown_reason", "total", "estimated", "shown_status")
    list_display_links = ("opened", "bill_name")
    list_select_related = ("bill__account",)
    list_filter = ("status", "reason")
    search_fields = ("^bill__number", "^bill__account__number", "bill__account__owner_name", "text")
    search_help_text = "Bill number, account number, name, text, or a meter's serial"
    change_form_outer_before_template = "admin/billing/dispute_panel.html"
    inlines = (StepInline,)
    actions_detail = ("ask_readings", "correct", "reject")
    opened = instant_column("opened_at", "Opened")
    closed = instant_column("closed_at", "Closed")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("account", "bill_link"),
                    ("shown_reason", "line"),
                    "text",
                    ("shown_status", "correction"),
                    "answer",
                    ("opened", "opened_by", "closed"),
                )
            },
        ),
    )
    readonly_fields = ("account", "bill_link", "shown_reason", "shown_status", "opened", "closed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        related = ("bill__account", "line", "opened_by", "correction__original")
        return super().get_queryset(request).select_related(*related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by number, name and text, and by the serial of a meter that supplied the account."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if not search_term.strip():
            return found, may_repeat
        supplied = supplied_by(search_term).values("account")
        return queryset.filter(Q(pk__in=found.values("pk")) | Q(bill__account__in=supplied)), False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer the remedies for what is open."""
        if not self.get_queryset(request).filter(pk=object_id, status__in=Dispute.OPEN).exists():
            return []
        return list(super().get_actions_detail(request, object_id))

    @action(description="Ask for readings", url_path="readings", permissions=["decide"], icon="speed")
    def ask_readings(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have the readings taken or corrected first."""
        intro = "It stays open until they are in. A reading that is corrected proposes a correction by itself."
        return self._ask(request, object_id, "Ask for readings", intro, disputes.ask_for_readings)

    @action(
        description="Propose a correction", url_path="correct", permissions=["decide"], icon="published_with_changes"
    )
    def correct(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Rate the bill anew with what is known now."""
        intro = "The bill is rated anew. Where it differs, a correction waits for approval, which upholds the dispute."
        return self._ask(request, object_id, "Propose a correction", intro, disputes.correct_disputed)

    @action(description="Reject", url_path="reject", permissions=["decide"], icon="block")
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say why the bill stands."""
        return self._ask(request, object_id, "Reject the dispute", "The bill stands.", disputes.reject_dispute)

    def _ask(
        self, request: HttpRequest, object_id: str, title: str, intro: str, service: Callable[..., Any]
    ) -> HttpResponse:
        dispute = get_object_or_404(self.get_queryset(request), pk=object_id)
        return ask_then(
            self,
            request,
            Question(
                title=title,
                intro=f"{dispute.bill}, {dispute.bill.account}: {intro}",
                submit=title,
                back=change_url(Dispute, dispute.pk),
            ),
            form=AnswerForm(request.POST if request.method == "POST" else None),
            act=partial(self._answer, request, dispute.pk, service),
        )

    def _answer(self, request: HttpRequest, key: UUID, service: Callable[..., Any], form: forms.Form) -> str:
        service(dispute_id=key, answer=form.cleaned_data["answer"], actor=actor_of(request), now=timezone.now())
        return "The customer reads your answer on the bill."

    @display(description="Bill", ordering="bill__number")
    def bill_name(self, dispute: Dispute) -> str:
        return str(dispute.bill)

    @display(description="Account", ordering="bill__account__number")
    def account(self, dispute: Dispute) -> str:
        return str(dispute.bill.account)

    @display(description="Reason", ordering="reason")
    def shown_reason(self, dispute: Dispute) -> str:
        return dispute.get_reason_display()

    @display(description="Total", ordering="bill__total")
    def total(self, dispute: Dispute) -> str:
        return f"{dispute.bill.total} {dispute.bill.currency}"

    @display(description="Estimated", ordering="bill__estimated_share")
    def estimated(self, dispute: Dispute) -> str:
        return f"{dispute.bill.estimated_share:.0%}"

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def shown_status(self, dispute: Dispute) -> tuple[str, str]:
        return dispute.status, dispute.get_status_display()

    @display(description="Bill")
    def bill_link(self, dispute: Dispute) -> SafeString | str:
        return document_link(dispute.bill)
