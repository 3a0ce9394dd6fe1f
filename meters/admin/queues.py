"""What waits for a manager: values that did not simply enter, and registrations that somebody asked for."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from energy_portal.shared.admin import AppendOnlyAdmin
from energy_portal.shared.errors import DomainError
from meters.admin.acts import NoteForm, OptionalNoteForm
from meters.admin.common import (
    Question,
    VisibleRows,
    ask_then,
    change_url,
    dial_text,
    instant_column,
    list_url,
)
from meters.models import ReadingException, RegistrationRequest
from meters.services import registration
from meters.services.exceptions import close_exception

_EXCEPTION_COLOURS = {
    ReadingException.Status.OPEN: "warning",
    ReadingException.Status.ACCEPTED: "success",
    ReadingException.Status.REJECTED: "info",
}
_REQUEST_COLOURS = {
    RegistrationRequest.Status.OPEN: "warning",
    RegistrationRequest.Status.CONFIRMED: "success",
    RegistrationRequest.Status.DECLINED: "info",
}
_KEEP = "What stands is right: reject the offered value"
_SETTLE = "It is so: nothing more to do"


class _DecidedOnly:
    """Rows that only services write, with acts that a manager may do on them."""

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may decide."""
        model = self.model._meta  # type: ignore[attr-defined]
        return bool(request.user.has_perm(f"{model.app_label}.change_{model.model_name}"))


