"""The record of who did what, written in the transaction of the deed."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from accounts.actors import Actor
from accounts.models import AuditEntry


def record(*, action: str, obj: models.Model, actor: Actor, now: datetime, **detail: object) -> None:
    """Write an audit entry; to be called in the transaction of what it tells.

    :param action: object and verb, such as ``bill.issued``.
    :param detail: what else is worth knowing; ids, times and Decimals are kept as text, secrets never belong here.
    """
    record_all(action=action, objects=(obj,), actor=actor, now=now, **detail)


def record_all(*, action: str, objects: Sequence[models.Model], actor: Actor, now: datetime, **detail: object) -> None:
    """Write the same audit entry of several objects, as ``record`` does of one."""
    kept = json.loads(json.dumps(detail, cls=DjangoJSONEncoder))
    AuditEntry.objects.bulk_create(
        (
            AuditEntry(
                at=now,
                user=actor.user,
                source=actor.source,
                action=action,
                object_type=obj._meta.label_lower,
                object_id=str(obj.pk),
                detail=kept,
            )
            for obj in objects
        ),
        batch_size=1_000,
    )


def sign_history(obj: Any, actor: Actor) -> None:
    """Have the next history row of an object name who is behind it, whatever request is under way."""
    obj._history_user = actor.user
