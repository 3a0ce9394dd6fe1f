"""A real deployment: refuses to start without its secrets, HTTPS only."""

from django.core.exceptions import ImproperlyConfigured

from energy_portal.settings.base import *
from energy_portal.shared.logs import logging_settings

_SHORTEST_SECRET = 50

if len(SECRET_KEY) < _SHORTEST_SECRET:
    raise ImproperlyConfigured(f"SECRET_KEY must be set to at least {_SHORTEST_SECRET} random characters.")
for _name in ("DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS", "EMAIL_URL"):
    if not env.str(_name, ""):
        raise ImproperlyConfigured(f"{_name} must be set in production.")

SECURE_SSL_REDIRECT = True
BEHIND_PROXY = env.bool("BEHIND_PROXY", True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 1 if BEHIND_PROXY else 0)
REST_FRAMEWORK["NUM_PROXIES"] = TRUSTED_PROXIES
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
LOGGING = logging_settings(LOG_LEVEL, env.str("LOG_FORMAT", "json"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
