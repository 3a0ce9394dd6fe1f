"""The queue of exceptions: what rules did not simply let pass, and what a manager may do about each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from energy_portal.shared.admin import AppendOnlyAdmin, moment
from energy_portal.shared.errors import DomainError
from meters.admin.acts import ExchangedForm, NoteForm
from meters.admin.common import (
    DecidedOnly,
    Question,
    VisibleRows,
    ask_then,
    change_url,
    dial_text,
    instant_column,
    list_url,
)
from meters.models import ReadingException, Register, Severity
from meters.services import remedies
from meters.services.exceptions import is_waiting

_STATUS_COLOURS = {
    ReadingException.Status.OPEN: "warning",
    ReadingException.Status.ACCEPTED: "success",
    ReadingException.Status.REJECTED: "info",
    ReadingException.Status.ESTIMATED: "info",
    ReadingException.Status.RECLASSIFIED: "info",
}
_SEVERITY_COLOURS = {
    Severity.REJECT: "danger",
    Severity.QUARANTINE: "warning",
    Severity.FLAG: "info",
}


_RECLASSIFY = frozenset({"rollover", "exchange"})


@dataclass(frozen=True)
class _Remedy:
    """One act on exceptions: its words, the service that does it, and the reason that is suggested."""

    title: str
    intro: str
    submit: str
    do: Callable[..., ReadingException]
    reason: str


_ACCEPT = _Remedy(
    "It is so",
    "A waiting value enters, in a conflict the offered value replaces what stands, and what was flagged is settled.",
    "Accept",
    remedies.accept,
    "Checked: it is so.",
)
_REJECT = _Remedy(
    "It is not so",
    "What stands is right. No reading moves by it; a waiting value never enters.",
    "Reject",
    remedies.reject,
    "Checked: what stands is right.",
)
_ESTIMATE = _Remedy(
    "Estimate instead",
    "A waiting value never enters, doubtful readings are taken back and kept, and their half-hours are estimated.",
    "Estimate",
    remedies.estimate_instead,
    "Neither value can be trusted.",
)
_ROLLOVER = _Remedy(
    "The dial turned over",
    "The waiting value enters, and the dial counts as turned over on its way there.",
    "It turned over",
    remedies.reclassify_as_rollover,
    "The dial passed zero.",
)


@admin.register(ReadingException)
class ReadingExceptionAdmin(DecidedOnly, VisibleRows, AppendOnlyAdmin):
    """The queue of what rules did not simply let pass."""

    # Each row carries its remedies.
    list_per_page = 15
    list_display = (
        "opened",
        "shown_code",
        "shown_severity",
        "register",
        "mark",
        "what",
        "shown_status",
    )
    list_filter = ("status", "code", "severity", "source")
    list_select_related = ("register__meter", "source")
    list_display_links = ("opened", "shown_code")
    search_fields = (
        "register__meter__serial",
        "register__meter__installations__service_point__premises__address",
        "register__meter__installations__service_point__bindings__account__number",
    )
    search_help_text = "Meter serial, address or account number"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("register", "source"),
                    ("shown_code", "severity"),
                    ("mark", "ends"),
                    "detail",
                    ("offered", "standing"),
                )
            },
        ),
        ("Decision", {"fields": (("status", "closed_by"), ("opened", "closed"), "note")}),
    )
    readonly_fields = ("shown_code", "mark", "ends", "offered", "standing", "opened", "closed")
    opened = instant_column("opened_at", "Opened")
    closed = instant_column("closed_at", "Closed")
    mark = instant_column("time", "Half-hour, or since")
    actions = ("accept_all", "reject_all", "estimate_all")
    actions_row = ("accept", "reject", "estimate")
    actions_detail = ("accept", "reject", "estimate", "rollover", "exchange")

    @display(description="Until")
    def ends(self, exception: ReadingException) -> str:
        return moment(exception.until)

    @display(description="Rule", ordering="code")
    def shown_code(self, exception: ReadingException) -> str:
        return exception.code.replace("_", " ")

    @display(description="Severity", ordering="severity", label=_SEVERITY_COLOURS)
    def shown_severity(self, exception: ReadingException) -> tuple[str, str]:
        return exception.severity, exception.severity

    @display(description="Offered", ordering="offered_value")
    def offered(self, exception: ReadingException) -> str:
        return dial_text(exception.offered_value, exception.register)

    @display(description="Standing", ordering="standing_value")
    def standing(self, exception: ReadingException) -> str:
        return dial_text(exception.standing_value, exception.register)

    @display(description="What")
    def what(self, exception: ReadingException) -> str:
        if exception.detail or exception.offered_value is None:
            return exception.detail or "-"
        offered = f"{dial_text(exception.offered_value, exception.register)} was offered"
        if exception.standing_value is None:
            return f"{offered}."
        return f"{offered} where {dial_text(exception.standing_value, exception.register)} stands."

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def shown_status(self, exception: ReadingException) -> tuple[str, str]:
        return exception.status, exception.get_status_display()

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what may be done about this one: nothing once it is closed."""
        rows = self.get_queryset(request).select_related("register")
        found = rows.filter(pk=object_id, status=ReadingException.Status.OPEN).first()
        if found is None:
            return []
        may_be_reclassified = is_waiting(found) and found.register.kind == Register.Kind.CUMULATIVE
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if may_be_reclassified or each.path not in _RECLASSIFY]

    @admin.action(description="Accept: it is so", permissions=["decide"])
    def accept_all(self, request: HttpRequest, exceptions: QuerySet[ReadingException]) -> HttpResponse:
        """Accept the selected exceptions, each by itself."""
        return self._ask(request, exceptions, _ACCEPT, "accept_all")

    @admin.action(description="Reject: what stands is right", permissions=["decide"])
    def reject_all(self, request: HttpRequest, exceptions: QuerySet[ReadingException]) -> HttpResponse:
        """Reject the selected exceptions, each by itself."""
        return self._ask(request, exceptions, _REJECT, "reject_all")

    @admin.action(description="Estimate instead", permissions=["decide"])
    def estimate_all(self, request: HttpRequest, exceptions: QuerySet[ReadingException]) -> HttpResponse:
        """Estimate instead of the selected exceptions' values, each by itself."""
        return self._ask(request, exceptions, _ESTIMATE, "estimate_all")

    @action(description="Accept", url_path="accept", permissions=["decide"], icon="check")
    def accept(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say that it is so."""
        return self._ask(request, self._one(request, object_id), _ACCEPT)

    @action(description="Reject", url_path="reject", permissions=["decide"], icon="block")
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say that it is not so."""
        return self._ask(request, self._one(request, object_id), _REJECT)

    @action(description="Estimate instead", url_path="estimate", permissions=["decide"], icon="show_chart")
    def estimate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Trust neither value."""
        return self._ask(request, self._one(request, object_id), _ESTIMATE)

    @action(description="It turned over", url_path="rollover", permissions=["decide"], icon="restart_alt")
    def rollover(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say that the dial turned over."""
        return self._ask(request, self._one(request, object_id), _ROLLOVER)

    @action(description="It was exchanged", url_path="exchange", permissions=["decide"], icon="swap_horiz")
    def exchange(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say that another meter hangs there since."""
        exception = get_object_or_404(self.get_queryset(request), pk=object_id)

        def act(form: ExchangedForm) -> str:
            remedies.reclassify_as_exchange(
                exception_id=exception.pk, actor=actor_of(request), now=timezone.now(), **form.cleaned_data
            )
            return f"{form.cleaned_data['new_serial']} hangs there since."

        return ask_then(
            self,
            request,
            Question(
                title="The meter was exchanged",
                intro=f"{exception}: what waits from then on goes to the new meter. Nothing is subtracted across it.",
                submit="It was exchanged",
                back=change_url(ReadingException, exception.pk),
            ),
            form=ExchangedForm(request.POST if request.method == "POST" else None),
            act=act,
        )

    def _one(self, request: HttpRequest, object_id: str) -> QuerySet[Any]:
        rows = self.get_queryset(request).filter(pk=object_id)
        get_object_or_404(rows)
        return rows

    def _ask(
        self, request: HttpRequest, exceptions: QuerySet[Any], remedy: _Remedy, bulk_action: str = ""
    ) -> HttpResponse:
        chosen = list(exceptions.values_list("pk", flat=True))
        several = f"{len(chosen)} exception{'' if len(chosen) == 1 else 's'}"
        returned = (("action", bulk_action), *((ACTION_CHECKBOX_NAME, str(key)) for key in chosen))
        filled = request.method == "POST" and (not bulk_action or "note" in request.POST)
        return ask_then(
            self,
            request,
            Question(
                title=remedy.title,
                intro=f"{several}. {remedy.intro}",
                submit=remedy.submit,
                back=list_url(ReadingException),
                hidden=returned if bulk_action else (),
            ),
            form=NoteForm(request.POST if filled else None, initial={"note": remedy.reason}),
            act=partial(self._act_on_each, request, chosen, remedy),
        )

    def _act_on_each(self, request: HttpRequest, chosen: list[UUID], remedy: _Remedy, form: forms.Form) -> str:
        closed = 0
        for key in chosen:
            try:
                remedy.do(exception_id=key, note=form.cleaned_data["note"], actor=actor_of(request), now=timezone.now())
            except DomainError as error:
                self.message_user(request, error.detail, messages.WARNING)
            else:
                closed += 1
        return f"{closed} closed."
