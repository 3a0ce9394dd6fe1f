"""The answers given once to a caller's Idempotency-Key, given again to a repeat."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError, transaction
from psycopg.errors import LockNotAvailable

from accounts import store
from accounts.models import IdempotencyRecord
from energy_portal.shared.errors import Conflict, Invalid

KEPT = timedelta(hours=24)
_TWIN_WAIT = "3s"


class KeyReused(Invalid):
    """The key came with something else before."""

    code = "idempotency_key_reused"


class InProgress(Conflict):
    """The same call is still under way."""

    code = "in_progress"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True)
class Answer:
    """An HTTP status, the document that went with it as JSON text, and where what was made can be found."""

    status: int
    body: str
    location: str = ""


class Claim:
    """The right to answer a key: either it has its answer, or the holder must give one."""

    def __init__(self, record: IdempotencyRecord) -> None:
        self._record = record

    @property
    def answer(self) -> Answer | None:
        """What was answered before, if anything."""
        if self._record.status is None or self._record.answer is None:
            return None
        return Answer(self._record.status, **self._record.answer)

    def give(self, answer: Answer) -> None:
        """Keep the answer for repeats."""
        self._record.status = answer.status
        self._record.answer = {"body": answer.body, "location": answer.location}
        self._record.save(update_fields=["status", "answer"])

    def abandon(self) -> None:
        """Undo the whole transaction, so that a repeat tries again."""
        transaction.set_rollback(True)


@contextmanager
def claim(*, caller: str, key: str, path: str, body_hash: str) -> Iterator[Claim]:
    """Hold a caller's key for one transaction, which is that of the work too: both stand, or neither.

    A twin that comes meanwhile waits for the end of this transaction, up to three seconds.

    :param caller: ``user:<id>``, ``source:<id>`` or ``address:<ip>``.
    :param body_hash: SHA-256 of the body, hexadecimal.
    :raises InProgress: a twin is at work for longer than that.
    :raises KeyReused: the key came with another path or body.
    """
    with transaction.atomic():
        record = _claimed(caller, key, path, body_hash)
        if (record.path, record.body_hash) != (path, body_hash):
            raise KeyReused("This Idempotency-Key came with another request before.")
        yield Claim(record)


def prune_idempotency_records(*, now: datetime) -> int:
    """Forget the answers that no repeat is expected for any more, and return how many they were."""
    count, _ = IdempotencyRecord.objects.filter(created_at__lt=now - KEPT).delete()
    return count


def _claimed(caller: str, key: str, path: str, body_hash: str) -> IdempotencyRecord:
    usual = store.lock_wait()
    store.set_lock_wait(_TWIN_WAIT)
    try:
        record, _ = IdempotencyRecord.objects.get_or_create(
            caller=caller, key=key, defaults={"path": path, "body_hash": body_hash}
        )
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise InProgress("The same request is still under way; ask again.") from error
        raise
    store.set_lock_wait(usual)
    return record
