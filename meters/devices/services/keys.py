"""Whose key opens the doors for machines: kept in memory, since every message shows one, and looked at often."""

import hashlib
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from accounts.models import SourceKey
from accounts.selectors.sources import keys_by_id, source_key
from accounts.services.sources import note_use
from energy_portal.shared.rates import Rate

LOOKED_AT_EVERY_SECONDS = 2.0
_OLDEST_SECONDS = 10.0
_MOST_ENTRIES = 10_000
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key opens.

    :ivar scopes: what its source may do.
    :ivar creator: the source's key in the database where it may have unknown devices created, otherwise None.
    """

    source_id: int
    name: str
    scopes: frozenset[str]
    creator: int | None
    rate: Rate

    @classmethod
    def of(cls, key: SourceKey) -> "Grant":
        """Return what a key in force opens."""
        source = key.source
        per_minute = source.messages_per_minute
        return cls(
            source.pk,
            source.name,
            frozenset(source.scopes),
            source.pk if source.may_create_devices else None,
            Rate(per_minute, _MINUTE) if per_minute else Rate(settings.DEVICE_MESSAGES_PER_SECOND, 1),
        )


@dataclass(slots=True)
class _Entry:
    key_id: UUID | None
    grant: Grant | None
    looked_at: float
    used: bool = True


class KeyRing:
    """Keys that were shown lately, by their SHA-256, the wrong ones too: bounded, and none older than seconds."""

    def __init__(self) -> None:
        self._entries: dict[bytes, _Entry] = {}

    def held(self, text: bytes) -> "tuple[Grant | None] | None":
        """Return what is known of a key: its grant, None in it where it opens nothing; None where one must look."""
        entry = self._entries.get(hashlib.sha256(text).digest())
        if entry is None or time.monotonic() - entry.looked_at > _OLDEST_SECONDS:
            return None
        entry.used = True
        return (entry.grant,)

    def look_up(self, text: bytes, *, now: datetime) -> Grant | None:
        """Return what a key opens, None where it opens nothing; one query."""
        key = source_key(text=text.decode("latin-1"), now=now)
        grant = None
        if key is not None:
            grant = Grant.of(key)
            note_use(key=key, now=now)
        if len(self._entries) >= _MOST_ENTRIES:
            self._entries.clear()
        entry = _Entry(None if key is None else key.pk, grant, time.monotonic())
        self._entries[hashlib.sha256(text).digest()] = entry
        return grant

    def look_again(self, *, now: datetime) -> None:
        """Look at every key again, in one query; forget those that were not shown since."""
        moment = time.monotonic()
        entries = {digest: entry for digest, entry in list(self._entries.items()) if entry.used and entry.key_id}
        keys = keys_by_id({entry.key_id for entry in entries.values() if entry.key_id}, now=now)
        fresh: dict[bytes, _Entry] = {}
        for digest, entry in entries.items():
            key = keys.get(entry.key_id) if entry.key_id else None
            grant = None
            if key is not None:
                grant = Grant.of(key)
                note_use(key=key, now=now)
            fresh[digest] = _Entry(entry.key_id, grant, moment, used=False)
        self._entries = fresh

    def forget(self) -> None:
        """Look at every key anew."""
        self._entries = {}


key_ring = KeyRing()
"""The one of this process."""
