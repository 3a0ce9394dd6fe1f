"""Say where readings are missing: exceptions that open with a gap, grow with it, and close when data come.

How long a gap must be is for the rule ``gap`` to say, how long estimation may go on for ``prolonged_estimation``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.db import transaction
from django.db.models import F

from accounts.actors import PORTAL
from accounts.services import audit
from meters import store
from meters.models import ArchivedMonth, DomainEvent, ReadingException, RuleCode, Severity
from meters.selectors.gaps import Gap, Silent, gaps_in, joined, last_ended_mark, silent_registers
from meters.selectors.rules import RuleBook, rule_book
from meters.services.outbox import NewEvent, publish

SHORTEST = timedelta(hours=1)
CODES = (RuleCode.GAP, RuleCode.PROLONGED_ESTIMATION)
_REGISTERS_A_TRANSACTION = 200
_CAME = "Readings came."
_Status = ReadingException.Status
_Row = TypeVar("_Row")


class Finding(NamedTuple):
    """A gap that a rule minds: from its last true reading until its next one, or as far as it goes."""

    code: RuleCode
    gap: Gap
    until: datetime

    @property
    def key(self) -> tuple[str, int, datetime]:
        return self.code.value, self.gap.register_id, self.gap.start


@dataclass(frozen=True)
class Noted:
    """How many exceptions were opened, and how many were closed."""

    opened: int = 0
    closed: int = 0


def open_gaps(*, now: datetime) -> Noted:
    """Open and extend exceptions for registers that fell silent, and close those of gaps whose data came."""
    book = rule_book()
    silent = [each for each in silent_registers(before=now - SHORTEST) if is_silent(each, book, now)]
    opened = 0
    for chunk in _chunks(silent):
        windows = [store.Window(each.register_id, each.since, now) for each in chunk]
        gaps = gaps_in(windows, horizon=last_ended_mark(now))
        opened += note_gaps(gaps=gaps, book=book, now=now)
    closed = 0
    for touched in _chunks(_touched()):
        noted = _look_again(touched, book, now)
        opened, closed = opened + noted.opened, closed + noted.closed
    return Noted(opened, closed)


def is_watched(book: RuleBook, commodity: str, service_class: str) -> bool:
    """Tell whether gaps at a kind of place matter: where the rule is switched off nobody waits for data."""
    return book.rule(RuleCode.GAP, commodity=commodity, service_class=service_class).enabled


def is_silent(silent: Silent, book: RuleBook, now: datetime) -> bool:
    """Tell whether a register has been silent for longer than the rule of its place bears."""
    if not is_watched(book, silent.commodity, silent.service_class):
        return False
    hours = _threshold(book, RuleCode.GAP, silent.commodity, silent.service_class, "hours")
    return now - silent.since >= timedelta(hours=hours)


@transaction.atomic
def note_gaps(*, gaps: Iterable[Gap], book: RuleBook, now: datetime) -> int:
    """Open an exception and tell of it, once, for each gap that a rule minds; extend what stands open.

    What somebody has decided on stays decided. The caller holds no lock but the registers' states.

    :returns: how many were opened.
    """
    found = {finding.key: finding for gap in gaps for finding in _findings(gap, book, now)}
    if not found:
        return 0
    register_ids = {register_id for _, register_id, _ in found}
    store.lock_states(register_ids)
    standing = {
        (exception.code, exception.register_id, exception.time): exception
        for exception in ReadingException.objects.filter(
            code__in=CODES, register_id__in=register_ids, time__in={time for _, _, time in found}
        )
    }
    new = [finding for key, finding in sorted(found.items()) if key not in standing]
    ReadingException.objects.bulk_create(_exception(finding, book, now) for finding in new)
    again = []
    for key, exception in standing.items():
        finding = found.get(key)
        if finding is None:
            continue
        if exception.status == _Status.ACCEPTED and exception.closed_by_id is None:
            exception.status, exception.closed_at, exception.note = _Status.OPEN, None, ""
            again.append(finding)
        elif exception.status != _Status.OPEN:
            continue
        before, exception.until = exception.until, finding.until
        if finding.gap.end is None and before is not None:
            exception.until = max(before, finding.until)
    ReadingException.objects.bulk_update(standing.values(), ("until", "status", "closed_at", "note"))
    publish([_event(finding) for finding in (*new, *again)], now=now)
    return len(new) + len(again)


def _findings(gap: Gap, book: RuleBook, now: datetime) -> Iterator[Finding]:
    place = gap.hung.commodity, gap.hung.service_class
    end = gap.end or now
    if _minds(book, RuleCode.GAP, *place) and end - gap.start >= timedelta(
        hours=_threshold(book, RuleCode.GAP, *place, "hours")
    ):
        yield Finding(RuleCode.GAP, gap, gap.end or gap.until)
    if not gap.estimated or not _minds(book, RuleCode.PROLONGED_ESTIMATION, *place):
        return
    until = max(gap.estimated)
    if until - gap.start >= timedelta(days=_threshold(book, RuleCode.PROLONGED_ESTIMATION, *place, "days")):
        yield Finding(RuleCode.PROLONGED_ESTIMATION, gap, until)


def _minds(book: RuleBook, code: RuleCode, commodity: str, service_class: str) -> bool:
    rule = book.rule(code, commodity=commodity, service_class=service_class)
    return rule.enabled and rule.severity != Severity.INFO


def _threshold(book: RuleBook, code: RuleCode, commodity: str, service_class: str, name: str) -> float:
    return book.rule(code, commodity=commodity, service_class=service_class).thresholds[name]


def _exception(finding: Finding, book: RuleBook, now: datetime) -> ReadingException:
    gap = finding.gap
    rule = book.rule(finding.code, commodity=gap.hung.commodity, service_class=gap.hung.service_class)
    what = "Nothing came" if finding.code is RuleCode.GAP else "Only estimates stand"
    return ReadingException(
        register_id=gap.register_id,
        time=gap.start,
        until=finding.until,
        code=finding.code,
        severity=rule.severity,
        detail=f"{what} after {gap.start.astimezone(gap.hung.zone):%Y-%m-%d %H:%M}.",
        opened_at=now,
    )


def _event(finding: Finding) -> NewEvent:
    is_gap = finding.code is RuleCode.GAP
    return NewEvent(
        DomainEvent.Kind.GAP_OPENED if is_gap else DomainEvent.Kind.ESTIMATION_PROLONGED,
        service_point_id=finding.gap.hung.service_point_id,
        register_id=finding.gap.register_id,
        start=finding.gap.start,
        end=finding.until,
    )


def _touched() -> list[ReadingException]:
    """Return the open exceptions of gaps after whose start something true came; none of an archived month."""
    archived = list(ArchivedMonth.objects.values_list("low", "high"))
    exceptions = ReadingException.objects.filter(
        code__in=CODES, status=_Status.OPEN, register__state__last_time__gt=F("time")
    )
    return [
        exception
        for exception in exceptions.order_by("register_id", "time")
        if not any(low <= exception.time < high for low, high in archived)
    ]


def _look_again(exceptions: Sequence[ReadingException], book: RuleBook, now: datetime) -> Noted:
    windows = joined(store.Window(each.register_id, each.time, each.until or now) for each in exceptions)
    gaps = gaps_in(windows, horizon=last_ended_mark(now))
    opened = note_gaps(gaps=gaps, book=book, now=now)
    still = {finding.key for gap in gaps for finding in _findings(gap, book, now)}
    gone = [each for each in exceptions if (each.code, each.register_id, each.time) not in still]
    return Noted(opened, _close(gone, now))


@transaction.atomic
def _close(exceptions: Sequence[ReadingException], now: datetime) -> int:
    """Close exceptions whose gap is no more, unless somebody was faster."""
    if not exceptions:
        return 0
    store.lock_states({each.register_id for each in exceptions})
    rows = ReadingException.objects.select_for_update(of=("self",)).filter(
        pk__in=[each.pk for each in exceptions], status=_Status.OPEN
    )
    closed = list(rows.order_by("register_id", "time"))
    for exception in closed:
        exception.status, exception.note, exception.closed_at = _Status.ACCEPTED, _CAME, now
        audit.record(action="reading_exception.closed", obj=exception, actor=PORTAL, now=now, status="accepted")
    ReadingException.objects.bulk_update(closed, ("status", "note", "closed_at"))
    gaps = [exception for exception in closed if exception.code == RuleCode.GAP]
    places = store.places_of([(each.register_id, each.until or now) for each in gaps])
    publish(
        [
            NewEvent(DomainEvent.Kind.GAP_CLOSED, place, each.register_id, each.time, each.until)
            for each, place in zip(gaps, places, strict=True)
        ],
        now=now,
    )
    return len(closed)


def _chunks(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    for start in range(0, len(rows), _REGISTERS_A_TRANSACTION):
        yield rows[start : start + _REGISTERS_A_TRANSACTION]
