"""A person's own machine: a key of the home's own, static files from where they are, e-mail on the console."""

from energy_portal.settings.base import *
from energy_portal.shared.home_secret import own_secret

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = SECRET_KEY or own_secret(PORTAL_HOME)
SIMPLE_JWT["SIGNING_KEY"] = SECRET_KEY
WHITENOISE_USE_FINDERS = True
STATIC_ROOT = None
