"""Bills to look at, and drafts to issue."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from billing.models import Bill, BillLine, BillRun, Correction
from billing.services import corrections
from billing.services.bills import draft_bill, issue_bill
from energy_portal.shared.admin import AppendOnlyAdmin, ReadOnlyInline
from energy_portal.shared.clock import YearMonth
from energy_portal.shared.errors import DomainError
from meters.admin.acts import NoteForm
from meters.admin.common import Question, ask_then, change_url
from meters.models import Binding


class MonthFilter(admin.SimpleListFilter):
    """Months that were run."""

    title = "month"
    parameter_name = "month"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        months = BillRun.objects.order_by("-month").values_list("month", flat=True)
        return [(month.isoformat(), f"{month:%B %Y}") for month in months]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Bill]) -> QuerySet[Bill]:
        chosen = self.value()
        offered = {key for key, _ in self.lookup_choices}
        return queryset.filter(month=chosen) if chosen and chosen in offered else queryset


class BillLineInline(ReadOnlyInline):
    model = BillLine
    fields = ("description", "service_point", "period", "quantity", "unit", "rate", "amount")
    readonly_fields = fields
    tab = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[BillLine]:
        lines: QuerySet[BillLine] = super().get_queryset(request)
        return lines.select_related("service_point")


@admin.register(Bill)
class BillAdmin(AppendOnlyAdmin):
    list_display = ("name", "account", "month_name", "status_label", "consumption_kwh", "total", "currency", "document")
    export_without = ("document",)
    list_select_related = ("account",)
    list_filter = ("status", "kind", MonthFilter, "held_because")
    search_fields = ("^number", "^account__number", "account__owner_name")
    search_help_text = "Bill number, account number, name, or a meter's serial"
    actions = ("issue_selected", "rate_selected", "rate_with_leave")
    actions_detail = ("propose_correction",)
    inlines = (BillLineInline,)
    fields = (
        "name",
        "account",
        "month_name",
        "period",
        "status_label",
        "held",
        "document",
        "corrected",
        "disputed",
        "consumption_kwh",
        "estimated_share",
        "subtotal",
        "tax",
        "total",
        "currency",
        "run",
        "as_of",
        "issued_at",
    )
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Bill], search_term: str
    ) -> tuple[QuerySet[Bill], bool]:
        """Search by number and name, and by the serial of a meter that supplied the account."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if not search_term.strip():
            return found, may_repeat
        supplied = Binding.objects.filter(service_point__installations__meter__serial__iexact=search_term.strip())
        return queryset.filter(Q(pk__in=found.values("pk")) | Q(account__in=supplied.values("account"))), False

    def has_issue_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.change_bill")

    @admin.action(description="Issue selected drafts", permissions=["issue"])
    def issue_selected(self, request: HttpRequest, queryset: QuerySet[Bill]) -> None:
        actor, now = actor_of(request), timezone.now()
        keys = queryset.order_by("account__number").values_list("pk", flat=True)
        self._each(request, keys, lambda key: issue_bill(bill_id=key, actor=actor, now=now), "issued")

    @admin.action(description="Rate selected drafts anew", permissions=["issue"])
    def rate_selected(self, request: HttpRequest, queryset: QuerySet[Bill]) -> None:
        self._rate(request, queryset)

    @admin.action(description="Rate selected drafts anew, with leave to bill estimates", permissions=["issue"])
    def rate_with_leave(self, request: HttpRequest, queryset: QuerySet[Bill]) -> None:
        self._rate(request, queryset, allow_estimates=True)

    def _rate(self, request: HttpRequest, queryset: QuerySet[Bill], *, allow_estimates: bool = False) -> None:
        actor, now = actor_of(request), timezone.now()
        wanted = {bill.pk: bill for bill in queryset}
        self._each(
            request,
            wanted,
            lambda key: draft_bill(
                account_id=wanted[key].account_id,
                month=YearMonth.of(wanted[key].month),
                actor=actor,
                now=now,
                allow_estimates=allow_estimates,
            ),
            "rated",
        )

    def _each(self, request: HttpRequest, keys: Any, do: Callable[[UUID], Bill], done_word: str) -> None:
        done = 0
        for key in keys:
            try:
                do(key)
            except DomainError as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                done += 1
        if done:
            self.message_user(request, f"{done} {'bill' if done == 1 else 'bills'} {done_word}.")

    @display(description="Number", ordering="number")
    def name(self, bill: Bill) -> str:
        return str(bill)

    @display(description="Month", ordering="month")
    def month_name(self, bill: Bill) -> str:
        return f"{bill.month:%B %Y}"

    @display(
        description="Status",
        ordering="status",
        label={
            "draft": "info",
            "proposed": "info",
            "held": "warning",
            "issued": "success",
            "void": "danger",
            "archived": "default",
        },
    )
    def status_label(self, bill: Bill) -> tuple[str, str]:
        if bill.status == Bill.Status.DRAFT and bill.corrects_id:
            return "proposed", "In a correction"
        return ("held", "Held") if bill.held_because else (bill.status, bill.get_status_display())

    @display(description="Held because")
    def held(self, bill: Bill) -> str:
        return bill.get_held_because_display()

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer to correct what is issued."""
        issued = Bill.objects.filter(pk=object_id, kind=Bill.Kind.BILL, status=Bill.Status.ISSUED)
        return list(super().get_actions_detail(request, object_id)) if issued.exists() else []

    @action(description="Propose a correction", url_path="propose-correction", permissions=["issue"])
    def propose_correction(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Rate an issued bill anew, and where it differs propose to correct it."""
        bill = get_object_or_404(Bill, pk=object_id)

        def act(form: NoteForm) -> HttpResponse:
            made = corrections.propose_correction(
                bill_id=bill.pk, reason=form.cleaned_data["note"], actor=actor_of(request), now=timezone.now()
            )
            return redirect(change_url(Correction, made.pk))

        return ask_then(
            self,
            request,
            Question(
                title="Propose a correction",
                intro=f"{bill} is rated anew. Where it differs, a credit note and a new bill are drafted for approval. "
                "The customer reads why.",
                submit="Rate anew",
                back=change_url(Bill, bill.pk),
            ),
            form=NoteForm(request.POST if request.method == "POST" else None),
            act=act,
        )

    @display(description="Corrections")
    def corrected(self, bill: Bill) -> SafeString | str:
        return _links(Correction.objects.filter(Q(original=bill) | Q(credit_note=bill) | Q(replacement=bill)))

    @display(description="Disputes")
    def disputed(self, bill: Bill) -> SafeString | str:
        return _links(bill.disputes.all())

    @display(description="Document")
    def document(self, bill: Bill) -> SafeString:
        return format_html('<a class="underline" href="{}">PDF</a>', reverse("billing:api_bill_pdf", args=(bill.pk,)))


def _links(rows: QuerySet[Any]) -> SafeString | str:
    """Link to corrections or disputes of a bill, each by how it stands."""
    links = [(change_url(rows.model, row.pk), row.get_status_display()) for row in rows]
    return format_html_join(", ", '<a class="underline" href="{}">{}</a>', links) or "-"
