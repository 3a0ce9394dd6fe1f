"""What the admin pages of every app have in common."""

from typing import Any

from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin


class PortalAdmin(ModelAdmin):  # type: ignore[misc]
    """Lists that open fast however long they are, forms that fit a screen."""

    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True


class AppendOnlyAdmin(PortalAdmin):
    """Rows that the portal writes and people only read."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class HistoryAdmin(SimpleHistoryAdmin, PortalAdmin):  # type: ignore[misc]
    """Rows whose every change is kept and shown."""
