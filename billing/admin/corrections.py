"""The queue of corrections: both bills side by side, and what a manager decides."""

from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.admin.common import actor_of
from billing.models import Bill, Correction
from billing.selectors.corrections import supplied_by
from billing.services.corrections import approve_correction, approve_small, reject_correction
from energy_portal.shared.admin import AppendOnlyAdmin
from energy_portal.shared.errors import DomainError
from meters.admin.acts import NoteForm
from meters.admin.common import DecidedOnly, Question, VisibleRows, ask_then, change_url, instant_column

_STATUS_COLOURS = {
    Correction.Status.OPEN: "warning",
    Correction.Status.APPROVED: "success",
    Correction.Status.REJECTED: "danger",
    Correction.Status.LAPSED: "info",
}


class ApproveForm(forms.Form):
    """Approve the revision that was looked at."""

    revision = forms.IntegerField(widget=forms.HiddenInput)
    note = forms.CharField(
        label="Note", max_length=1000, required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )


def document_link(bill: Bill | None) -> SafeString | str:
    """Link to a bill's page in the admin."""
    if bill is None:
        return "-"
    return format_html('<a class="underline" href="{}">{}</a>', change_url(Bill, bill.pk), bill)


@admin.register(Correction)
class CorrectionAdmin(DecidedOnly, VisibleRows, AppendOnlyAdmin):
    """Issued bills that would be different now."""

    list_display = ("proposed", "bill_name", "account", "shown_cause", "old_total", "new_total", "gap", "shown_status")
    list_display_links = ("proposed", "bill_name")
    list_select_related = ("original__account", "replacement")
    list_filter = ("status", "cause", "original__month")
    search_fields = ("^original__number", "^original__account__number", "original__account__owner_name")
    search_help_text = "Bill number, account number, name, or a meter's serial"
    change_form_outer_before_template = "admin/billing/correction_panel.html"
    actions = ("approve_small_ones",)
    actions_detail = ("approve", "reject")
    proposed = instant_column("proposed_at", "Proposed")
    drafted = instant_column("drafted_at", "Drafted")
    decided = instant_column("decided_at", "Decided")
    fieldsets = (
        (
            None,
            {"fields": (("account", "bill_link"), ("note_link", "new_link"), ("shown_cause", "revision"), "reason")},
        ),
        ("Decision", {"fields": (("shown_status", "decided_by"), ("proposed", "drafted", "decided"), "note")}),
    )
    readonly_fields = (
        "account",
        "bill_link",
        "note_link",
        "new_link",
        "shown_cause",
        "shown_status",
        "proposed",
        "drafted",
        "decided",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        related = ("original__account", "credit_note", "replacement", "decided_by")
        return super().get_queryset(request).select_related(*related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by number and name, and by the serial of a meter that supplied the account."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if not search_term.strip():
            return found, may_repeat
        supplied = supplied_by(search_term).values("account")
        return queryset.filter(Q(pk__in=found.values("pk")) | Q(original__account__in=supplied)), False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer to decide what is open."""
        if not self.get_queryset(request).filter(pk=object_id, status=Correction.Status.OPEN).exists():
            return []
        return list(super().get_actions_detail(request, object_id))

    @admin.action(description="Approve small differences", permissions=["decide"])
    def approve_small_ones(self, request: HttpRequest, queryset: QuerySet[Correction]) -> None:
        """Approve the selected corrections whose difference is small, each by itself."""
        done = 0
        for key in queryset.order_by("original__account__number").values_list("pk", flat=True):
            try:
                approve_small(correction_id=key, actor=actor_of(request), now=timezone.now())
            except DomainError as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                done += 1
        if done:
            self.message_user(request, f"{done} approved, of at most {settings.CORRECTION_SMALL} each.")

    @action(description="Approve", url_path="approve", permissions=["decide"], icon="check")
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Issue the credit note and the new bill."""
        correction = get_object_or_404(self.get_queryset(request), pk=object_id)

        def act(form: ApproveForm) -> str:
            made = approve_correction(
                correction_id=correction.pk, actor=actor_of(request), now=timezone.now(), **form.cleaned_data
            )
            issued = " and ".join(str(bill) for bill in (made.credit_note, made.replacement) if bill)
            return f"{issued} issued; {made.original} is void."

        seen = {"revision": correction.revision}
        return ask_then(
            self,
            request,
            Question(
                title="Approve the correction",
                intro=f"{correction.original}: {_in_words(correction)} What is issued goes to the customer.",
                submit="Approve",
                back=change_url(Correction, correction.pk),
            ),
            form=ApproveForm(request.POST if request.method == "POST" else None, initial=seen),
            act=act,
        )

    @action(description="Reject", url_path="reject", permissions=["decide"], icon="block")
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let the issued bill stand."""
        correction = get_object_or_404(self.get_queryset(request), pk=object_id)
        return ask_then(
            self,
            request,
            Question(
                title="Reject the correction",
                intro=f"{correction.original} stands. Its drafts are dropped; what was proposed is kept here.",
                submit="Reject",
                back=change_url(Correction, correction.pk),
            ),
            form=NoteForm(request.POST if request.method == "POST" else None),
            act=partial(self._reject, request, correction.pk),
        )

    def _reject(self, request: HttpRequest, key: UUID, form: forms.Form) -> str:
        reject_correction(
            correction_id=key, reason=form.cleaned_data["note"], actor=actor_of(request), now=timezone.now()
        )
        return "Rejected: the issued bill stands."

    @display(description="Bill", ordering="original__number")
    def bill_name(self, correction: Correction) -> str:
        return str(correction.original)

    @display(description="Account", ordering="original__account__number")
    def account(self, correction: Correction) -> str:
        return str(correction.original.account)

    @display(description="Cause", ordering="cause")
    def shown_cause(self, correction: Correction) -> str:
        return correction.get_cause_display()

    @display(description="Difference", ordering="difference")
    def gap(self, correction: Correction) -> str:
        if correction.difference is not None:
            return f"{correction.difference:+.2f} {correction.original.currency}"
        return "held" if correction.status == Correction.Status.OPEN else "-"

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def shown_status(self, correction: Correction) -> tuple[str, str]:
        return correction.status, correction.get_status_display()

    @display(description="Bill")
    def bill_link(self, correction: Correction) -> SafeString | str:
        return document_link(correction.original)

    @display(description="Credit note")
    def note_link(self, correction: Correction) -> SafeString | str:
        return document_link(correction.credit_note)

    @display(description="New bill")
    def new_link(self, correction: Correction) -> SafeString | str:
        return document_link(correction.replacement)


def _in_words(correction: Correction) -> str:
    if correction.difference is None:
        return "The new bill is held, so that nothing can be issued yet."
    owed = f"{correction.old_total} becomes {correction.new_total} {correction.original.currency}"
    return f"{owed}, a difference of {correction.difference:+.2f}."
