"""Paths of field operations."""

from django.urls import URLPattern, URLResolver, include, path

from field_ops import pages
from field_ops.api import urls as api_urls

app_name = "field_ops"

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api_urls.urlpatterns)),
    path("field/", pages.today, name="today"),
    path("field/map", pages.walk_map, name="map"),
    path("field/assignments/<uuid:assignment_id>", pages.capture, name="capture"),
    path("field/sent", pages.sent, name="sent"),
    path("field/work", pages.work, name="work"),
    path("field/offline", pages.offline, name="offline"),
    path("field/revoked", pages.revoked, name="revoked"),
    path("field/sw.js", pages.service_worker, name="service_worker"),
    path("field/manifest.webmanifest", pages.manifest, name="manifest"),
]
