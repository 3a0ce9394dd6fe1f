"""What devices are sorted by and read with: groups, products, mappings, and codes that none knows."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from accounts.admin.common import ServiceAdmin, actor_of, adopt, changed
from energy_portal.shared.admin import AppendOnlyAdmin, HistoryAdmin, PortalAdmin, ReadOnlyInline
from meters.admin.common import instant_column
from meters.devices.models import DeviceGroup, Product, PropertyMapping, UnknownCode
from meters.devices.services import catalogue


@admin.register(DeviceGroup)
class DeviceGroupAdmin(ServiceAdmin, PortalAdmin):
    """Groups of devices."""

    list_display = ("name", "updated")
    search_fields = ("name",)
    fields = ("name",)
    updated = instant_column("updated_at", "Changed")

    def save_model(self, request: HttpRequest, obj: DeviceGroup, form: Any, change: bool) -> None:
        """Enter or rename a group by the service."""
        standing = DeviceGroup.objects.get(pk=obj.pk) if change else None
        values = changed(form) if change else form.cleaned_data
        made = catalogue.save_group(group=standing, values=values, actor=actor_of(request), now=timezone.now())
        adopt(obj, made)


class MappingInline(ReadOnlyInline):
    """What a product's codes mean; changed on the mapping's own page."""

    model = PropertyMapping
    fields = ("code", "quantity", "factor")
    show_change_link = True
    tab = False


@admin.register(Product)
class ProductAdmin(ServiceAdmin, PortalAdmin):
    """Types of devices."""

    list_display = ("product_id", "name", "mapping_count", "updated")
    search_fields = ("product_id", "name")
    fields = (("product_id", "name"),)
    inlines = (MappingInline,)
    updated = instant_column("updated_at", "Changed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        products: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = products.annotate(mapped=Count("mappings"))
        return counted

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        """Enter or change a product by the service."""
        standing = Product.objects.get(pk=obj.pk) if change else None
        values = changed(form) if change else form.cleaned_data
        made = catalogue.save_product(product=standing, values=values, actor=actor_of(request), now=timezone.now())
        adopt(obj, made)

    @display(description="Own mappings", ordering="mapped")
    def mapping_count(self, product: Any) -> int:
        count: int = product.mapped
        return count


@admin.register(PropertyMapping)
class PropertyMappingAdmin(ServiceAdmin, HistoryAdmin):
    """What codes mean."""

    list_display = ("code", "holds_for", "quantity", "factor")
    list_filter = ("quantity", "product")
    list_select_related = ("product",)
    search_fields = ("code", "product__product_id", "product__name")
    autocomplete_fields = ("product",)
    fieldsets = (
        (
            None,
            {
                "fields": (("code", "product"), ("quantity", "factor")),
                "description": "Without a product it holds for every product that says nothing else of the code. "
                "A change holds for what comes in some seconds later; what was stored before stays.",
            },
        ),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("devices.delete_propertymapping"))

    def save_model(self, request: HttpRequest, obj: PropertyMapping, form: Any, change: bool) -> None:
        """Say by the service what a code means."""
        standing = PropertyMapping.objects.get(pk=obj.pk) if change else None
        values = changed(form) if change else form.cleaned_data
        made = catalogue.save_mapping(mapping=standing, values=values, actor=actor_of(request), now=timezone.now())
        adopt(obj, made)

    def delete_model(self, request: HttpRequest, obj: PropertyMapping) -> None:
        """Let a code mean nothing any more, by the service."""
        catalogue.remove_mapping(mapping=obj, actor=actor_of(request), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PropertyMapping]) -> None:
        """Do the same for each that was selected."""
        for mapping in queryset:
            self.delete_model(request, mapping)

    @display(description="Product", ordering="product")
    def holds_for(self, mapping: PropertyMapping) -> str:
        return str(mapping.product or "every product")


@admin.register(UnknownCode)
class UnknownCodeAdmin(AppendOnlyAdmin):
    """Codes that no mapping knows: what to map next."""

    list_display = ("code", "product_id", "count", "seen")
    search_fields = ("code", "product_id")
    seen = instant_column("last_seen_at", "Last seen")