@admin.register(ReadingException)
class ReadingExceptionAdmin(_DecidedOnly, VisibleRows, AppendOnlyAdmin):
    """The queue of values that did not simply enter."""

    list_display = (
        "opened",
        "code",
        "register",
        "mark",
        "offered",
        "standing",
        "source",
        "shown_status",
    )
    list_filter = ("status", "code", "source")
    list_select_related = ("register__meter", "source")
    list_display_links = ("opened", "code")
    search_fields = (
        "register__meter__serial",
        "register__meter__installations__service_point__premises__address",
        "register__meter__installations__service_point__bindings__account__number",
    )
    search_help_text = "Meter serial, address or account number"
    fieldsets = (
        (None, {"fields": (("register", "time"), ("code", "source"), ("offered_value", "standing_value"))}),
        ("Decision", {"fields": (("status", "closed_by"), ("opened_at", "closed_at"), "note")}),
    )
    opened = instant_column("opened_at", "Opened")
    mark = instant_column("time", "Reading of")
    actions = ("keep_all", "settle_all")
    actions_detail = ("keep", "settle")

    @display(description="Offered", ordering="offered_value")
    def offered(self, exception: ReadingException) -> str:
        return dial_text(exception.offered_value, exception.register)

    @display(description="Standing", ordering="standing_value")
    def standing(self, exception: ReadingException) -> str:
        return dial_text(exception.standing_value, exception.register)

    @display(description="Status", ordering="status", label=_EXCEPTION_COLOURS)
    def shown_status(self, exception: ReadingException) -> tuple[str, str]:
        return exception.status, exception.get_status_display()

    @admin.action(description=_KEEP, permissions=["decide"])
    def keep_all(self, request: HttpRequest, exceptions: QuerySet[ReadingException]) -> HttpResponse:
        """Reject the offered values of the selected exceptions."""
        return self._close(request, exceptions, ReadingException.Status.REJECTED, _KEEP, "keep_all")

    @admin.action(description=_SETTLE, permissions=["decide"])
    def settle_all(self, request: HttpRequest, exceptions: QuerySet[ReadingException]) -> HttpResponse:
        """Take note of the selected exceptions."""
        return self._close(request, exceptions, ReadingException.Status.ACCEPTED, _SETTLE, "settle_all")

    @action(description="Reject the offered value", url_path="keep", permissions=["decide"], icon="block")
    def keep(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Reject the offered value."""
        one = self.get_queryset(request).filter(pk=object_id)
        return self._close(request, one, ReadingException.Status.REJECTED, _KEEP)

    @action(description="It is so", url_path="settle", permissions=["decide"], icon="check")
    def settle(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take note of it."""
        one = self.get_queryset(request).filter(pk=object_id)
        return self._close(request, one, ReadingException.Status.ACCEPTED, _SETTLE)

    def _close(
        self,
        request: HttpRequest,
        exceptions: QuerySet[Any],
        status: ReadingException.Status,
        title: str,
        bulk_action: str = "",
    ) -> HttpResponse:
        chosen = list(exceptions.values_list("pk", flat=True))
        several = f"{len(chosen)} exception{'' if len(chosen) == 1 else 's'}"
        returned = (("action", bulk_action), *((ACTION_CHECKBOX_NAME, str(key)) for key in chosen))
        asked = not bulk_action or "note" in request.POST
        return ask_then(
            self,
            request,
            Question(
                title=title,
                intro=f"{several} will be closed. No reading moves by it.",
                submit="Close",
                back=list_url(ReadingException),
                hidden=returned if bulk_action else (),
            ),
            form=NoteForm(request.POST if asked and request.method == "POST" else None),
            act=lambda form: self._close_each(request, chosen, status, form.cleaned_data["note"]),
        )

    def _close_each(self, request: HttpRequest, chosen: list[UUID], status: ReadingException.Status, note: str) -> str:
        closed = 0
        for key in chosen:
            try:
                close_exception(exception_id=key, status=status, note=note, actor=actor_of(request), now=timezone.now())
            except DomainError as error:
                self.message_user(request, error.detail, messages.WARNING)
            else:
                closed += 1
        return f"{closed} closed."


@admin.register(RegistrationRequest)
class RegistrationRequestAdmin(_DecidedOnly, AppendOnlyAdmin):
    """Registrations that somebody without the right to bind meters asked for."""

    list_display = ("asked", "account_number", "owner_name", "email", "meters", "shown_status")
    asked = instant_column("created_at", "Asked")
    list_filter = ("status",)
    list_display_links = ("asked", "account_number")
    search_fields = ("account_number", "owner_name", "email", "payload")
    fieldsets = (
        (None, {"fields": (("account_number", "owner_name"), ("email", "requested_by"), "payload")}),
        ("Decision", {"fields": (("status", "decided_by"), ("created_at", "decided_at"), "account", "note")}),
    )
    actions = ("confirm_all",)
    actions_detail = ("confirm", "decline")

    @display(description="Meters")
    def meters(self, request_row: RegistrationRequest) -> str:
        serials = request_row.payload.get("meter_serials", ())
        return ", ".join(str(serial) for serial in serials)

    @display(description="Status", ordering="status", label=_REQUEST_COLOURS)
    def shown_status(self, request_row: RegistrationRequest) -> tuple[str, str]:
        return request_row.status, request_row.get_status_display()

    @admin.action(description="Confirm: register the account and bind its meters", permissions=["decide"])
    def confirm_all(self, request: HttpRequest, requests: QuerySet[RegistrationRequest]) -> None:
        """Carry out the selected registrations, each by itself."""
        for key in requests.order_by("created_at").values_list("pk", flat=True):
            try:
                account = registration.confirm_request(request_id=key, actor=actor_of(request), now=timezone.now())
            except DomainError as error:
                self.message_user(request, error.detail, messages.WARNING)
            else:
                self.message_user(request, f"{account} is registered.", messages.SUCCESS)

    @action(description="Confirm", url_path="confirm", permissions=["decide"], icon="check")
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Register the account and bind its meters."""

        def act(form: OptionalNoteForm, row: RegistrationRequest) -> str:
            account = registration.confirm_request(request_id=row.pk, actor=actor_of(request), now=timezone.now())
            return f"{account} is registered."

        intro = "The account is made and its meters are bound to it."
        return self._decide(request, object_id, act, "Confirm the registration", intro, "Confirm")

    @action(description="Decline", url_path="decline", permissions=["decide"], icon="block")
    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Close the request without carrying it out."""

        def act(form: OptionalNoteForm, row: RegistrationRequest) -> str:
            registration.decline_request(
                request_id=row.pk, actor=actor_of(request), now=timezone.now(), note=form.cleaned_data["note"]
            )
            return "The request is declined."

        return self._decide(request, object_id, act, "Decline the registration", "Nothing is made or bound.", "Decline")

    def _decide(
        self,
        request: HttpRequest,
        object_id: str,
        act: Callable[[OptionalNoteForm, RegistrationRequest], str],
        title: str,
        intro: str,
        submit: str,
    ) -> HttpResponse:
        row = get_object_or_404(self.get_queryset(request), pk=object_id)
        return ask_then(
            self,
            request,
            Question(title=title, intro=f"{row}: {intro}", submit=submit, back=change_url(RegistrationRequest, row.pk)),
            form=OptionalNoteForm(request.POST if request.method == "POST" else None),
            act=lambda form: act(form, row),
        )
