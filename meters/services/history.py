"""Saving what keeps a history, under the name of whoever is behind it."""

from collections.abc import Iterable

from django.db import models

from accounts.actors import Actor


def save_as(actor: Actor, obj: models.Model, update_fields: Iterable[str] | None = None) -> None:
    """Save an object; its history names the person, and nobody where a machine or the portal itself acts."""
    obj._history_user = actor.user  # type: ignore[attr-defined]
    obj.save(update_fields=update_fields)
