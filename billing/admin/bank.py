"""Banks' files: looked at, booked with progress, and the lines that wait for somebody."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from accounts.admin.common import actor_of, each
from billing.admin.bank_forms import AssignForm, BankFileForm, IgnoreForm
from billing.models import BankImport, BankLine
from billing.selectors.bank import line_counts, undecided
from billing.services.bank import assign_line, check_file, ignore_line, request_booking
from energy_portal.shared.admin import AppendOnlyAdmin
from meters.admin.common import Question, ask_then, change_url, list_url

_REFRESH_SECONDS = "3"
_ACTIVE = (BankImport.Status.QUEUED, BankImport.Status.RUNNING)
_IMPORT_COLOURS = {"checked": "warning", "queued": "info", "running": "info", "done": "success", "failed": "danger"}
_LINE_COLOURS = {
    "read": "info",
    "booked": "success",
    "waiting": "warning",
    "ignored": "default",
    "duplicate": "default",
    "outgoing": "default",
    "unreadable": "danger",
}


@admin.register(BankImport)
class BankImportAdmin(AppendOnlyAdmin):
    """Files of banks."""

    list_display = ("file_name", "status_label", "progress", "uploaded_at", "uploaded_by", "booked_at")
    list_select_related = ("uploaded_by",)
    list_filter = ("status",)
    search_fields = ("file_name",)
    actions_list = ("load_file",)
    actions_detail = ("book",)
    fields = ("file_name", "status_label", "progress", "outcome", "uploaded_by", "uploaded_at", "booked_at", "error")
    readonly_fields = fields

    def has_load_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("billing.add_bankimport"))

    def has_book_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_load_permission(request)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the files, and have the browser ask again while one is being booked."""
        response: HttpResponse = super().changelist_view(request, extra_context)
        if BankImport.objects.filter(status__in=_ACTIVE).exists():
            response["Refresh"] = _REFRESH_SECONDS
        return response

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show a file, and have the browser ask again while it is being booked."""
        response: HttpResponse = super().change_view(request, object_id, *args, **kwargs)
        if BankImport.objects.filter(pk=object_id, status__in=_ACTIVE).exists():
            response["Refresh"] = _REFRESH_SECONDS
        return response

    @action(description="Load a bank's file", url_path="load", permissions=["load"], icon="upload_file")
    def load_file(self, request: HttpRequest) -> HttpResponse:
        """Take a file, and lead to what booking it would do."""

        def act(form: BankFileForm) -> HttpResponse:
            file = form.cleaned_data["file"]
            found = check_file(
                content=file.read(),
                name=file.name or "",
                options=form.options(),
                actor=actor_of(request),
                now=timezone.now(),
            )
            return redirect(change_url(BankImport, found.pk))

        question = Question(
            title="Load a bank's file",
            intro="Every line is looked at first: whose payment it is, what is known already, what cannot be read. "
            "Nothing counts before you book the file on the page that follows.",
            submit="Look at it",
            back=list_url(BankImport),
        )
        return ask_then(
            self, request, question, form=BankFileForm(request.POST or None, request.FILES or None), act=act
        )

    @action(description="Book this file", url_path="book", permissions=["book"], icon="check")
    def book(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Ask once more, and have a worker book the file."""
        found = BankImport.objects.get(pk=object_id)
        question = Question(
            title=f"Book {found.file_name}",
            intro="Lines that name an account or a bill become payments, the others wait for a decision.",
            submit="Book it",
            back=change_url(BankImport, found.pk),
        )

        def act(_: forms.Form) -> str:
            request_booking(import_id=found.pk, actor=actor_of(request), now=timezone.now())
            return "The file is being booked."

        return ask_then(self, request, question, form=forms.Form(request.POST or None), act=act)

    @display(description="Status", ordering="status", label=_IMPORT_COLOURS)
    def status_label(self, found: BankImport) -> tuple[str, str]:
        return found.status, found.get_status_display()

    @display(description="Lines")
    def progress(self, found: BankImport) -> SafeString:
        return format_html(
            '<span style="white-space: nowrap"><progress value="{done}" max="{total}" aria-label="Lines booked" '
            'style="accent-color: var(--color-primary-600)"></progress> {done} of {total}</span>',
            done=found.lines_done,
            total=found.lines_total,
        )

    @display(description="Outcome")
    def outcome(self, found: BankImport) -> SafeString:
        """Count the lines by what becomes of them, each leading to just those."""
        lines = reverse("admin:billing_bankline_changelist")
        rows = (
            (lines, found.pk, count.status, count.count, count.label, f": {count.code}" if count.code else "")
            for count in line_counts(found.pk)
        )
        link = '<li><a class="underline" href="{}?bank_import__id__exact={}&amp;status__exact={}">{} {}{}</a></li>'
        return format_html("<ul>{}</ul>", format_html_join("", link, rows))


