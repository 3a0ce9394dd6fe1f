"""Exceptions as the services open them."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from accounts.models import DataSource
from meters.models import ReadingException, RuleCode, Severity
from meters.services.judging import Outcome, Verdict
from meters.services.registry import Catch

_KEPT = frozenset({RuleCode.REGRESSION.value, RuleCode.ROLLOVER.value})
_TURNED = "The dial turned over."


def exceptions_of(verdict: Verdict, *, source: DataSource | None, now: datetime) -> Iterator[ReadingException]:
    """Yield, unsaved, what is to be kept of a verdict: for somebody to decide on, or closed where it is only noted."""
    row = verdict.candidate
    if verdict.outcome is Outcome.CONFLICT:
        opened = _opened(verdict, Catch(RuleCode.CONFLICT.value, Severity.FLAG, ""), source, now)
        opened.standing_value = verdict.standing
        yield opened
        return
    for catch in verdict.catches:
        if catch.code == ReadingException.ROLLOVER and verdict.turned is not None:
            continue
        if catch.severity != Severity.REJECT or catch.code in _KEPT:
            yield _opened(verdict, catch, source, now)
    if verdict.turned is not None:
        noted = rollover(register_id=row.register_id, time=verdict.turned, value=row.value, source=source, now=now)
        if any(each.code == noted.code and each.severity == Severity.FLAG for each in verdict.catches):
            noted.status, noted.severity, noted.closed_at, noted.note = (
                ReadingException.Status.OPEN,
                Severity.FLAG,
                None,
                "",
            )
        yield noted


def _opened(verdict: Verdict, catch: Catch, source: DataSource | None, now: datetime) -> ReadingException:
    row = verdict.candidate
    noted = catch.severity == Severity.INFO
    return ReadingException(
        register_id=row.register_id,
        time=row.time,
        code=catch.code,
        severity=catch.severity,
        detail=catch.detail,
        offered_value=row.value,
        offered_quality=row.quality,
        raw_stamp=row.raw_stamp or "",
        source=source,
        status=ReadingException.Status.ACCEPTED if noted else ReadingException.Status.OPEN,
        opened_at=now,
        closed_at=now if noted else None,
    )


def rollover(
    *, register_id: int, time: datetime, value: Decimal, source: DataSource | None, now: datetime
) -> ReadingException:
    """Return, unsaved, a closed exception: the dial turned over on its way to the value of ``time``."""
    return ReadingException(
        register_id=register_id,
        time=time,
        code=ReadingException.ROLLOVER,
        severity=Severity.INFO,
        offered_value=value,
        source=source,
        status=ReadingException.Status.ACCEPTED,
        opened_at=now,
        closed_at=now,
        note=_TURNED,
    )
