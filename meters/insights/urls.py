"""Paths of insights."""

from django.urls import URLPattern, URLResolver, include, path

from meters.insights.api import urls as api_urls

app_name = "insights"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(api_urls.urlpatterns)),
]
