"""Who somebody still is who came in a while ago: asked of many at once, in a number of queries that does not grow."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils.crypto import constant_time_compare

from accounts.models import SourceKey, User
from accounts.selectors.sources import keys_by_id

_LOGINS_REMEMBERED = 16_384


@dataclass(frozen=True, slots=True)
class Caller:
    """By what somebody came in: a session, a login's epoch (ticket or token), or the key of a data source."""

    session_key: str | None = None
    user_id: UUID | None = None
    epoch: int = 0
    key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Login:
    """What a session remembers of the login that opened it."""

    user_id: UUID
    backend: str
    session_hash: str


def people_behind(callers: Collection[Caller], *, now: datetime) -> dict[Caller, User]:
    """Return those who are still logged in and active, as they stand now, in two queries at most."""
    logins = _logins({caller.session_key for caller in callers if caller.session_key}, now=now)
    ids = {caller.user_id for caller in callers if caller.user_id} | {login.user_id for login in logins.values()}
    users = {user.pk: user for user in User.objects.filter(pk__in=ids)} if ids else {}
    found = {}
    for caller in callers:
        user = _person(caller, logins, users)
        if user is not None and user.is_active:
            found[caller] = user
    return found


def keys_behind(callers: Collection[Caller], *, now: datetime) -> dict[Caller, SourceKey]:
    """Return the keys that still open something, each with its source, in one query at most."""
    keys = keys_by_id({caller.key_id for caller in callers if caller.key_id}, now=now)
    return {caller: keys[caller.key_id] for caller in callers if caller.key_id in keys}


def _person(caller: Caller, logins: dict[str, _Login], users: dict[UUID, User]) -> User | None:
    if caller.user_id is not None:
        user = users.get(caller.user_id)
        return user if user is not None and user.login_epoch == caller.epoch else None
    login = logins.get(caller.session_key or "")
    user = users.get(login.user_id) if login else None
    return user if login and user and _is_of(login, user) else None


def _logins(session_keys: Collection[str], *, now: datetime) -> dict[str, _Login]:
    if not session_keys:
        return {}
    sessions = Session.objects.filter(session_key__in=session_keys, expire_date__gt=now)
    found = {key: _login_in(data) for key, data in sessions.values_list("session_key", "session_data")}
    return {key: login for key, login in found.items() if login is not None}


@lru_cache(_LOGINS_REMEMBERED)
def _login_in(session_data: str) -> _Login | None:
    # To check the signature and unpack it is most of the work, and it is the same bytes at each look.
    held = Session(session_data=session_data).get_decoded()
    try:
        return _Login(UUID(held[SESSION_KEY]), held[BACKEND_SESSION_KEY], held[HASH_SESSION_KEY])
    except (KeyError, ValueError):
        return None


def _is_of(login: _Login, user: User) -> bool:
    """Tell whether a session was opened with the password and in the epoch that somebody has now."""
    if login.backend not in settings.AUTHENTICATION_BACKENDS:
        return False
    if constant_time_compare(login.session_hash, user.get_session_auth_hash()):
        return True
    return any(constant_time_compare(login.session_hash, old) for old in user.get_session_auth_fallback_hash())
