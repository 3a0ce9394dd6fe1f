"""What lies in the archive: lists to read, and a way to ask for it back."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from accounts.roles import Role
from energy_portal.shared.admin import AppendOnlyAdmin
from meters.admin.common import Question, ask_then, instant_column, list_url
from meters.models import ArchivedMonth, Job
from meters.services.jobs import queue_job


class ArchivedPartAdmin(AppendOnlyAdmin):
    """What was moved out of the database, to be read, and to be asked back.

    :cvar noun: what a row is, as the job's parameter calls it; ``held`` is what it holds.
    :cvar pattern: how its start, ``low``, names it.
    """

    noun: ClassVar[str]
    held: ClassVar[str]
    low: ClassVar[str]
    pattern: ClassVar[str]
    restoring: ClassVar[Job.Kind]

    list_display_links = ("part",)
    archived = instant_column("archived_at", "Archived")
    actions_detail = ("restore",)

    def part(self, row: Any) -> str:
        """Name the month or the day."""
        return f"{getattr(row, self.low):{self.pattern}}"

    @display(description="Rows", ordering="rows")
    def shown_rows(self, row: Any) -> str:
        return f"{row.rows:,}"

    @display(description="Size")
    def size(self, row: Any) -> str:
        return filesizeformat(row.manifest.get("bytes", 0))

    def has_restore_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may move rows between database and archive."""
        return getattr(request.user, "role", None) == Role.ADMIN

    @action(description="Restore to the database", url_path="restore", permissions=["restore"], icon="unarchive")
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have a worker put it back, as a correction of it needs."""
        row = get_object_or_404(self.get_queryset(request), pk=object_id)
        label = self.part(row)

        def act(form: forms.Form) -> str:
            queue_job(kind=self.restoring, parameters={self.noun: label}, actor=actor_of(request), now=timezone.now())
            return f"{label} comes back: its job shows how far it is."

        return ask_then(
            self,
            request,
            Question(
                title="Restore to the database",
                intro=f"{row.rows:,} {self.held} of {label} come back into the database.",
                submit="Restore",
                back=list_url(self.model),
            ),
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=act,
        )


@admin.register(ArchivedMonth)
class ArchivedMonthAdmin(ArchivedPartAdmin):
    """Months of readings that lie in files."""

    noun, held, low, pattern = "month", "readings", "low", "%Y-%m"
    restoring = Job.Kind.RESTORE_ARCHIVE
    list_display = ("part", "shown_rows", "size", "revision", "archived", "path")
    ordering = ("table", "-low")
    fieldsets = (
        (None, {"fields": (("table", "revision"), ("low", "high"), ("rows", "archived_at"), "path", "digest")}),
        ("What was verified of it", {"fields": ("manifest",)}),
    )

    @display(description="Month (UTC)", ordering="low")
    def part(self, row: ArchivedMonth) -> str:
        return super().part(row)
