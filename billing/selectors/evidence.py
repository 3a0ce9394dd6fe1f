"""What speaks for rating an issued bill anew: which reading, version or person, with old and new values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format

from billing.models import Bill, BillLine, Correction, TariffVersion
from energy_portal.shared.clock import zone
from meters.models import DomainEvent, Quality, Register, SupersededReading
from meters.selectors.readings import readings_for
from meters.store.registers import Window

READINGS_SHOWN = 20
_Cause = Correction.Cause
_CAUSES = {
    DomainEvent.Kind.READING_SUPERSEDED: _Cause.READING,
    DomainEvent.Kind.GAP_CLOSED: _Cause.GAP,
    DomainEvent.Kind.CHAIN_CHANGED: _Cause.CHAIN,
}
_ACTS = {
    "meter.installed": "a meter was installed",
    "meter.removed": "a meter was removed",
    "account.moved_in": "the supply began",
    "account.moved_out": "the supply ended",
    "register.multiplier_changed": "the meter's multiplier changed",
}


@dataclass(frozen=True)
class Evidence:
    """One cause. ``key`` tells a repeat of it, ``text`` is for the customer, ``detail`` JSON-safe."""

    cause: str
    key: str
    text: str
    at: datetime
    detail: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as a correction keeps it."""
        return {"cause": self.cause, "key": self.key, "text": self.text, "at": self.at.isoformat(), **self.detail}


def of_event(event: DomainEvent, bill: Bill, *, now: datetime) -> Evidence:
    """Tell what an event of the meters means for a bill; of replaced readings, the old and the new values."""
    detail: dict[str, Any] = {
        "event": event.pk,
        "because": event.kind,
        "start": event.start.isoformat() if event.start else None,
        "end": event.end.isoformat() if event.end else None,
    }
    site = zone(bill.account.zone)
    with timezone.override(site):
        if event.kind == DomainEvent.Kind.READING_SUPERSEDED and event.register_id is not None:
            readings, count, text = _replaced(event, bill)
            detail |= {"readings": readings, "readings_replaced": count}
        elif event.kind == DomainEvent.Kind.GAP_CLOSED:
            text = f"Readings that were missing between {_when(event.start)} and {_when(event.end)} have come in."
        elif event.kind == DomainEvent.Kind.CHAIN_CHANGED:
            act = str(event.data.get("act", ""))
            text = f"At {_when(event.start)} {_ACTS.get(act, 'what hangs or who is supplied there changed')}."
            detail |= {"act": act}
        else:
            text = f"Readings between {_when(event.start)} and {_when(event.end)} were replaced."
    return Evidence(_CAUSES[DomainEvent.Kind(event.kind)], f"event:{event.pk}", text, now, detail)


def of_version(version: TariffVersion, *, now: datetime) -> Evidence:
    """Tell what a revised version of a tariff means for bills: its terms, and those that it supersedes."""
    before = version.supersedes
    detail = {
        "version": str(version.pk),
        "supersedes": str(before.pk) if before else None,
        "old": _terms(before) if before else [],
        "new": _terms(version),
    }
    text = f"The prices of {version.tariff.name}, {version.name}, were revised."
    return Evidence(_Cause.TARIFF, f"version:{version.pk}", text, now, detail)


def of_request(*, cause: str, key: UUID | str, reason: str, now: datetime) -> Evidence:
    """Tell that somebody asked for a bill to be rated anew, and why."""
    return Evidence(cause, f"{cause}:{key}", reason, now)


def of_bill(bill: Bill, lines: Sequence[BillLine], *, year_ago: Bill | None) -> dict[str, Any]:
    """Return what a bill rests on, JSON-safe: its sums, lines and reads with their qualities, and a year before."""
    with timezone.override(zone(bill.account.zone)):
        told = [_line(line) for line in lines]
    return {
        **_sums(bill),
        "as_of": bill.as_of.isoformat(),
        "lines": told,
        "year_ago": _sums(year_ago) if year_ago else None,
    }


def _sums(bill: Bill) -> dict[str, Any]:
    return {
        "number": bill.number,
        "month": f"{bill.month:%Y-%m}",
        "currency": bill.currency,
        "total": str(bill.total),
        "consumption_kwh": None if bill.consumption_kwh is None else _plain(bill.consumption_kwh),
        "estimated_share": _plain(bill.estimated_share),
        "complete": bill.complete,
    }


def _line(line: BillLine) -> dict[str, Any]:
    return {
        "position": line.position,
        "kind": line.kind,
        "description": line.description,
        "service_point": line.service_point.code if line.service_point else None,
        "version": str(line.tariff_version) if line.tariff_version else None,
        "quantity": _plain(line.quantity),
        "unit": line.unit,
        "rate": _plain(line.rate),
        "amount": str(line.amount),
        "reads": [_read(read) for read in line.reads],
    }


def _read(read: dict[str, Any]) -> dict[str, Any]:
    words = {"quality_name": Quality(read["quality"]).label, "when": _when(datetime.fromisoformat(read["time"]))}
    return {**read, **words, "value": _plain(Decimal(read["value"]))}


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _replaced(event: DomainEvent, bill: Bill) -> tuple[list[dict[str, Any]], int, str]:
    low, high = max(event.start, bill.period.lower), event.end
    if high is None or high > bill.period.upper:
        high = bill.period.upper
    rows = SupersededReading.objects.filter(
        register=event.register_id, time__range=(low, high), superseded_at=event.recorded_at
    ).order_by("time", "-superseded_at")
    count, shown = rows.count(), list(rows[:READINGS_SHOWN])
    register = Register.objects.select_related("meter").get(pk=event.register_id)
    standing = {}
    if shown:
        window = Window(register.pk, shown[0].time, shown[-1].time)
        standing = {read.time: read for read in readings_for([window], []).get(register.pk, [])}
    readings = [_reading(row, standing.get(row.time), register) for row in shown]
    if not readings:
        text = f"Readings of meter {register.meter.serial} around {_when(event.start)} were replaced."
    else:
        first = readings[0]
        became = "was withdrawn" if first["new"] is None else f"became {first['new']}"
        more = f", and {count - 1} more were replaced" if count > 1 else ""
        at = _when(shown[0].time)
        text = f"The reading of meter {register.meter.serial} at {at} was {first['old']} and {became}{more}."
    return readings, count, text


def _reading(old: SupersededReading, new: Any, register: Register) -> dict[str, Any]:
    return {
        "serial": register.meter.serial,
        "register_code": register.code,
        "time": old.time.isoformat(),
        "when": _when(old.time),
        "unit": register.unit,
        "old": f"{old.value.normalize():f}",
        "old_quality": Quality(old.quality).label,
        "new": f"{new.value.normalize():f}" if new is not None else None,
        "new_quality": Quality(new.quality).label if new is not None else None,
        "why": old.get_reason_display(),
    }


def _terms(version: TariffVersion) -> list[dict[str, Any]]:
    components = version.components.all()
    return [{"kind": each.kind, "name": each.name, "terms": each.terms} for each in components]


def _when(instant: datetime | None) -> str:
    return "an unknown time" if instant is None else date_format(timezone.localtime(instant), "j M Y, H:i")
