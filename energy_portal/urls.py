"""Every path of the portal."""

from csp.decorators import csp_update
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView

from energy_portal.shared.health import livez, metrics, readyz

# ReDoc parses the schema in a worker that it makes from a blob.
_redoc = csp_update({"worker-src": ["'self'", "blob:"]})(SpectacularRedocView.as_view(url_name="schema"))

# The name of a static file is known only once they are collected.
_icon = lazy(static, str)("portal/icon.svg")

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("meters.urls")),
    path("", include("meters.devices.urls")),
    path("", include("meters.batteries.urls")),
    path("", include("meters.insights.urls")),
    path("", include("field_ops.urls")),
    path("", include("billing.urls")),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("redoc", _redoc, name="redoc"),
    path("livez", livez, name="livez"),
    path("readyz", readyz, name="readyz"),
    path("health", readyz, name="health"),
    path("metrics", metrics, name="metrics"),
    path("favicon.ico", RedirectView.as_view(url=_icon)),
]

handler400 = "energy_portal.shared.error_pages.bad_request"
handler403 = "energy_portal.shared.error_pages.permission_denied"
handler404 = "energy_portal.shared.error_pages.page_not_found"
handler500 = "energy_portal.shared.error_pages.server_error"
