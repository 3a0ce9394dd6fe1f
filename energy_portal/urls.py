"""Every path of the portal."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("meters.urls")),
    path("", include("billing.urls")),
    path("admin/", admin.site.urls),
]
