"""The suite: its own home, fast hashes, tasks in place, e-mail in memory."""

import os
from pathlib import Path

import structlog

_home = os.environ.get("PORTAL_HOME") or Path(__file__).resolve().parent.parent.parent / ".portal"
# Set once: workers of a parallel run inherit it, and their PORTAL_HOME is the suite's already.
os.environ["PORTAL_HOME"] = os.environ.setdefault("PORTAL_TEST_HOME", str(Path(_home, "test")))

from energy_portal.settings.base import *

SECRET_KEY = "a-key-for-the-suite-only-that-is-long-enough-for-hs256"
SIMPLE_JWT["SIGNING_KEY"] = SECRET_KEY
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
DATABASES["default"]["OPTIONS"].pop("pool")
if not env.str("DATABASE_URL", ""):
    # The suite's own server holds it with every migration applied; databases of tests are copies.
    DATABASES["default"]["TEST"] = {"TEMPLATE": DATABASES["default"]["NAME"]}
# To draw a fault with the variables of every frame takes a second, and some tests have many.
LOGGING["formatters"]["structured"]["processors"][-1] = structlog.dev.ConsoleRenderer(
    colors=False, exception_formatter=structlog.dev.plain_traceback
)
