"""Readings are judged by the rules that look at profiles: after they entered, many registers at a time.

What a rule catches opens an exception, once: who has decided on it is not asked again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction

from meters.detectors import DETECTORS, HALF_HOUR_SECONDS, Bools, Caught, reach, starts
from meters.models import ReadingException, ReadingWork, Register, Severity
from meters.rules import AT_THE_DOOR_WHEN_BLOCKING
from meters.selectors.profiles import Look, Offered, ProfileGroup, profile_groups, with_interval_registers
from meters.selectors.rules import Rule, RuleBook, rule_book
from meters.services.screening import Candidate

FLAGGED = ("high", "low", "spike", "stuck", "zero_use", "inactive_use", "sum_check", "clock_drift")
_ONLY_IMPORTS = frozenset({"zero_use", "inactive_use"})
_ONCE_A_RUN = frozenset({"high", "low"})
_WORK_AT_ONCE = 64
# Registers x half-hours that are held in memory at once: some 50 bytes each.
MOST_CELLS = 500_000
_HALF_HOUR = timedelta(seconds=HALF_HOUR_SECONDS)
_HALF_HOURS_A_WEEK = 336
_SENTENCES = {
    "high": "{energy:.6g} {unit} in the half-hour; the median of past weeks is {figure:.6g} {unit}.",
    "low": "{energy:.6g} {unit} in the half-hour; the median of past weeks is {figure:.6g} {unit}.",
    "spike": "{energy:.6g} {unit} is {figure:.0f} % above the third highest half-hour within {hours:g} h.",
    "stuck": "{length} half-hours in a row of {energy:.6g} {unit} each.",
    "zero_use": "Nothing was used for {hours:g} h.",
    "inactive_use": "{figure:.6g} {unit} within {hours:g} h where nobody should use any.",
    "sum_check": "The dial counted {figure:.6g} {unit} in the day; the half-hours do not add up to it.",
    "clock_drift": "{readings:g} readings in a row came early, the last {figure:.0f} s before its mark.",
    "negative": "{energy:.6g} {unit} in the half-hour.",
    "over_capacity": "{grown:.6g} {unit} within {span:g} h; the connection carries {figure:.6g} {unit}.",
    "gap": "Nothing came for longer than {hours:g} h.",
    "prolonged_estimation": "Estimates stand for longer than {days:g} days.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule makes of one candidate at the door."""

    place: int
    code: str
    severity: str
    detail: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule caught: a mark, or a stretch that starts at ``time`` and ends at ``until``."""

    register: Register
    time: datetime
    until: datetime | None
    code: str
    severity: str
    detail: str


@transaction.atomic
def flag_pending(*, now: datetime, limit: int = _WORK_AT_ONCE) -> int:
    """Judge what was written since, and open what the rules find; return how many notes of work are done.

    The number of queries grows with the chunks of registers that fit into memory, never with readings.
    """
    waiting = ReadingWork.objects.select_for_update(skip_locked=True).filter(purpose=ReadingWork.Purpose.VALIDATION)
    work = list(waiting.order_by("id")[:limit])
    if not work:
        return 0
    book = rule_book()
    windows = _windows(work)
    for register_id, dial_id in with_interval_registers(windows).items():
        windows.setdefault(register_id, windows[dial_id])
    for chunk in _chunks(windows, book):
        found = [_opened(each, now) for each in _judge(chunk, book)]
        found.sort(key=lambda exception: (exception.register_id, exception.time, exception.code))
        ReadingException.objects.bulk_create(found, ignore_conflicts=True)
    ReadingWork.objects.filter(pk__in=[each.pk for each in work]).delete()
    return len(work)


def blocking_findings(*, candidates: Sequence[Candidate], book: RuleBook) -> list[Finding]:
    """Judge candidates by those profile rules that hold values back; in the door's transaction, under its locks.

    Each is judged as if all of them stood, against what stands. At most one finding a candidate: the graver one.
    """
    codes = sorted(code for code in AT_THE_DOOR_WHEN_BLOCKING if book.blocks({code}))
    if not codes or not candidates:
        return []
    needs = [_need(code, book) for code in codes]
    times = [candidate.time for candidate in candidates]
    look = Look(min(times), max(times), max(each.before for each in needs), max(each.weeks for each in needs))
    offered = [Offered(each.register_id, each.time, each.value) for each in candidates]
    places = {(each.register_id, each.time): each.place for each in candidates}
    findings: dict[int, Finding] = {}
    for group in profile_groups({each.register_id for each in candidates}, look, offered):
        for code in codes:
            rule = book.rule(code, commodity=group.commodity, service_class=group.service_class)
            if not rule.blocks:
                continue
            for each in findings_of(group, rule, group.columns(look.low, look.high)):
                place = places.get((each.register.pk, each.time))
                if place is not None and (place not in findings or rule.severity == Severity.REJECT):
                    findings[place] = Finding(place, code, rule.severity, each.detail)
    return [findings[place] for place in sorted(findings)]


def findings_of(
    group: ProfileGroup,
    rule: Rule,
    asked: slice | Bools,
    *,
    once_a_run: bool = False,
) -> Iterator[Found]:
    """Judge a group by one rule, and tell what it catches among the cells that are asked about.

    :param asked: columns, or cells (registers x columns).
    :param once_a_run: of neighbours that a rule catches one by one, only the first.
    """
    caught = DETECTORS[rule.code](group.profiles, rule.thresholds)
    cells = starts(caught.cells) if once_a_run and rule.code in _ONCE_A_RUN else caught.cells
    wanted = np.zeros_like(cells)
    if isinstance(asked, slice):
        wanted[:, asked] = cells[:, asked]
    else:
        wanted = cells & asked
    if rule.code in _ONLY_IMPORTS:
        wanted[[register.direction != Register.Direction.IMPORT for register in group.registers]] = False
    for row, column in np.argwhere(wanted):
        yield _found(group, rule, caught, int(row), int(column))


def _found(group: ProfileGroup, rule: Rule, caught: Caught, row: int, column: int) -> Found:
    register, mark = group.registers[row], group.instant(column)
    length = caught.length if isinstance(caught.length, int) else int(caught.length[column])
    detail = _SENTENCES[rule.code].format(
        energy=group.profiles.energy[row, column],
        grown=group.profiles.grown[row, column],
        span=group.profiles.span[row, column] / 2,
        figure=caught.figure[row, column],
        unit=register.unit,
        length=length,
        **rule.thresholds,
    )
    start = mark - length * _HALF_HOUR if length > 1 else mark
    return Found(register, start, mark if length > 1 else None, rule.code, rule.severity, detail)


def _windows(work: Iterable[ReadingWork]) -> dict[int, tuple[datetime, datetime]]:
    windows: dict[int, tuple[datetime, datetime]] = {}
    for each in work:
        for register_id in each.register_ids:
            low, high = windows.get(register_id, (each.low, each.high))
            windows[register_id] = min(low, each.low), max(high, each.high)
    return windows


@dataclass(frozen=True, slots=True)
class _Need:
    before: int
    back: int
    on: int
    weeks: int


def _need(code: str, book: RuleBook) -> _Need:
    """Return how far a rule looks with whichever thresholds it has in some scope."""
    found = [reach(code, rule.thresholds) for rule in book.scopes(code) if rule.enabled]
    return _Need(
        before=max((each.before for each in found), default=1),
        back=max((each.back for each in found), default=0),
        on=max((each.on for each in found), default=1),
        weeks=max((each.weeks for each in found), default=0),
    )


def _chunks(
    windows: Mapping[int, tuple[datetime, datetime]], book: RuleBook
) -> Iterator[dict[int, tuple[datetime, datetime]]]:
    """Part registers so that those of a chunk lie close in time, and that their profiles fit into memory."""
    needs = [_need(code, book) for code in FLAGGED]
    past = max(each.before + each.weeks * _HALF_HOURS_A_WEEK for each in needs)
    chunk: dict[int, tuple[datetime, datetime]] = {}
    for register_id, (low, high) in sorted(windows.items(), key=lambda item: (item[1], item[0])):
        lows, highs = [low, *(w[0] for w in chunk.values())], [high, *(w[1] for w in chunk.values())]
        width = (max(highs) - min(lows)) // _HALF_HOUR + past
        if chunk and (len(chunk) + 1) * width > MOST_CELLS:
            yield chunk
            chunk = {}
        chunk[register_id] = low, high
    if chunk:
        yield chunk


def _judge(windows: Mapping[int, tuple[datetime, datetime]], book: RuleBook) -> Iterator[Found]:
    needs = {code: _need(code, book) for code in FLAGGED}
    recent = max(each.before for each in needs.values())
    low = min(low for low, _ in windows.values()) - max(each.back for each in needs.values()) * _HALF_HOUR
    high = max(high for _, high in windows.values()) + max(each.on for each in needs.values()) * _HALF_HOUR
    look = Look(low, high, recent, max(each.weeks for each in needs.values()))
    for group in profile_groups(windows, look):
        near = group.since(low - recent * _HALF_HOUR)
        for code, need in needs.items():
            rule = book.rule(code, commodity=group.commodity, service_class=group.service_class)
            if rule.enabled and rule.severity == Severity.FLAG:
                part = group if need.weeks else near
                yield from findings_of(part, rule, _asked(part, windows, need), once_a_run=True)


def _asked(group: ProfileGroup, windows: Mapping[int, tuple[datetime, datetime]], need: _Need) -> Bools:
    """Return the cells of which the writes may have changed what a rule says."""
    asked = np.zeros(group.profiles.energy.shape, dtype=np.bool_)
    for row, register in enumerate(group.registers):
        low, high = windows[register.pk]
        asked[row, group.columns(low - need.back * _HALF_HOUR, high + need.on * _HALF_HOUR)] = True
    return asked


def _opened(found: Found, now: datetime) -> ReadingException:
    return ReadingException(
        register=found.register,
        time=found.time,
        until=found.until,
        code=found.code,
        severity=found.severity,
        detail=found.detail,
        opened_at=now,
    )
