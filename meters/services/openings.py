"""Exceptions as the services open them."""

from datetime import datetime
from decimal import Decimal

from accounts.models import DataSource
from meters.models import ReadingException


def conflict(
    *,
    register_id: int,
    time: datetime,
    offered: Decimal,
    standing: Decimal,
    source: DataSource | None,
    now: datetime,
) -> ReadingException:
    """Return, unsaved, an open exception: another value was offered for an instant that has one."""
    return ReadingException(
        register_id=register_id,
        time=time,
        code="conflict",
        offered_value=offered,
        standing_value=standing,
        source=source,
        opened_at=now,
    )


def rollover(
    *, register_id: int, time: datetime, value: Decimal, source: DataSource | None, now: datetime
) -> ReadingException:
    """Return, unsaved, a closed exception: the dial turned over on its way to the value of ``time``."""
    return ReadingException(
        register_id=register_id,
        time=time,
        code=ReadingException.ROLLOVER,
        offered_value=value,
        source=source,
        status=ReadingException.Status.ACCEPTED,
        opened_at=now,
        closed_at=now,
        note="The dial turned over.",
    )
