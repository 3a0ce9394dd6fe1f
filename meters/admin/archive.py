"""The months that lie in the archive."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from accounts.roles import Role
from energy_portal.shared.admin import AppendOnlyAdmin
from meters.admin.common import Question, ask_then, instant_column, list_url
from meters.models import ArchivedMonth, Job
from meters.services.jobs import queue_job


@admin.register(ArchivedMonth)
class ArchivedMonthAdmin(AppendOnlyAdmin):
    """What was moved out of the database, to be read, and to be asked back."""

    list_display = ("month", "shown_rows", "size", "revision", "archived", "path")
    list_display_links = ("month",)
    ordering = ("table", "-low")
    fieldsets = (
        (None, {"fields": (("table", "revision"), ("low", "high"), ("rows", "archived_at"), "path", "digest")}),
        ("What was verified of it", {"fields": ("manifest",)}),
    )
    archived = instant_column("archived_at", "Archived")
    actions_detail = ("restore",)

    @display(description="Month (UTC)", ordering="low")
    def month(self, row: ArchivedMonth) -> str:
        return f"{row.low:%Y-%m}"

    @display(description="Readings", ordering="rows")
    def shown_rows(self, row: ArchivedMonth) -> str:
        return f"{row.rows:,}"

    @display(description="Size")
    def size(self, row: ArchivedMonth) -> str:
        return f"{int(row.manifest.get('bytes', 0)) / 1e6:,.1f} MB"

    def has_restore_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may move months."""
        return getattr(request.user, "role", None) == Role.ADMIN

    @action(description="Restore to the database", url_path="restore", permissions=["restore"], icon="unarchive")
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have a worker put the month back, as a correction of its readings needs."""
        month = get_object_or_404(self.get_queryset(request), pk=object_id)

        def act(form: forms.Form) -> str:
            parameters = {"month": f"{month.low:%Y-%m}"}
            queue_job(kind=Job.Kind.RESTORE_ARCHIVE, parameters=parameters, actor=actor_of(request), now=timezone.now())
            return f"{month.low:%Y-%m} comes back: its job shows how far it is."

        return ask_then(
            self,
            request,
            Question(
                title="Restore to the database",
                intro=f"{month.rows:,} readings of {month.low:%Y-%m} come back into the database.",
                submit="Restore",
                back=list_url(ArchivedMonth),
            ),
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=act,
        )
