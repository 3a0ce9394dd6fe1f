"""Paths of batteries."""

from django.urls import URLPattern, URLResolver, include, path

from meters.batteries import pages
from meters.batteries.api import urls as api_urls

app_name = "batteries"

urlpatterns: list[URLPattern | URLResolver] = [
    path("batteries/", pages.fleet, name="fleet"),
    path("batteries/<str:battery_id>/", pages.battery, name="battery"),
    path("batteries/<str:battery_id>/dossier", pages.dossier, name="dossier"),
    path("batteries/<str:battery_id>/dossier.pdf", pages.dossier_document, name="dossier_pdf"),
    path("", include(api_urls.urlpatterns)),
]
