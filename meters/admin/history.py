"""The history of a place or a meter in words, and the values that stood once."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, QueryDict
from django.urls import NoReverseMatch
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from unfold.decorators import display

from energy_portal.shared.admin import AppendOnlyAdmin, moment
from meters.admin.common import VisibleRows, change_url, dial_text, instant_column, quality_text
from meters.models import Correction, ReadingException, SupersededReading
from meters.selectors.timeline import Entry, Kind, Stretch, Timeline

_KIND, _BEFORE = "history", "history_before"
_CHIPS = {
    Kind.METER: "Meters",
    Kind.SUPPLY: "Accounts",
    Kind.MULTIPLIER: "Multipliers",
    Kind.GAP: "Gaps",
    Kind.EXCEPTION: "Exceptions",
    Kind.ESTIMATE: "Estimates",
    Kind.CORRECTION: "Corrections",
    Kind.SUPERSEDED: "Superseded",
}
_ICONS = {
    Kind.METER: "electric_meter",
    Kind.SUPPLY: "person",
    Kind.MULTIPLIER: "close",
    Kind.GAP: "space_bar",
    Kind.EXCEPTION: "report",
    Kind.ESTIMATE: "line_axis",
    Kind.CORRECTION: "edit",
    Kind.SUPERSEDED: "history",
}
_DEEDS = {
    "installed": "Meter {0.meter} was hung up at {0.place}",
    "removed": "Meter {0.meter} was taken down at {0.place}",
    "moved_in": "{0.account} moved in",
    "moved_out": "{0.account} moved out",
}


@dataclass(frozen=True)
class Line:
    """An entry in words: when, what, and what else there is to say; ``waits`` marks what nobody has decided."""

    icon: str
    when: str
    title: str
    details: tuple[str, ...]
    url: str | None
    waits: bool


@dataclass(frozen=True)
class Chip:
    """A way to see only one kind of entry; ``key`` is empty where all are shown."""

    key: str
    label: str
    query: str
    chosen: bool


@dataclass(frozen=True)
class History:
    """A page of the history, and the ways to its other pages."""

    lines: tuple[Line, ...]
    chips: tuple[Chip, ...]
    newest: str | None
    older: str | None


def history_of(request: HttpRequest, tell: Callable[..., Timeline], *, without: Collection[Kind] = ()) -> History:
    """Return the page of a history that a request asks for.

    :param tell: takes ``kinds`` and ``before``.
    :param without: kinds of which such a history has none.
    """
    offered = {kind: label for kind, label in _CHIPS.items() if kind not in without}
    chosen = request.GET.get(_KIND, "")
    kinds = {Kind(chosen)} if chosen in set(offered) else set(offered)
    before = asked_instant(request, _BEFORE)
    timeline = tell(kinds=kinds, before=before)
    kept = {_KIND: chosen} if len(kinds) == 1 else {}
    older = timeline.older_than
    return History(
        lines=tuple(_line(entry) for entry in timeline.entries),
        chips=(
            Chip("", "All", "", len(kinds) > 1),
            *(Chip(kind, label, _query({_KIND: kind}), kinds == {kind}) for kind, label in offered.items()),
        ),
        newest=_query(kept) if before is not None else None,
        older=_query({**kept, _BEFORE: older.isoformat()}) if older is not None else None,
    )


def asked_instant(request: HttpRequest, name: str) -> datetime | None:
    """Read where a page begins; whatever is no instant begins at the newest."""
    try:
        instant = parse_datetime(request.GET.get(name, "").replace(" ", "+"))
    except ValueError:
        return None
    return instant if instant is not None and timezone.is_aware(instant) else None


def _query(parameters: dict[str, str]) -> str:
    query = QueryDict(mutable=True)
    query.update(parameters)
    return query.urlencode()


def _line(entry: Entry) -> Line:
    words: dict[Kind, Callable[[Entry], tuple[str, list[str]]]] = {
        Kind.METER: _deed,
        Kind.SUPPLY: _deed,
        Kind.MULTIPLIER: _multiplier,
        Kind.GAP: _exception,
        Kind.EXCEPTION: _exception,
        Kind.ESTIMATE: _estimate,
        Kind.CORRECTION: _correction,
        Kind.SUPERSEDED: _superseded,
    }
    title, details = words[entry.kind](entry)
    return Line(
        icon=_ICONS[entry.kind],
        when=moment(entry.at) if entry.until is None else f"{moment(entry.at)} to {moment(entry.until)}",
        title=title,
        details=tuple(details),
        url=_page_of(entry.row),
        waits=isinstance(entry.row, ReadingException) and entry.row.status == ReadingException.Status.OPEN,
    )


def _page_of(row: Any) -> str | None:
    if not isinstance(row, ReadingException | Correction):
        return None
    try:
        return change_url(type(row), row.pk)
    except NoReverseMatch:
        return None


def _deed(entry: Entry) -> tuple[str, list[str]]:
    details = [_reads(entry)] if entry.reads else ["No read was taken."]
    return _DEEDS[entry.event].format(entry), [*details, *_recorded(entry)]


def _multiplier(entry: Entry) -> tuple[str, list[str]]:
    register = entry.reads[0].register
    return f"{register} counts {entry.multiplier:f} times from here on", [_reads(entry), *_recorded(entry)]


def _reads(entry: Entry) -> str:
    shown = (f"{read.register} showed {dial_text(read.value, read.register)}" for read in entry.reads)
    return "; ".join(shown) + "."


def _recorded(entry: Entry) -> list[str]:
    return [f"Recorded {moment(entry.recorded_at)}."] if entry.recorded_at is not None else []


def _exception(entry: Entry) -> tuple[str, list[str]]:
    row: ReadingException = entry.row
    title = f"{row.code.replace('_', ' ').capitalize()}: {row.register}"
    values = []
    if row.offered_value is not None:
        values.append(f"Offered {dial_text(row.offered_value, row.register)}")
    if row.standing_value is not None:
        values.append(f"{dial_text(row.standing_value, row.register)} stands")
    details = [f"{', '.join(values)}."] if values else []
    if row.detail:
        details.append(row.detail)
    by = f" by {row.closed_by.name}" if row.closed_by else ""
    status = row.get_status_display()
    if row.status == ReadingException.Status.OPEN:
        details.append(f"Open since {moment(row.opened_at)}.")
    else:
        details.append(f"{status} {moment(row.closed_at, missing='at once')}{by}{': ' if row.note else '.'}{row.note}")
    return title, details


def _correction(entry: Entry) -> tuple[str, list[str]]:
    row: Correction = entry.row
    old = dial_text(row.old_value, row.register) if row.old_value is not None else "nothing"
    new = dial_text(row.new_value, row.register) if row.new_value is not None else "withdrawn"
    by = row.made_by.name if row.made_by else row.source or "the portal"
    details = [f"{moment(row.made_at)} by {by}: {row.reason}"]
    if entry.until is not None:
        details.append(f"{entry.row.count} values in all.")
    return f"Corrected: {row.register} {old} → {new}", details


def _superseded(entry: Entry) -> tuple[str, list[str]]:
    row: Stretch = entry.row
    title = f"{_values(row)} of {row.register} gave way: {str(row.label).lower()}"
    return title, [f"Until {moment(entry.recorded_at)}."]


def _estimate(entry: Entry) -> tuple[str, list[str]]:
    row: Stretch = entry.row
    verb = "stands" if row.count == 1 else "stand"
    return f"{_values(row)} of {row.register} {verb}, {quality_text(int(row.label))}", _recorded(entry)


def _values(stretch: Stretch) -> str:
    if stretch.value is not None:
        return dial_text(stretch.value, stretch.register)
    return f"{stretch.count} value{'' if stretch.count == 1 else 's'}"


@admin.register(SupersededReading)
class SupersededReadingAdmin(VisibleRows, AppendOnlyAdmin):
    """Values that stood once: kept for what was known when."""

    list_display = ("register", "mark", "shown_value", "shown_quality", "since", "until", "reason")
    list_select_related = ("register__meter",)
    list_filter = ("reason",)
    search_fields = ("register__meter__serial",)
    search_help_text = "Meter serial"
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": (("register", "time"), ("value", "quality"), ("received_at", "superseded_at"))}),
        ("Why", {"fields": (("reason", "correction"), ("source", "raw_stamp"))}),
    )
    mark = instant_column("time", "Reading of")
    since = instant_column("received_at", "Stood from")
    until = instant_column("superseded_at", "Stood until")

    @display(description="Value", ordering="value")
    def shown_value(self, row: SupersededReading) -> str:
        return dial_text(row.value, row.register)

    @display(description="Quality", ordering="quality")
    def shown_quality(self, row: SupersededReading) -> str:
        return quality_text(row.quality)
