"""Corrections: what stood, what stands now, who changed it and why, and what moved by it."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from unfold.decorators import display

from energy_portal.shared.admin import AppendOnlyAdmin
from meters.admin.common import VisibleRows, dial_text, instant_column
from meters.models import Correction


@admin.register(Correction)
class CorrectionAdmin(VisibleRows, AppendOnlyAdmin):
    """Every change of a true value."""

    list_display = ("made", "register", "mark", "stood", "stands", "who", "reason")
    list_display_links = ("made",)
    list_select_related = ("register__meter", "made_by", "source")
    search_fields = ("register__meter__serial", "reason", "made_by__email", "made_by__name")
    search_help_text = "Meter serial, person or reason"
    fieldsets = ((None, {"fields": (("register", "mark"), ("stood", "stands"), "reason", ("who", "made"))}),)
    readonly_fields = ("mark", "stood", "stands", "who", "made")
    change_form_outer_before_template = "admin/meters/correction_panel.html"
    made = instant_column("made_at", "Made")
    mark = instant_column("time", "Reading of")

    @display(description="Stood")
    def stood(self, correction: Correction) -> str:
        return dial_text(correction.old_value, correction.register)

    @display(description="Stands")
    def stands(self, correction: Correction) -> str:
        return dial_text(correction.new_value, correction.register)

    @display(description="By")
    def who(self, correction: Correction) -> str:
        return correction.made_by.name if correction.made_by else str(correction.source or "the portal")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add the days and months that moved."""
        correction = self.get_object(request, object_id)
        panel = {"touched": _touched(correction)} if correction is not None else {}
        answer: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **panel})
        return answer


def _touched(correction: Correction) -> dict[str, Any]:
    rows = [
        {
            "period": date_format(datetime.fromisoformat(each["from"]), form),
            "before": each["before"],
            "after": each["after"],
        }
        for form, name in (("F Y", "months"), ("j F Y", "days"))
        for each in correction.touched.get(name, ())
    ]
    return {"unit": correction.touched.get("unit", ""), "rows": rows}
