"""The settings of the portal that browsers are sent to: a person's own, but that to log in takes no half second."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from energy_portal.settings.development import *  # noqa: F403  as every module of settings does


class QuickHasher(PBKDF2PasswordHasher):
    """The usual hash, in one turn: the server would else make a fresh one of many turns at every login."""

    iterations = 1


PASSWORD_HASHERS = [f"{__name__}.QuickHasher"]
