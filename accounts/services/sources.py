"""Data sources and their keys: made, rotated, revoked. Only a key's hash is ever stored."""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.actors import Actor
from accounts.models import DataSource, SourceKey
from accounts.selectors.sources import KEY_MARK, hash_of_secret, keys_in_force
from accounts.services import audit
from accounts.services.checks import check_fields
from energy_portal.shared.errors import Conflict, Invalid, NotFound

MOST_KEYS = 2
OLD_KEY_LIFETIME = timedelta(days=7)
_SECRET_BYTES = 32
_PREFIX_BYTES = 6
_USE_NOTED_EVERY = timedelta(minutes=1)
_CHANGEABLE = frozenset({"name", "scopes", "label_convention", "zone", "may_create_devices", "messages_per_minute"})


class SourceExists(Conflict):
    """The name belongs to a data source already."""

    code = "source_exists"


class NoSuchSource(NotFound):
    """No data source goes by that id or name."""

    code = "no_such_source"


class NoSuchKey(NotFound):
    """The data source has no such key."""

    code = "no_such_key"


class SourceRevoked(Conflict):
    """The data source was revoked for good."""

    code = "source_revoked"


class TooManyKeys(Conflict):
    """A data source has as many valid keys as it may."""

    code = "too_many_keys"


@transaction.atomic
def create_source(
    *,
    name: str,
    scopes: Collection[str],
    label_convention: str = DataSource.LabelConvention.PERIOD_END,
    zone: str = "",
    may_create_devices: bool = False,
    messages_per_minute: int | None = None,
    actor: Actor,
    now: datetime,
) -> tuple[DataSource, str]:
    """Admit a machine, and make its first key.

    :param zone: IANA name for naive times; empty: the premises' own.
    :returns: the source, and the key that nobody can ever read again.
    :raises SourceExists: the name is taken.
    :raises Invalid: no scope, or a value that breaks its field's rule.
    """
    source = DataSource(
        name=name,
        scopes=list(scopes),
        label_convention=label_convention,
        zone=zone,
        may_create_devices=may_create_devices,
        messages_per_minute=messages_per_minute,
    )
    _save(source, actor)
    key = _make_key(source, now)
    audit.record(action="source.created", obj=source, actor=actor, now=now, name=name, scopes=source.scopes)
    return source, key


@transaction.atomic
def change_source(*, source_id: UUID, changes: Mapping[str, object], actor: Actor, now: datetime) -> DataSource:
    """Change what a data source is called, may do, or how its stamps are read.

    :param source_id: its public id.
    :param changes: by name: name, scopes, label_convention, zone, may_create_devices, messages_per_minute.
    :raises Invalid: a field that cannot be changed, or a value that breaks its rule.
    :raises NoSuchSource: there is none.
    :raises SourceExists: the new name is taken.
    """
    if unknown := sorted(changes.keys() - _CHANGEABLE):
        raise Invalid(f"These cannot be changed: {', '.join(unknown)}.")
    source = _locked(source_id)
    before = {name: getattr(source, name) for name in changes}
    for name, value in changes.items():
        setattr(source, name, value)
    _save(source, actor)
    audit.record(action="source.changed", obj=source, actor=actor, now=now, before=before, after=dict(changes))
    return source


@transaction.atomic
def rotate_key(*, source_id: UUID, old_key_lifetime: timedelta = OLD_KEY_LIFETIME, actor: Actor, now: datetime) -> str:
    """Make a new key beside the one in use, which then lapses after a while.

    :param source_id: the source's public id.
    :param old_key_lifetime: how long the key in use stays valid, unless it lapses sooner.
    :returns: the key that nobody can ever read again.
    :raises NoSuchSource: there is none.
    :raises SourceRevoked: it was revoked.
    :raises TooManyKeys: two keys are valid; one must be revoked or lapse first.
    """
    source = _locked(source_id)
    if source.revoked_at is not None:
        raise SourceRevoked(f"{source.name} was revoked.")
    valid = keys_in_force(source=source, now=now)
    if len(valid) >= MOST_KEYS:
        raise TooManyKeys(f"{source.name} has {MOST_KEYS} valid keys: revoke one first.")
    lapse = now + old_key_lifetime
    source.keys.filter(pk__in=[key.pk for key in valid]).filter(Q(expires_at=None) | Q(expires_at__gt=lapse)).update(
        expires_at=lapse
    )
    key = _make_key(source, now)
    audit.record(action="source.key_made", obj=source, actor=actor, now=now, old_keys_until=lapse if valid else None)
    return key


@transaction.atomic
def revoke_key(*, source_id: UUID, key_id: UUID, actor: Actor, now: datetime) -> None:
    """Shut one key of a data source out at once; a key that is revoked stays so.

    :param source_id: the source's public id.
    :raises NoSuchKey: the source has no such key.
    :raises NoSuchSource: there is none.
    """
    source = _locked(source_id)
    key = source.keys.filter(pk=key_id).first()
    if key is None:
        raise NoSuchKey(f"{source.name} has no such key.")
    if key.revoked_at is None:
        source.keys.filter(pk=key_id).update(revoked_at=now)
        audit.record(action="source.key_revoked", obj=source, actor=actor, now=now, prefix=key.prefix)


@transaction.atomic
def revoke_source(*, source_id: UUID, actor: Actor, now: datetime) -> DataSource:
    """Shut a data source out for good, with all its keys; what it sent stays.

    :param source_id: its public id.
    :raises NoSuchSource: there is none.
    """
    source = _locked(source_id)
    if source.revoked_at is None:
        source.revoked_at = now
        audit.sign_history(source, actor)
        source.save()
        source.keys.filter(revoked_at=None).update(revoked_at=now)
        audit.record(action="source.revoked", obj=source, actor=actor, now=now)
    return source


def note_use(*, key: SourceKey, now: datetime) -> None:
    """Remember when a key was last used, to the minute: one write a minute however often it is used."""
    if key.last_used_at is None or key.last_used_at <= now - _USE_NOTED_EVERY:
        SourceKey.objects.filter(pk=key.pk).filter(
            Q(last_used_at=None) | Q(last_used_at__lte=now - _USE_NOTED_EVERY)
        ).update(last_used_at=now)


def _locked(source_id: UUID) -> DataSource:
    source: DataSource | None = DataSource.objects.select_for_update().filter(public_id=source_id).first()
    if source is None:
        raise NoSuchSource("There is no such data source.")
    return source


def _save(source: DataSource, actor: Actor) -> None:
    if not source.scopes:
        raise Invalid("A data source needs at least one scope.")
    source.scopes = sorted(set(source.scopes))
    check_fields(source)
    audit.sign_history(source, actor)
    try:
        with transaction.atomic():
            source.save()
    except IntegrityError as error:
        raise SourceExists(f"A data source called {source.name} exists already.") from error


def _make_key(source: DataSource, now: datetime) -> str:
    prefix, secret = secrets.token_hex(_PREFIX_BYTES), secrets.token_hex(_SECRET_BYTES)
    SourceKey.objects.create(source=source, prefix=prefix, key_hash=hash_of_secret(secret))
    return f"{KEY_MARK}{prefix}_{secret}"
