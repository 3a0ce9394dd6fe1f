"""What the portal writes about itself."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.common import is_admin
from accounts.models import AuditEntry, IdempotencyRecord
from energy_portal.shared.admin import AppendOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(AppendOnlyAdmin):
    """Who did what, and when."""

    list_display = ("at", "action", "user", "source", "object_type", "object_id")
    list_select_related = ("user", "source")
    list_filter = ("object_type",)
    search_fields = ("action", "object_id", "user__email", "source__name")
    search_help_text = "Action, id of the object, person or data source"
    ordering = ("-at", "-pk")


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(AppendOnlyAdmin):
    """Calls that were made with an Idempotency-Key; what was answered is nobody else's to read."""

    list_display = ("created_at", "caller", "key", "path", "status")
    search_fields = ("caller", "key")
    ordering = ("-created_at", "-pk")
    fields = ("caller", "key", "path", "status", "created_at")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_admin(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_admin(request)
