"""Days of samples that lie in the archive, and samples that wait for it."""

from django.contrib import admin
from unfold.decorators import display

from energy_portal.shared.admin import AppendOnlyAdmin
from meters.admin.archive import ArchivedPartAdmin
from meters.admin.common import instant_column
from meters.devices.models import ArchivedDay, LateSample
from meters.models import Job


@admin.register(ArchivedDay)
class ArchivedDayAdmin(ArchivedPartAdmin):
    """Days of samples that lie in files."""

    noun, held, low, pattern = "day", "samples", "day", "%Y-%m-%d"
    restoring = Job.Kind.RESTORE_SAMPLES
    list_display = ("part", "shown_rows", "size", "revision", "archived", "file")
    ordering = ("-day",)
    fieldsets = (
        (None, {"fields": (("day", "revision"), ("rows", "archived_at"), "file", "digest")}),
        ("What was verified of it", {"fields": ("manifest",)}),
    )

    @display(description="Day (UTC)", ordering="day")
    def part(self, row: ArchivedDay) -> str:
        return super().part(row)


@admin.register(LateSample)
class LateSampleAdmin(AppendOnlyAdmin):
    """Samples that came for a day which lies in the archive already, until its next revision takes them in."""

    list_display = ("device", "at", "power_w", "temperature_c", "energy_wh", "switch", "received")
    list_select_related = ("device",)
    search_fields = ("=device__device_id",)
    ordering = ("-time", "-id")
    at = instant_column("time", "Time")
    received = instant_column("received_at", "Received")
