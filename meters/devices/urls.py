"""Paths of devices."""

from django.urls import URLPattern, URLResolver, include, path

from meters.devices.api import urls as api_urls

app_name = "devices"

urlpatterns: list[URLPattern | URLResolver] = [path("", include(api_urls.urlpatterns))]
