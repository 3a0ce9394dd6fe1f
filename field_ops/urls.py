"""Paths of field operations."""

from django.urls import URLPattern, URLResolver, include, path

from field_ops.api import urls as api_urls

app_name = "field_ops"

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api_urls.urlpatterns)),
]
