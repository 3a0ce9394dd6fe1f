"""Paths of meters."""

from django.urls import URLPattern, URLResolver, include, path

from meters.api import urls as api_urls

app_name = "meters"

urlpatterns: list[URLPattern | URLResolver] = [path("", include(api_urls.urlpatterns))]
