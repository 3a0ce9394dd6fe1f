"""Rehearsals: a changed rule run over past days, read-only, to see what it would catch before it is switched on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.actors import Actor
from energy_portal.shared.clock import floor_half_hour
from energy_portal.shared.errors import Conflict, Invalid
from meters.detectors import DETECTORS, HALF_HOUR_SECONDS, reach
from meters.models import Job, Register, Rehearsal, RuleCode
from meters.selectors.profiles import Look, ProfileGroup, profile_groups
from meters.selectors.rules import Rule, RuleBook, rule_book
from meters.services.flagging import MOST_CELLS, Found, findings_of
from meters.services.jobs import Running, queue_job
from meters.services.rules import require_settings

MOST_DAYS = 92
MOST_EXAMPLES = 50
_HALF_HOURS_A_WEEK = 336
Key = tuple[int, datetime]


class NotRehearsable(Conflict):
    """What this rule catches never entered, so that the past cannot tell."""

    code = "not_rehearsable"


class BadDays(Invalid):
    """A rehearsal looks at 1 to 92 past days."""

    code = "bad_days"


@dataclass
class _Tally:
    """What a rehearsal has found so far."""

    checked: int = 0
    would: dict[Key, Found] = field(default_factory=dict)
    today: dict[Key, Found] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        added, dropped = self.would.keys() - self.today.keys(), self.today.keys() - self.would.keys()
        kept = self.would.keys() & self.today.keys()
        told = [("added", self.would[key]) for key in sorted(added)]
        told += [("dropped", self.today[key]) for key in sorted(dropped)]
        told += [("kept", self.would[key]) for key in sorted(kept)]
        return {
            "checked": self.checked,
            "caught": len(self.would),
            "caught_now": len(self.today),
            "added": len(added),
            "dropped": len(dropped),
            "examples": [_example(change, found) for change, found in told[:MOST_EXAMPLES]],
        }


@transaction.atomic
def rehearse(
    *,
    code: str,
    severity: str,
    thresholds: Mapping[str, object],
    scope: tuple[str, str],
    days: int,
    actor: Actor,
    now: datetime,
) -> Rehearsal:
    """Ask for a rehearsal of a rule as it might be set; a worker runs it and stores what it found.

    :param scope: commodity and service class, empty for all.
    :raises WrongRule: the rule may not be set so.
    :raises NotRehearsable: what it catches never entered.
    :raises BadDays: fewer than 1 or more than 92 days.
    """
    full = require_settings(code, severity, thresholds)
    if code not in DETECTORS:
        raise NotRehearsable("What this rule catches never enters, so the past cannot tell.")
    if not 1 <= days <= MOST_DAYS:
        raise BadDays(f"A rehearsal looks at 1 to {MOST_DAYS} past days.")
    commodity, service_class = scope
    rehearsal = Rehearsal(
        code=code,
        commodity=commodity,
        service_class=service_class,
        severity=severity,
        thresholds=full,
        days=days,
        asked_at=now,
        asked_by=actor.user,
    )
    rehearsal.job = queue_job(
        kind=Job.Kind.REHEARSAL,
        parameters={"rehearsal": str(rehearsal.pk), "rule": str(rehearsal), "thresholds": full, "days": days},
        actor=actor,
        now=now,
    )
    rehearsal.save()
    return rehearsal


def run_rehearsal(running: Running) -> dict[str, Any]:
    """Work a rehearsal off; nothing but the rehearsal itself is written."""
    rehearsal = Rehearsal.objects.get(pk=UUID(running.job.parameters["rehearsal"]))
    book = rule_book()
    changed = book.replacing(
        Rule(rehearsal.code, rehearsal.severity, dict(rehearsal.thresholds)),
        commodity=rehearsal.commodity,
        service_class=rehearsal.service_class,
    )
    end = floor_half_hour(rehearsal.asked_at)
    start = end - timedelta(days=rehearsal.days)
    look = _look(rehearsal.code, start, end, (book, changed))
    registers = _registers(rehearsal, start, end)
    tally = _Tally()
    for chunk in _chunks(registers, look):
        with transaction.atomic():  # so that no month moves to or from the archive between two reads
            groups = profile_groups(chunk, look)
        for group in groups:
            _compare(group, rehearsal.code, look, (book, changed), tally)
        running.note(running.job.done + len(chunk), len(registers))
    running.note(len(registers), len(registers), at_once=True)
    rehearsal.found = tally.as_json()
    rehearsal.save(update_fields=("found",))
    return {name: value for name, value in rehearsal.found.items() if name != "examples"}


def _registers(rehearsal: Rehearsal, start: datetime, end: datetime) -> list[int]:
    """Return the registers that hung, during the days, at places of the scope."""
    scope = {"commodity": rehearsal.commodity, "service_class": rehearsal.service_class}
    places = {f"meter__installations__service_point__{name}": value for name, value in scope.items() if value}
    hung = Register.objects.filter(meter__installations__valid__overlap=DateTimeTZRange(start, end), **places)
    return list(hung.order_by("pk").values_list("pk", flat=True).distinct())


def _look(code: str, start: datetime, end: datetime, books: Sequence[RuleBook]) -> Look:
    needs = [reach(code, rule.thresholds) for book in books for rule in book.scopes(code)]
    return Look(
        start + timedelta(seconds=HALF_HOUR_SECONDS),
        end,
        before=max(each.before for each in needs),
        weeks=max(each.weeks for each in needs),
    )


def _chunks(register_ids: Sequence[int], look: Look) -> Iterator[Sequence[int]]:
    width = (look.high - look.low) // timedelta(seconds=HALF_HOUR_SECONDS)
    size = max(MOST_CELLS // (width + look.before + look.weeks * _HALF_HOURS_A_WEEK + 1), 1)
    for first in range(0, len(register_ids), size):
        yield register_ids[first : first + size]


def _compare(group: ProfileGroup, code: str, look: Look, books: tuple[RuleBook, RuleBook], tally: _Tally) -> None:
    columns = group.columns(look.low, look.high)
    judged = group.profiles.grown if code == RuleCode.OVER_CAPACITY else group.profiles.energy
    tally.checked += int(np.count_nonzero(~np.isnan(judged[:, columns])))
    for book, caught in zip(books, (tally.today, tally.would), strict=True):
        rule = book.rule(code, commodity=group.commodity, service_class=group.service_class)
        if rule.enabled:
            for found in findings_of(group, rule, columns, once_a_run=True):
                caught[found.register.pk, found.time] = found


def _example(change: str, found: Found) -> dict[str, Any]:
    return {
        "change": change,
        "meter": found.register.meter.serial,
        "register": found.register.code,
        "time": found.time.isoformat(),
        "until": found.until.isoformat() if found.until else None,
        "detail": found.detail,
    }
