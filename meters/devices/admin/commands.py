"""What devices were told to do, and what came of it."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import display

from energy_portal.shared.admin import AppendOnlyAdmin, BoundedPaginator
from meters.admin.common import VisibleRows, instant_column
from meters.devices.admin.common import COMMAND_COLOURS, OPEN_COMMANDS, asker
from meters.devices.models import Command


@admin.register(Command)
class CommandAdmin(VisibleRows, AppendOnlyAdmin):
    """Commands with their ledgers."""

    list_display = ("asked", "device", "what", "shown_status", "reason", "by", "settled")
    list_display_links = ("asked",)
    list_filter = ("status", "switch")
    list_select_related = ("device", "user", "source")
    list_before_template = "admin/meters/jobs_live.html"
    search_fields = ("device__device_id__startswith",)
    search_help_text = "How the device's id begins"
    paginator = BoundedPaginator
    change_form_outer_before_template = "admin/devices/command_panel.html"
    fields = (("device", "what"), ("asked", "by"), ("expires", "attempts"))
    readonly_fields = ("what", "asked", "by", "expires")
    asked = instant_column("created_at", "Asked")
    settled = instant_column("settled_at", "Settled")
    expires = instant_column("expires_at", "Expires")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.ledger_view)
        return [path("<uuid:pk>/ledger/", view, name="devices_command_ledger"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Tell the list whether any command is on its way, so that it keeps itself up to date."""
        under_way = self.get_queryset(request).filter(status__in=OPEN_COMMANDS).exists()
        return super().changelist_view(request, {**(extra_context or {}), "under_way": under_way})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add the ledger."""
        command = self.get_object(request, object_id)
        ledger = self._ledger(command) if isinstance(command, Command) else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **ledger})

    def ledger_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Return the ledger as it is now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        command = get_object_or_404(self.get_queryset(request).select_related("device"), pk=pk)
        return TemplateResponse(request, "admin/devices/command_ledger.html", self._ledger(command))

    def _ledger(self, command: Command) -> dict[str, Any]:
        return {
            "command": command,
            "steps": command.steps.all(),
            "is_open": command.status in OPEN_COMMANDS,
            "ledger_url": reverse("admin:devices_command_ledger", args=[command.pk]),
        }

    @display(description="Told")
    def what(self, command: Command) -> str:
        return "switch on" if command.switch else "switch off"

    @display(description="Status", ordering="status", label=COMMAND_COLOURS)
    def shown_status(self, command: Command) -> tuple[str, str]:
        return command.status, command.get_status_display()

    @display(description="By")
    def by(self, command: Command) -> str:
        return asker(command)
