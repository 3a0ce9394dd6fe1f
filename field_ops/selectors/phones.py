"""Phones by the key that their browser holds."""

from accounts.selectors.sources import hash_of_secret
from field_ops.models import Phone


def phone_with(key: str) -> Phone | None:
    """Return the phone of a key, also one that was revoked: it is to be told so. None: there is none."""
    if not key.isascii():
        return None
    found: Phone | None = Phone.objects.filter(key_hash=hash_of_secret(key)).first()
    return found
