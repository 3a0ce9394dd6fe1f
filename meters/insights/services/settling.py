"""Stretches that do not fit become anomalies with one alarm a subject, and are over with it.

What is told again changes nothing: a stretch is known by where it lies. Whoever settles a kind of subject has it to
himself until his transaction ends, and the alarm's row comes before the anomaly's.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from django.db import transaction
from django.db.models import Q

from energy_portal.shared.clock import HALF_HOUR
from energy_portal.shared.units import round_half_up, to_cents
from meters.insights.models import Anomaly, Subject
from meters.insights.selectors.subjects import Series
from meters.insights.selectors.verdicts import Allowance, allowances
from meters.insights.services.prices import money_of
from meters.insights.services.verdicts import ALARM_KIND
from meters.models import Alarm, AlarmSeverity
from meters.services import alarms
from meters.store.alarms import NewAlarm, lock_subjects

REPLACED = "Readings were replaced since, and nothing unusual stands."
# Of an open one that no reading was heard of for so long nobody can tell whether it lasts.
LONGEST_SILENCE = timedelta(days=14)
_PLACES = 6
State, Verdict = Anomaly.State, Anomaly.Verdict
_FIGURES = ("kind", "start", "end", "score", "detectors", "reason", "energy_kwh", "usual_kwh", "money", "currency")
_STANDING = ("state", "closed_at", "alarm")


@dataclass(frozen=True)
class Stretch:
    """A stretch of a subject that does not fit, and whether it lasts; ``cells`` are its half-hours of the week."""

    start: datetime
    end: datetime
    lasts: bool
    kind: str
    score: float
    detectors: Mapping[str, float]
    excess_kwh: float
    usual_kwh: float
    reason: str
    cells: frozenset[int]


@dataclass(frozen=True)
class Finding:
    """What a look at a subject found, in the order of time; ``again_from`` is told where it was looked at anew."""

    series: Series
    stretches: Sequence[Stretch]
    again_from: datetime | None = None


@dataclass
class _Book:
    """What is to be written."""

    new: list[Anomaly] = field(default_factory=list)
    changed: dict[object, Anomaly] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)

    def change(self, anomaly: Anomaly) -> None:
        if not anomaly._state.adding:
            self.changed[anomaly.pk] = anomaly


@transaction.atomic
def settle(*, kind: Subject, findings: Sequence[Finding], now: datetime) -> int:
    """Write what looks at subjects found, and raise and clear their alarms; returns how many anomalies are new.

    A stretch that came and went before anybody looked is kept, and alarms nobody. What somebody called normal stays
    over. Where a subject was looked at anew, what is not found any more is over, too. A fixed number of queries, and
    what a price costs for each anomaly that moved.
    """
    telling = [each for each in findings if each.stretches or each.again_from is not None]
    if not telling:
        return 0
    lock_subjects(kind)
    known = _known(kind, telling)
    allowed = allowances(kind, {each.series.subject for each in telling if each.stretches}, now=now)
    book = _Book()
    for finding in telling:
        subject = finding.series.subject
        _settle_one(book, finding, known.get(subject, []), allowed.get(subject, ()), now=now)
    _tell_alarms(kind, book, known, now=now)
    _write(book)
    return len(book.new)


@transaction.atomic
def end_silent(*, now: datetime) -> int:
    """End anomalies of which nothing was heard for long, and their alarms; returns how many."""
    ended = 0
    silent = Anomaly.objects.open().filter(end__lt=now - LONGEST_SILENCE)
    for kind in sorted(set(silent.order_by().values_list("subject_kind", flat=True))):
        lock_subjects(kind)
        rows = list(silent.filter(subject_kind=kind))
        over = [(ALARM_KIND, row.subject) for row in rows if row.alarm_id is not None]
        alarms.clear_alarms(subject_kind=kind, over=over, now=now)
        ended += silent.filter(pk__in=[row.pk for row in rows]).update(state=State.CLOSED, closed_at=now)
    return ended


def _known(kind: Subject, findings: Sequence[Finding]) -> dict[str, list[Anomaly]]:
    """Lock the open alarms of subjects, then the anomalies that stretches may be; returns these, oldest first."""
    subjects = {each.series.subject for each in findings}
    standing = Alarm.objects.open().filter(subject_kind=kind, kind=ALARM_KIND, subject__in=subjects)
    list(standing.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    instants = [stretch.start for each in findings for stretch in each.stretches]
    instants += [each.again_from for each in findings if each.again_from is not None]
    rows = Anomaly.objects.filter(
        ~Q(state=State.CLOSED) | Q(end__gt=min(instants)),
        subject_kind=kind,
        subject__in=subjects,
    )
    found: dict[str, list[Anomaly]] = defaultdict(list)
    for row in rows.select_for_update(of=("self",)).select_related("alarm").order_by("start", "pk"):
        found[row.subject].append(row)
    return found


def _settle_one(
    book: _Book, finding: Finding, known: list[Anomaly], allowed: Sequence[Allowance], *, now: datetime
) -> None:
    left = list(known)
    for stretch in finding.stretches:
        found = _same(left, stretch)
        if found is not None:
            left.remove(found)
            if found.verdict == Verdict.NORMAL:
                continue
        elif any(_is_allowed(stretch, each) for each in allowed):
            continue
        else:
            found = Anomaly(
                subject_kind=finding.series.kind,
                subject=finding.series.subject,
                label=finding.series.label,
                cohort=finding.series.cohort,
                account_id=finding.series.account_id,
                region_id=finding.series.region_id,
                detected_at=now,
            )
            book.new.append(found)
            known.append(found)
        _fill(found, finding.series, stretch)
        _move(book, found, lasts=stretch.lasts, now=now)
    if finding.again_from is not None:
        for gone in left:
            if gone.end > finding.again_from and not gone.verdict and gone.reason != REPLACED:
                gone.reason = REPLACED
                _move(book, gone, lasts=False, now=now)


def _is_allowed(stretch: Stretch, allowance: Allowance) -> bool:
    return allowance.covers(stretch.kind, is_more=stretch.excess_kwh > 0, cells=stretch.cells)


def _same(known: Iterable[Anomaly], stretch: Stretch) -> Anomaly | None:
    """Return the anomaly that a stretch is: the one that lies where it does."""
    near = [each for each in known if each.start < stretch.end and stretch.start < each.end]
    return next((each for each in near if each.start == stretch.start), near[0] if near else None)


def _fill(anomaly: Anomaly, series: Series, stretch: Stretch) -> None:
    anomaly.kind, anomaly.score, anomaly.reason = stretch.kind, stretch.score, stretch.reason
    anomaly.start, anomaly.end = stretch.start, max(stretch.end, stretch.start + HALF_HOUR)
    anomaly.detectors = {name: round(said, 4) for name, said in stretch.detectors.items()}
    anomaly.usual_kwh = round_half_up(Decimal(stretch.usual_kwh), _PLACES)
    energy = round_half_up(Decimal(stretch.excess_kwh), _PLACES)
    if energy == anomaly.energy_kwh:
        return
    anomaly.energy_kwh = energy
    told = None
    if series.kind is Subject.SERVICE_POINT:
        told = money_of(account_id=series.account_id, service_point_code=series.subject, kwh=energy, at=anomaly.start)
    anomaly.money, anomaly.currency = (to_cents(told[0]), told[1]) if told else (None, "")


def _move(book: _Book, anomaly: Anomaly, *, lasts: bool, now: datetime) -> None:
    if lasts and anomaly.state == State.CLOSED:
        anomaly.state, anomaly.closed_at = State.OPEN, None
    elif not lasts and anomaly.state != State.CLOSED:
        anomaly.state, anomaly.closed_at = State.CLOSED, now
        book.over.add(anomaly.subject)
    book.change(anomaly)


def _tell_alarms(kind: Subject, book: _Book, known: Mapping[str, Sequence[Anomaly]], *, now: datetime) -> None:
    """Raise an alarm for what begins to last, and clear those of subjects of which nothing lasts any more."""
    touched = (*book.new, *book.changed.values())
    lasting = {each.subject: each for each in touched if each.state != State.CLOSED}
    still = {
        subject for subject in book.over for each in known.get(subject, ()) if each.state != State.CLOSED
    } | lasting.keys()
    alarms.clear_alarms(subject_kind=kind, over=[(ALARM_KIND, each) for each in book.over - still], now=now)
    raising = [each for each in lasting.values() if each.alarm is None or each.alarm.state == Alarm.State.CLEARED]
    standing = alarms.raise_alarms(subject_kind=kind, alarms=list(map(_alarm_of, raising)), now=now)
    for anomaly in raising:
        anomaly.alarm_id = standing[ALARM_KIND, anomaly.subject]


def _alarm_of(anomaly: Anomaly) -> NewAlarm:
    return NewAlarm(
        id=uuid4(),
        rule_id=None,
        kind=ALARM_KIND,
        subject=anomaly.subject,
        label=anomaly.label,
        account_id=anomaly.account_id,
        region_id=anomaly.region_id,
        severity=AlarmSeverity.WARNING,
        text=anomaly.reason,
        value=anomaly.score,
    )


def _write(book: _Book) -> None:
    """Write what is over before what is open: of each subject one may be."""
    for rows in _closed_first(book.changed.values()):
        Anomaly.objects.bulk_update(rows, (*_FIGURES, *_STANDING))
    Anomaly.objects.bulk_create(book.new)


def _closed_first(rows: Iterable[Anomaly]) -> Iterator[list[Anomaly]]:
    parts: tuple[list[Anomaly], list[Anomaly]] = ([], [])
    for row in rows:
        parts[row.state != State.CLOSED].append(row)
    yield from (part for part in parts if part)
