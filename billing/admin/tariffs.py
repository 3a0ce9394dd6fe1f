"""Tariffs and taxes; what an issued bill was made of is read-only."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.postgres.fields import DateRangeField
from django.contrib.postgres.forms import RangeWidget
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDateWidget

from billing.models import Bill, BillLine, Tariff, TariffAssignment, TariffVersion, Tax, TaxVersion
from energy_portal.shared.admin import HistoryAdmin, PortalAdmin

_LOCAL_DAYS: dict[Any, Any] = {DateRangeField: {"widget": RangeWidget(UnfoldAdminDateWidget())}}


class VersionForm(forms.ModelForm):  # type: ignore[type-arg]
    """A version; every field of one that an issued bill names is disabled, so that nothing sent changes it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if getattr(self.instance, "is_used", False):
            for field in self.fields.values():
                field.disabled = True


class VersionInline(TabularInline):  # type: ignore[misc]
    """Versions of a ``parent_name``; ``line_name`` is a bill line's reference to one."""

    form = VersionForm
    extra = 0
    formfield_overrides = _LOCAL_DAYS
    readonly_fields = ("in_use",)
    ordering = ("effective",)
    parent_name = ""
    line_name = ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        lines = BillLine.objects.filter(**{self.line_name: OuterRef("pk")}).exclude(bill__status=Bill.Status.DRAFT)
        versions = super().get_queryset(request).select_related(self.parent_name)
        return versions.annotate(is_used=Exists(lines))  # type: ignore[no-any-return]

    @display(description="On issued bills", boolean=True)
    def in_use(self, version: TariffVersion | TaxVersion) -> bool:
        return bool(getattr(version, "is_used", False))


class TariffVersionInline(VersionInline):
    model = TariffVersion
    parent_name, line_name = "tariff", "tariff_version"
    fields = ("name", "effective", "in_use")


class TaxVersionInline(VersionInline):
    model = TaxVersion
    parent_name, line_name = "tax", "tax_version"
    fields = ("effective", "rate", "in_use")


@admin.register(Tariff)
class TariffAdmin(HistoryAdmin):
    list_display = ("name", "code", "currency", "tax", "is_default")
    list_select_related = ("tax",)
    search_fields = ("code", "name")
    inlines = (TariffVersionInline,)


@admin.register(Tax)
class TaxAdmin(PortalAdmin):
    list_display = ("name", "code")
    search_fields = ("code", "name")
    inlines = (TaxVersionInline,)


@admin.register(TariffAssignment)
class TariffAssignmentAdmin(PortalAdmin):
    list_display = ("account", "tariff", "effective")
    list_select_related = ("account", "tariff")
    list_filter = ("tariff",)
    search_fields = ("^account__number", "account__owner_name")
    raw_id_fields = ("account",)
    formfield_overrides = _LOCAL_DAYS
