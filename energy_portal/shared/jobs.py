"""Background work that starts only once the write that asked for it is committed."""

import logging
from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

logger = logging.getLogger(__name__)

_PLAIN = (str, int, float, bool, type(None))


def enqueue_on_commit(task: Any, *, queue: str | None = None, **kwargs: Any) -> None:
    """Send a task after the running transaction commits; at once where none runs.

    What a rollback undoes is never sent. A broker that is down does not fail the write: the error is logged, and the
    periodic run of the same task, which must be idempotent, catches up.

    :param task: a Celery task, or the full name of one.
    :param queue: where to, instead of the task's own queue.
    :param kwargs: ids and plain values; UUIDs, dates and times are sent as text.
    :raises TypeError: a value that is not JSON-safe, such as a model's instance.
    """
    name = task if isinstance(task, str) else task.name
    payload = {key: _plain(value, key) for key, value in kwargs.items()}
    transaction.on_commit(partial(_send, name, payload, queue))


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [_plain(item, name) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, f"{name}.{key}") for key, item in value.items()}
    raise TypeError(f"A task takes ids and plain values; {name} is a {type(value).__name__}.")


def _send(name: str, kwargs: dict[str, Any], queue: str | None) -> None:
    from celery import current_app
    from kombu.exceptions import OperationalError

    if name not in current_app.tasks:
        # A process that only sends has not imported the tasks yet, on which their queues are written.
        current_app.loader.import_default_modules()
    task = current_app.tasks.get(name)
    options: dict[str, Any] = {} if queue is None else {"queue": queue}
    try:
        if task is None:
            current_app.send_task(name, kwargs=kwargs, **options)
        else:
            task.apply_async(kwargs=kwargs, **options)
    except OperationalError:
        logger.exception("The broker did not take %s; its periodic run will catch up", name)
