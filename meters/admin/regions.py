"""Regions."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.common import ServiceAdmin, actor_of, adopt, changed
from energy_portal.shared.admin import PortalAdmin
from meters.models import Region
from meters.services.regions import save_region


@admin.register(Region)
class RegionAdmin(ServiceAdmin, PortalAdmin):
    """Circles on the map that people are responsible for."""

    list_display = ("name", "description", "radius_m", "status")
    list_filter = ("status",)
    search_fields = ("name", "description")
    fields = (("name", "status"), "description", ("latitude", "longitude", "radius_m"))

    def save_model(self, request: HttpRequest, obj: Region, form: Any, change: bool) -> None:
        """Enter or change a region by the service."""
        standing = Region.objects.get(pk=obj.pk) if change else None
        values = changed(form) if change else form.cleaned_data
        made = save_region(region=standing, values=values, actor=actor_of(request), now=timezone.now())
        adopt(obj, made)
