"""Tickets that open a stream for those whose client can send no header: good for a minute, and for one stream."""

from uuid import UUID

from django.core import signing
from django.core.cache import cache
from django.utils.crypto import get_random_string

from accounts.models import User

LIFETIME_SECONDS = 60
_SALT = "stream-ticket"


def issue_ticket(*, user: User) -> str:
    """Return a ticket for somebody who is logged in."""
    return signing.dumps([str(user.pk), user.login_epoch, get_random_string(16)], salt=_SALT)


def redeem_ticket(ticket: str) -> tuple[UUID, int] | None:
    """Return whose ticket it is and the epoch of their login, once; None where it is wrong, has lapsed or was used."""
    try:
        user_id, epoch, once = signing.loads(ticket, salt=_SALT, max_age=LIFETIME_SECONDS)
    except signing.BadSignature:
        return None
    if not cache.add(f"ticket:{once}", 1, LIFETIME_SECONDS + 1):
        return None
    return UUID(user_id), epoch
