"""Paths of batteries."""

from django.urls import URLPattern, URLResolver, include, path

from meters.batteries.api import urls as api_urls

app_name = "batteries"

urlpatterns: list[URLPattern | URLResolver] = [path("", include(api_urls.urlpatterns))]
