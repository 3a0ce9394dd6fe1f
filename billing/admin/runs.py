"""A month's bills: start it, watch it, continue it."""

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanWidget

from accounts.admin.common import actor_of
from billing.models import BillRun
from billing.selectors.runs import UNDER_WAY, BillSum, run_totals, run_with_starter
from billing.services.runs import request_month
from energy_portal.shared.admin import PortalAdmin, moment
from energy_portal.shared.clock import YearMonth, zone
from energy_portal.shared.errors import DomainError

MONTHS_OFFERED = 36
_REFRESH_SECONDS = "3"


def finished_months() -> list[tuple[str, str]]:
    """List the last months that are over in the site's zone, newest first, as choices."""
    month = YearMonth.of(timezone.now(), zone(settings.SITE_ZONE))
    choices = []
    for _ in range(MONTHS_OFFERED):
        month = month.previous()
        choices.append((str(month), f"{month.first_day:%B %Y}"))
    return choices


class RunMonthForm(forms.ModelForm):  # type: ignore[type-arg]
    """Which month to bill; a month that was run before is run again for whoever has no issued bill."""

    billed_month = forms.ChoiceField(
        label="Month",
        choices=finished_months,
        widget=UnfoldAdminSelectWidget,
        help_text="Accounts that have an issued bill of the month are left alone.",
    )

    preview = forms.BooleanField(
        label="Preview",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="Make drafts only, to look at totals and at what is held; issue them afterwards.",
    )

    class Meta:
        model = BillRun
        fields = ()


@admin.register(BillRun)
class BillRunAdmin(PortalAdmin):
    form = RunMonthForm
    list_display = (
        "month_name",
        "purpose",
        "status_label",
        "progress",
        "bills_issued",
        "bills_held",
        "starter",
        "finished",
    )
    list_select_related = ("started_by",)
    list_filter = ("status",)
    actions_list = ("run_month",)
    actions_detail = ("continue_run", "preview_run", "issue_run")

    def get_fields(self, request: HttpRequest, obj: BillRun | None = None) -> Any:
        if obj is None:
            return ("billed_month", "preview")
        counts = ("accounts_total", "accounts_done", "bills_issued", "bills_held", "totals", "holds")
        times = ("created_at", "started_at", "finished_at")
        return ("month_name", "purpose", "status_label", "progress", *counts, "started_by", *times, "error")

    def get_readonly_fields(self, request: HttpRequest, obj: BillRun | None = None) -> Any:
        return () if obj is None else self.get_fields(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: BillRun | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: BillRun | None = None) -> bool:
        return False

    def has_continue_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(super().has_add_permission(request))

    def save_model(self, request: HttpRequest, obj: BillRun, form: Any, change: bool) -> None:
        """Request the month through the service; the object becomes the run that stands for it."""
        month = YearMonth.parse(form.cleaned_data["billed_month"])
        run = _request(month, request, preview=form.cleaned_data["preview"])
        obj.__dict__.update(run.__dict__)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the runs, and have the browser ask again while one is under way."""
        response: HttpResponse = super().changelist_view(request, extra_context)
        if BillRun.objects.filter(status__in=UNDER_WAY).exists():
            response["Refresh"] = _REFRESH_SECONDS
        return response

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show a run, and have the browser ask again while it is under way."""
        response: HttpResponse = super().change_view(request, object_id, *args, **kwargs)
        if BillRun.objects.filter(pk=object_id, status__in=UNDER_WAY).exists():
            response["Refresh"] = _REFRESH_SECONDS
        return response

    @action(description="Run a month's bills", url_path="run-month", permissions=["add"])
    def run_month(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:billing_billrun_add")

    @action(description="Continue this run", url_path="continue", permissions=["continue"])
    def continue_run(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        issues = run_with_starter(object_id).issues
        return self._ask(request, object_id, preview=not issues, done="The run continues.")

    @action(description="Preview the bills", url_path="preview", permissions=["continue"])
    def preview_run(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        return self._ask(request, object_id, preview=True, done="The bills are being drafted.")

    @action(description="Issue the bills", url_path="issue", permissions=["continue"])
    def issue_run(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        return self._ask(request, object_id, preview=False, done="The bills are being issued.")

    def _ask(self, request: HttpRequest, object_id: UUID, *, preview: bool, done: str) -> HttpResponse:
        try:
            _request(YearMonth.of(run_with_starter(object_id).month), request, preview=preview)
        except DomainError as error:
            self.message_user(request, str(error), messages.WARNING)
        else:
            self.message_user(request, done)
        return redirect(reverse("admin:billing_billrun_change", args=(object_id,)))

    @display(description="Month", ordering="month")
    def month_name(self, run: BillRun) -> str:
        return str(run)

    @display(
        description="Status",
        ordering="status",
        label={"queued": "info", "running": "info", "done": "success", "failed": "danger"},
    )
    def status_label(self, run: BillRun) -> tuple[str, str]:
        return run.status, run.get_status_display()

    @display(description="For")
    def purpose(self, run: BillRun) -> str:
        return "issue" if run.issues else "preview"

    @display(description="Bills")
    def totals(self, run: BillRun) -> SafeString | str:
        """Tell what the bills that are not held come to."""
        sums = run_totals(run).sums
        return format_html_join(mark_safe("<br>"), "{}", ((_sum_words(each),) for each in sums)) if sums else "-"

    @display(description="Held drafts")
    def holds(self, run: BillRun) -> SafeString | str:
        """Tell why drafts are held, each reason leading to its drafts."""
        holds = run_totals(run).holds
        bills = reverse("admin:billing_bill_changelist")
        links = (
            (
                f"{bills}?month={run.month}&status__exact=draft&held_because__exact={held.reason}",
                held.bills,
                held.reason,
            )
            for held in holds
        )
        rows = ((url, f"{count:,}", reason.label) for url, count, reason in links)
        return format_html_join(mark_safe("<br>"), '<a class="underline" href="{}">{}: {}</a>', rows) if holds else "-"

    @display(description="Started by", ordering="started_by__name")
    def starter(self, run: BillRun) -> str:
        return run.started_by.name if run.started_by else "the calendar"

    @display(description="Finished", ordering="finished_at")
    def finished(self, run: BillRun) -> str:
        return moment(run.finished_at)

    @display(description="Accounts")
    def progress(self, run: BillRun) -> SafeString:
        return format_html(
            '<span style="white-space: nowrap"><progress value="{done}" max="{total}" aria-label="Accounts billed" '
            'style="accent-color: var(--color-primary-600)"></progress> {done} of {total}</span>',
            done=run.accounts_done,
            total=max(run.accounts_total, run.accounts_done),
        )


def _sum_words(each: BillSum) -> str:
    return (
        f"{each.bills:,} {each.status.label.lower()}, {each.energy_kwh or 0:,.2f} kWh, "
        f"{each.currency} {each.total or 0:,.2f}, {each.estimated_share:.1%} estimated"
    )


def _request(month: YearMonth, request: HttpRequest, *, preview: bool) -> BillRun:
    return request_month(month=month, actor=actor_of(request), now=timezone.now(), preview=preview)