class QueueFilter(admin.SimpleListFilter):
    """What somebody is to decide on."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "waits for a decision")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[BankLine]) -> QuerySet[BankLine]:
        return undecided(queryset) if self.value() == "open" else queryset


@admin.register(BankLine)
class BankLineAdmin(AppendOnlyAdmin):
    """Lines of banks' files."""

    list_display = ("received_on", "amount", "currency", "reference", "payer", "status_label", "problem", "bank_import")
    list_select_related = ("bank_import",)
    list_filter = (QueueFilter, "status", "code", ("bank_import", admin.RelatedOnlyFieldListFilter))
    search_fields = ("reference", "payer", "=bank_id", "^account__number", "^bill__number")
    search_help_text = "What the payer wrote, the payer, the bank's number, an account or a bill"
    ordering = ("-id",)
    actions = ("ignore_selected",)
    actions_detail = ("assign", "ignore")
    fields = (
        "bank_import",
        "line",
        "raw",
        "status_label",
        "code",
        "problem",
        "received_on",
        "amount",
        "currency",
        "reference",
        "payer",
        "bank_id",
        "account",
        "bill",
        "payment",
        "decided_by",
        "decided_at",
        "note",
    )
    readonly_fields = fields

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("billing.change_bankline"))

    @action(description="Assign to an account", url_path="assign", permissions=["decide"], icon="person_check")
    def assign(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask whose payment it is."""

        def act(form: AssignForm) -> str:
            said = {name: value.strip() for name, value in form.cleaned_data.items()}
            line = assign_line(line_id=object_id, **said, actor=actor_of(request), now=timezone.now())
            return f"Booked to {line.account}."

        return self._ask(request, object_id, AssignForm, "Assign", act)

    @action(description="Ignore", url_path="ignore", permissions=["decide"], icon="block")
    def ignore(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask why it is no payment."""

        def act(form: IgnoreForm) -> str:
            ignore_line(line_id=object_id, **form.cleaned_data, actor=actor_of(request), now=timezone.now())
            return "The line is ignored."

        return self._ask(request, object_id, IgnoreForm, "Ignore", act)

    @admin.action(description="Ignore selected lines", permissions=["decide"])
    def ignore_selected(self, request: HttpRequest, queryset: QuerySet[BankLine]) -> None:
        """Ignore lines; what is decided already is told, and the others go on."""
        actor, now = actor_of(request), timezone.now()
        each(
            self,
            request,
            queryset,
            lambda line: ignore_line(line_id=line.pk, note="", actor=actor, now=now),
            "{} lines ignored.",
        )

    def _ask(
        self, request: HttpRequest, line_id: int, form: type[Any], submit: str, act: Callable[[Any], str]
    ) -> HttpResponse:
        line = BankLine.objects.get(pk=line_id)
        question = Question(
            title=f"{submit} {line.currency} {line.amount or ''} of {line.received_on or 'no day'}",
            intro=f"{line.reference} {line.payer}".strip() or line.raw,
            submit=submit,
            back=f"{list_url(BankLine)}?queue=open",
        )
        return ask_then(self, request, question, form=form(request.POST or None), act=act)

    @display(description="Status", ordering="status", label=_LINE_COLOURS)
    def status_label(self, line: BankLine) -> tuple[str, str]:
        return line.status, line.get_status_display()
