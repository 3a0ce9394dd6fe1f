"""Regions."""

from typing import Any, ClassVar, cast

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectMultipleWidget

from accounts.admin.common import ServiceAdmin, actor_of, adopt, changed, is_admin
from accounts.models import User
from accounts.roles import Role
from energy_portal.shared.admin import PortalAdmin
from meters.admin.common import VisibleRows
from meters.models import Region
from meters.selectors.regions import is_bound_to_regions
from meters.services.regions import save_region, set_managers

_STATUS_COLOURS = {
    Region.Status.ACTIVE: "success",
    Region.Status.INACTIVE: "info",
    Region.Status.MAINTENANCE: "warning",
}


class RegionForm(forms.ModelForm[Region]):
    """A circle on the map, and who looks after it."""

    looked_after_by = forms.ModelMultipleChoiceField(
        queryset=User.objects.filter(role=Role.MANAGER).order_by("name", "pk"),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget,
        label="Managers",
        help_text="They see the work of their regions alone; a manager without any region looks after all of them.",
    )

    class Meta:
        model = Region
        fields = ("name", "status", "description", "latitude", "longitude", "radius_m")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "looked_after_by" in self.fields and self.instance.pk:
            managers = User.objects.filter(regions_managed__region=self.instance.pk, role=Role.MANAGER)
            self.fields["looked_after_by"].initial = managers


@admin.register(Region)
class RegionAdmin(VisibleRows, ServiceAdmin, PortalAdmin):
    """Circles on the map that people are responsible for."""

    list_display = ("name", "description", "radius", "meters", "agents", "looked_after", "shown_status")
    list_filter = ("status",)
    search_fields = ("name", "description")
    readonly_fields = ("meters", "agents", "looked_after")
    list_before_template = "admin/meters/regions_map.html"

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("js_lib_leaflet/leaflet.css", "portal/map.css")}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        regions: QuerySet[Any] = rows.with_counts().prefetch_related("managers__user")
        return regions

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the regions on a map above their list."""
        regions = Region.objects.visible_to(cast("User", request.user))
        context = {"circles": [_circle(region) for region in regions], "tiles": settings.MAP_TILE_URL}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_fieldsets(self, request: HttpRequest, obj: Region | None = None) -> Any:
        """Let admins say who looks after a region, and others see it."""
        managers = "looked_after_by" if is_admin(request) else "looked_after"
        place = (("name", "status"), "description", ("latitude", "longitude", "radius_m"), managers)
        return ((None, {"fields": place if obj is None else (*place, ("meters", "agents"))}),)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = RegionForm if is_admin(request) else forms.ModelForm
        return super().get_form(request, obj, change=change, **{"form": form, **kwargs})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _may_draw(request) and bool(super().has_add_permission(request))

    def has_change_permission(self, request: HttpRequest, obj: Region | None = None) -> bool:
        return _may_draw(request) and bool(super().has_change_permission(request, obj))

    def save_model(self, request: HttpRequest, obj: Region, form: Any, change: bool) -> None:
        """Enter or change a region, and say who looks after it, by the services."""
        standing = Region.objects.get(pk=obj.pk) if change else None
        values = changed(form) if change else dict(form.cleaned_data)
        managers = values.pop("looked_after_by", None)
        now = timezone.now()
        if values:
            adopt(obj, save_region(region=standing, values=values, actor=actor_of(request), now=now))
        if managers is not None:
            user_ids = [user.pk for user in managers]
            set_managers(region_id=obj.pk, user_ids=user_ids, actor=actor_of(request), now=now)

    @display(description="Radius", ordering="radius_m")
    def radius(self, region: Region) -> str:
        return f"{region.radius_m / 1_000:g} km"

    @display(description="Meters")
    def meters(self, region: Any) -> int:
        count: int = region.meter_count
        return count

    @display(description="Agents")
    def agents(self, region: Any) -> int:
        count: int = region.agent_count
        return count

    @display(description="Looked after by")
    def looked_after(self, region: Region) -> str:
        return ", ".join(sorted(each.user.name for each in region.managers.all())) or "-"

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def shown_status(self, region: Region) -> tuple[str, str]:
        return region.status, region.get_status_display()


def _circle(region: Region) -> dict[str, Any]:
    return {
        "latitude": region.latitude,
        "longitude": region.longitude,
        "radius_m": region.radius_m,
        "label": region.name,
        "tone": "" if region.status == Region.Status.ACTIVE else "muted",
    }


def _may_draw(request: HttpRequest) -> bool:
    return not is_bound_to_regions(cast("User", request.user))
