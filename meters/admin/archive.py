"""The months that lie in the archive."""

from django.contrib import admin
from unfold.decorators import display

from energy_portal.shared.admin import AppendOnlyAdmin
from meters.admin.common import instant_column
from meters.models import ArchivedMonth


@admin.register(ArchivedMonth)
class ArchivedMonthAdmin(AppendOnlyAdmin):
    """What was moved out of the database, to be read only."""

    list_display = ("month", "shown_rows", "size", "revision", "archived", "path")
    list_display_links = ("month",)
    ordering = ("table", "-low")
    fieldsets = (
        (None, {"fields": (("table", "revision"), ("low", "high"), ("rows", "archived_at"), "path", "digest")}),
        ("What was verified of it", {"fields": ("manifest",)}),
    )
    archived = instant_column("archived_at", "Archived")

    @display(description="Month (UTC)", ordering="low")
    def month(self, row: ArchivedMonth) -> str:
        return f"{row.low:%Y-%m}"

    @display(description="Readings", ordering="rows")
    def shown_rows(self, row: ArchivedMonth) -> str:
        return f"{row.rows:,}"

    @display(description="Size")
    def size(self, row: ArchivedMonth) -> str:
        return f"{int(row.manifest.get('bytes', 0)) / 1e6:,.1f} MB"
