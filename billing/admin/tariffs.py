"""Tariffs and taxes; what an issued bill was made of is read-only."""

from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.postgres.fields import DateRangeField
from django.contrib.postgres.forms import RangeWidget
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminDateWidget

from accounts.admin.common import ServiceAdmin, actor_of
from billing.admin.editor import EditorPages
from billing.models import Bill, BillLine, Tariff, TariffAssignment, TariffVersion, Tax, TaxVersion
from billing.selectors.tariffs import issued_lines, words_of
from billing.services.assigning import assign_tariff
from energy_portal.shared.admin import HistoryAdmin, PortalAdmin, ReadOnlyInline
from energy_portal.shared.errors import Invalid

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
    def in_use(self, version: TaxVersion) -> bool:
        return bool(getattr(version, "is_used", False))


class TariffVersionInline(ReadOnlyInline):
    """Versions and their revisions, each a way to its prices."""

    model = TariffVersion
    fields = readonly_fields = ("prices", "first", "after", "revision", "standing", "charges", "in_use")
    ordering = ("-effective", "-revision")
    tab = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        versions = super().get_queryset(request).select_related("tariff").prefetch_related("components")
        return versions.annotate(is_used=Exists(issued_lines()))  # type: ignore[no-any-return]

    @display(description="Version")
    def prices(self, version: TariffVersion) -> SafeString:
        path = reverse("admin:billing_tariff_version", args=(version.tariff_id, version.pk))
        return format_html('<a href="{}">{}</a>', path, version.name)

    @display(description="First day")
    def first(self, version: TariffVersion) -> str:
        return _day(version.effective.lower)

    @display(description="First day after")
    def after(self, version: TariffVersion) -> str:
        return _day(version.effective.upper)

    @display(description="Standing", label={"in force": "success", "superseded": "warning"})
    def standing(self, version: TariffVersion) -> str:
        return "superseded" if version.superseded_at else "in force"

    @display(description="Charges")
    def charges(self, version: TariffVersion) -> str:
        said = words_of(list(version.components.all()), version.tariff.currency)
        return "; ".join(f"{item.name}: {item.words.summary if item.words else item.problem}" for item in said)

    @display(description="On issued bills", boolean=True)
    def in_use(self, version: TariffVersion) -> bool:
        return bool(getattr(version, "is_used", False))


class TaxVersionInline(VersionInline):
    model = TaxVersion
    parent_name, line_name = "tax", "tax_version"
    fields = ("effective", "rate", "in_use")


@admin.register(Tariff)
class TariffAdmin(EditorPages, HistoryAdmin):
    list_display = ("name", "code", "currency", "tax", "service_class", "is_default")
    list_select_related = ("tax",)
    list_filter = ("service_class",)
    search_fields = ("code", "name")
    inlines = (TariffVersionInline,)
    actions_list = ("price_file",)
    actions_detail = ("add_prices",)

    @action(description="Price a file of half-hours", url_path="price-file", permissions=["view"])
    def price_file(self, request: HttpRequest) -> HttpResponse:
        return redirect("billing:what_if_file")

    @action(description="Add a version", url_path="add-prices", permissions=["change"])
    def add_prices(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        return redirect("admin:billing_tariff_add_version", object_id)


@admin.register(Tax)
class TaxAdmin(PortalAdmin):
    list_display = ("name", "code")
    search_fields = ("code", "name")
    inlines = (TaxVersionInline,)


class AssignmentForm(forms.ModelForm):  # type: ignore[type-arg]
    """An assignment, whose days the service judges: it ends the one that the account had."""

    def _get_validation_exclusions(self) -> set[str]:
        return {*super()._get_validation_exclusions(), "effective"}  # type: ignore[misc]


@admin.register(TariffAssignment)
class TariffAssignmentAdmin(ServiceAdmin, PortalAdmin):
    form = AssignmentForm
    list_display = ("account", "tariff", "effective")
    list_select_related = ("account", "tariff")
    list_filter = ("tariff",)
    search_fields = ("^account__number", "account__owner_name")
    raw_id_fields = ("account",)
    formfield_overrides = _LOCAL_DAYS

    def has_change_permission(self, request: HttpRequest, obj: TariffAssignment | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TariffAssignment | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: TariffAssignment, form: Any, change: bool) -> None:
        """Assign through the service, which ends the assignment that the account had."""
        if obj.effective.lower is None:
            raise Invalid("Name the first day.")
        assigned = assign_tariff(
            account_id=obj.account_id,
            tariff_id=obj.tariff_id,
            start=obj.effective.lower,
            after=obj.effective.upper,
            actor=actor_of(request),
            now=timezone.now(),
        )
        obj.__dict__.update(assigned.__dict__)


def _day(day: date | None) -> str:
    return "-" if day is None else date_format(day, "j M Y")
