"""Paths of insights."""

from django.urls import URLPattern, URLResolver, include, path

from meters.insights import pages
from meters.insights.api import urls as api_urls

app_name = "insights"

urlpatterns: list[URLPattern | URLResolver] = [
    path("batteries/<str:battery_id>/insights", pages.battery, name="battery"),
    path("", include(api_urls.urlpatterns)),
]
