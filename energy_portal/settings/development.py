"""A person's own machine: a key of its own making, e-mail on the console."""

from energy_portal.settings.base import *

WHITENOISE_USE_FINDERS = True
STATIC_ROOT = None
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = SECRET_KEY or "development-only-key-that-production-settings-refuse-to-start-with"
SIMPLE_JWT["SIGNING_KEY"] = SECRET_KEY
