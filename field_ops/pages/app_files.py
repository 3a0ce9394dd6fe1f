"""What makes the pages an app: the service worker, its list of files, and the manifest."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

_LINKED = (
    "portal/tokens.css",
    "portal/site.css",
    "portal/parts.css",
    "portal/map.css",
    "portal/field/field.css",
    "js_lib_leaflet/leaflet.css",
    "portal/icon.svg",
    "portal/icons.svg",
    "portal/portal.js",
    "portal/field/app.js",
    "portal/field/leave.js",
)
# Modules import one another by their plain names, which are served beside the hashed ones.
_IMPORTED = (
    "portal/usage-chart.js",
    "portal/usage-band.js",
    "portal/usage-brush.js",
    "portal/live.js",
    "portal/map.js",
    "js_lib_leaflet/leaflet.js",
)
_FOLDER = "portal/field"
_WORKER = "portal/field/worker.js"


@require_safe
@cache_control(no_cache=True)
def service_worker(request: HttpRequest) -> HttpResponse:
    """Hand out the service worker, which is another one as soon as any of its files is."""
    facts = {
        "version": _version(),
        "files": _addresses(),
        "shell": reverse("field_ops:today"),
        "offline": reverse("field_ops:offline"),
    }
    script = f'import {{ serve }} from "{_plain(_WORKER)}";\nserve({json.dumps(facts)});\n'
    return HttpResponse(script, content_type="text/javascript; charset=utf-8")


@require_safe
@cache_control(max_age=3_600)
def manifest(request: HttpRequest) -> HttpResponse:
    """Hand out what a phone needs to install the pages."""
    sizes = (("192x192", "icon-192.png", "any"), ("512x512", "icon-512.png", "any"))
    masked = (("512x512", "icon-masked-512.png", "maskable"),)
    body = {
        "id": reverse("field_ops:today"),
        "name": "Energy portal: field work",
        "short_name": "Field work",
        "description": "Meters to read today, with or without a connection.",
        "start_url": reverse("field_ops:today"),
        "scope": reverse("field_ops:today"),
        "display": "standalone",
        "orientation": "portrait",
        "lang": "en",
        "background_color": "#f8fafc",
        "theme_color": "#0e7490",
        "icons": [
            {"src": static(f"portal/field/{name}"), "sizes": size, "type": "image/png", "purpose": purpose}
            for size, name, purpose in (*sizes, *masked)
        ],
    }
    return JsonResponse(body, content_type="application/manifest+json")


def _addresses() -> list[str]:
    """Return where all parts of the pages lie, each once."""
    plain = (_plain(name) for name in (*_IMPORTED, *_modules()))
    return list(dict.fromkeys((*map(static, _LINKED), *plain)))


@lru_cache(maxsize=1)
def _modules() -> tuple[str, ...]:
    """Return the names of the pages' own modules."""
    folder = finders.find(_FOLDER)
    return tuple(sorted(f"{_FOLDER}/{path.name}" for path in Path(str(folder)).glob("*.js")))


@lru_cache(maxsize=1)
def _version() -> str:
    """Return a hash over what all of the files hold."""
    digest = hashlib.sha256()
    for name in sorted({*_LINKED, *_IMPORTED, *_modules()}):
        digest.update(name.encode())
        digest.update(Path(str(finders.find(name))).read_bytes())
    return digest.hexdigest()[:16]


def _plain(name: str) -> str:
    """Return the address of a static file under its own name."""
    return f"{settings.STATIC_URL}{name}"
