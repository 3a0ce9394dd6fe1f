"""What waits for a manager besides exceptions: registrations that somebody asked for."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from energy_portal.shared.admin import AppendOnlyAdmin
from energy_portal.shared.errors import DomainError
from meters.admin.acts import OptionalNoteForm
from meters.admin.common import DecidedOnly, Question, ask_then, change_url, instant_column
from meters.models import RegistrationRequest
from meters.services import registration

_REQUEST_COLOURS = {
    RegistrationRequest.Status.OPEN: "warning",
    RegistrationRequest.Status.CONFIRMED: "success",
    RegistrationRequest.Status.DECLINED: "info",
}


@admin.register(RegistrationRequest)
class RegistrationRequestAdmin(DecidedOnly, AppendOnlyAdmin):
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
