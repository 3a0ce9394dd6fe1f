"""Phones: the browsers on which agents work; a lost one is revoked. Only a key's hash is ever stored."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from accounts.selectors.sources import hash_of_secret
from accounts.services import audit
from accounts.services.users import end_logins
from energy_portal.shared.errors import NotFound
from field_ops.models import Phone
from field_ops.services.agents import locked_agent

_SECRET_BYTES = 32
_LONGEST_NAME = 200
_SEEN_EVERY = timedelta(minutes=5)


class NoSuchPhone(NotFound):
    """No phone has that id, or not for the one who asks."""

    code = "no_such_phone"


@transaction.atomic
def register_phone(*, agent_id: UUID, name: str, now: datetime) -> tuple[Phone, str]:
    """Let an agent work on a browser; return it, and its key, which nobody can ever read again.

    :param name: what the browser calls itself; cut where it is long.
    :raises NoSuchAgent: there is no such agent.
    """
    agent = locked_agent(agent_id)
    key = secrets.token_urlsafe(_SECRET_BYTES)
    phone = Phone.objects.create(
        agent=agent, key_hash=hash_of_secret(key), name=name[:_LONGEST_NAME], created_at=now, seen_at=now
    )
    audit.record(action="phone.registered", obj=phone, actor=Actor(user=agent.user), now=now, agent=agent.pk)
    return phone, key


def phone_of(key: str) -> Phone | None:
    """Return the phone of a key; None where there is none, or it was revoked."""
    if not key.isascii():
        return None
    phones = Phone.objects.select_related("agent__user")
    found: Phone | None = phones.filter(key_hash=hash_of_secret(key), revoked_at=None).first()
    return found


def note_seen(*, phone: Phone, now: datetime) -> None:
    """Remember when a phone was last seen, to some minutes."""
    if now - phone.seen_at >= _SEEN_EVERY:
        Phone.objects.filter(pk=phone.pk, seen_at__lt=now).update(seen_at=now)


@transaction.atomic
def revoke_phone(*, phone_id: UUID, actor: Actor, now: datetime) -> Phone:
    """Shut out a phone for good, and end every login of its agent; again it changes nothing.

    :raises NoSuchPhone: there is no such phone.
    """
    phone: Phone | None = (
        Phone.objects.select_for_update(of=("self",)).select_related("agent").filter(pk=phone_id).first()
    )
    if phone is None:
        raise NoSuchPhone("There is no such phone.")
    if phone.revoked_at is None:
        phone.revoked_at = now
        phone.save(update_fields=["revoked_at"])
        audit.record(action="phone.revoked", obj=phone, actor=actor, now=now, agent=phone.agent_id)
        end_logins(user_id=phone.agent.user_id, actor=actor, now=now)
    return phone
