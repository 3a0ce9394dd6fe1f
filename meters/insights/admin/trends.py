"""How batteries age, day by day."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from unfold.decorators import action, display

from energy_portal.shared.admin import AppendOnlyAdmin, BoundedPaginator
from meters.admin.common import VisibleRows, instant_column
from meters.insights import ageing
from meters.insights.ageing import WORDS, Quantity
from meters.insights.models import BatteryTrend
from meters.insights.selectors.battery_health import trend_at

_LATELY = timedelta(days=7)


class OutlookFilter(admin.SimpleListFilter):
    """Where batteries stand of which something was measured lately."""

    title = "outlook"
    parameter_name = "outlook"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("judged", "Judged in the last week"), ("foreseen", "Threshold foreseen or reached")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[BatteryTrend]) -> QuerySet[BatteryTrend]:
        if self.value() not in {"judged", "foreseen"}:
            return queryset
        judged = queryset.filter(day__gt=timezone.now().date() - _LATELY, threshold__isnull=False)
        return judged.filter(days_to_threshold__isnull=False) if self.value() == "foreseen" else judged


@admin.register(BatteryTrend)
class BatteryTrendAdmin(VisibleRows, AppendOnlyAdmin):
    """Where a quantity of a battery's health was on a day, and where it leads."""

    paginator = BoundedPaginator
    list_display = ("day", "battery", "what", "measured", "stands", "pace", "outlook")
    list_filter = (OutlookFilter, "quantity")
    list_select_related = ("battery",)
    ordering = ("-day", "battery", "quantity")
    search_fields = ("battery__battery_id", "battery__name")
    fieldsets = (
        (None, {"fields": (("battery", "day"), ("what", "measured"), ("stands", "pace"), "outlook")}),
        ("How", {"fields": (("conditions_told", "samples"), ("made", "covered_seconds"), "detail")}),
    )
    readonly_fields = ("what", "measured", "stands", "pace", "outlook", "conditions_told", "made")
    actions_detail = ("open_page",)
    made = instant_column("made_at", "Measured")

    @display(description="What", ordering="quantity")
    def what(self, row: BatteryTrend) -> str:
        return WORDS[Quantity(row.quantity)].title

    @display(description="On the day", ordering="value")
    def measured(self, row: BatteryTrend) -> str:
        return "-" if row.value is None else WORDS[Quantity(row.quantity)].say(row.value)

    @display(description="Stands at")
    def stands(self, row: BatteryTrend) -> str:
        return "-" if row.level is None else WORDS[Quantity(row.quantity)].say(row.level)

    @display(description="Moves by")
    def pace(self, row: BatteryTrend) -> str:
        return ageing.pace_text(Quantity(row.quantity), trend_at(row)) or "-"

    @display(description="Outlook")
    def outlook(self, row: BatteryTrend) -> str:
        """Say where it leads; only the day that was the newest one when it was measured was judged."""
        return "-" if row.threshold is None else ageing.outlook_text(Quantity(row.quantity), trend_at(row))

    @display(description="Conditions")
    def conditions_told(self, row: BatteryTrend) -> str:
        return ageing.conditions_text(row.conditions) or "-"

    @action(description="Battery's page", url_path="battery", permissions=["view"], icon="monitor_heart")
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go to the page of the battery."""
        row = get_object_or_404(self.get_queryset(request).select_related("battery"), pk=object_id)
        return redirect("batteries:battery", row.battery.battery_id)
