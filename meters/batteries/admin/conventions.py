"""How sources and files write."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from accounts.admin.common import ServiceAdmin, actor_of, adopt, changed
from energy_portal.shared.admin import HistoryAdmin
from energy_portal.shared.errors import Invalid
from meters.admin.common import instant_column
from meters.batteries.conventions import Terms
from meters.batteries.models import Convention
from meters.batteries.services import catalogue

_FIELDS = ("name", "source", "charge_is_positive", "columns", "units", "time_column", "zone", "clock_offset_seconds")
_INTRO = (
    "What is left out is as the portal's own: published names and units, discharging positive, UTC. "
    "A change holds for what comes in some seconds later; what was stored before stays."
)


class ConventionForm(forms.ModelForm[Convention]):
    """A convention that can be followed."""

    class Meta:
        model = Convention
        fields = _FIELDS
        labels = {"clock_offset_seconds": "Clock offset (s)"}  # noqa: RUF012

    def clean(self) -> dict[str, Any]:
        """Check that names and units mean something."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("columns", "units"):
            if name in cleaned and not isinstance(cleaned[name] or {}, dict):
                self.add_error(name, "An object is expected.")
        if not self.errors:
            values = {**cleaned, "columns": cleaned["columns"] or {}, "units": cleaned["units"] or {}}
            try:
                Terms.of(Convention(**{name: values[name] for name in _FIELDS}))
            except Invalid as error:
                self.add_error(None, str(error))
            cleaned.update(values)
        return cleaned


@admin.register(Convention)
class ConventionAdmin(ServiceAdmin, HistoryAdmin):
    """Conventions."""

    form = ConventionForm
    list_display = ("name", "source", "turns", "battery_count", "updated")
    list_select_related = ("source",)
    search_fields = ("name",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "source"),
                    ("columns", "units"),
                    ("charge_is_positive", "time_column"),
                    ("zone", "clock_offset_seconds"),
                ),
                "description": _INTRO,
            },
        ),
    )
    updated = instant_column("updated_at", "Changed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        conventions: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = conventions.annotate(written=Count("batteries"))
        return counted

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("batteries.delete_convention"))

    def save_model(self, request: HttpRequest, obj: Convention, form: Any, change: bool) -> None:
        """Enter or change a convention by the service."""
        standing = Convention.objects.get(pk=obj.pk) if change else None
        values = changed(form) if change else form.cleaned_data
        made = catalogue.save_convention(
            convention=standing, values=values, actor=actor_of(request), now=timezone.now()
        )
        adopt(obj, made)

    def delete_model(self, request: HttpRequest, obj: Convention) -> None:
        """Remove a convention by the service."""
        catalogue.remove_convention(convention=obj, actor=actor_of(request), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Convention]) -> None:
        """Do the same for each that was selected."""
        for convention in queryset:
            self.delete_model(request, convention)

    @display(description="Charging counts as")
    def turns(self, convention: Convention) -> str:
        return "positive" if convention.charge_is_positive else "negative"

    @display(description="Batteries", ordering="written")
    def battery_count(self, convention: Any) -> int:
        count: int = convention.written
        return count
