"""Which data source a key belongs to, and whether it opens anything now."""

import hashlib
import hmac
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Prefetch, QuerySet

from accounts.models import DataSource, SourceKey

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

KEY_MARK = "ep_"


def hash_of_secret(secret: str) -> str:
    """Return what is stored of a key: SHA-256, enough for 256 random bits, which nobody can guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def keys_in_force(*, source: DataSource, now: datetime) -> list[SourceKey]:
    """Return the keys of a data source that open its scopes now, the oldest first."""
    return [key for key in source.keys.all() if key.in_force(now)]


def source_key(*, text: str, now: datetime) -> SourceKey | None:
    """Return the key that a machine presents, with its source, if it is in force; otherwise None.

    One query, by the unique index on the prefix; the secret is compared in constant time.
    """
    prefix, _, secret = text.removeprefix(KEY_MARK).partition("_")
    if not (prefix.isascii() and prefix.isalnum() and secret.isascii()):
        return None
    key = next(iter(SourceKey.objects.select_related("source").filter(prefix=prefix)), None)
    if key is None or not hmac.compare_digest(key.key_hash, hash_of_secret(secret)):
        return None
    return key if key.in_force(now) else None


def keys_by_id(key_ids: "Collection[UUID]", *, now: datetime) -> "dict[UUID, SourceKey]":
    """Return those of some keys that open anything now, by id, each with its source."""
    if not key_ids:
        return {}
    keys = SourceKey.objects.select_related("source").filter(pk__in=key_ids)
    return {key.pk: key for key in keys if key.in_force(now)}


def sources_with_keys() -> QuerySet[DataSource]:
    """Return every data source, with its keys at hand."""
    return DataSource.objects.prefetch_related(Prefetch("keys", SourceKey.objects.order_by("created_at")))


def public_id_of(name: str) -> "UUID | None":
    """Return the public id of the data source of a name, None where there is none."""
    return DataSource.objects.filter(name=name).values_list("public_id", flat=True).first()
