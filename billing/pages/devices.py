"""A household's devices: what each does now, switching with its true outcome, and today's energy by hour."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.actors import Actor
from accounts.selectors.access import administers
from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from billing.pages.appliances import appliance_rows
from billing.pages.windows import EN_DASH
from energy_portal.shared.clock import Period, local_day
from energy_portal.shared.errors import DomainError
from meters.devices.models import Command, Device
from meters.devices.selectors.devices import (
    HourOfDevices,
    devices_of_account,
    hours_of_devices,
    last_commands,
)
from meters.devices.services.commands import send_command

DEVICES_A_PAGE = 24
# A command that was settled longer ago than this is no news any more.
_TOLD_FOR = timedelta(minutes=10)
_WHOLE = 0.98
_HOUR = timedelta(hours=1)
# An hour is added up some minutes after it is over.
_ADDED_UP_AFTER = timedelta(minutes=5)
_SLOWLY, _QUICKLY = 5, 1
_LIVE = ("state", "since", "power_w", "power_at", "temperature_c", "switch", "today_wh", "outcome")
_OPEN = frozenset({Command.Status.QUEUED, Command.Status.SENT, Command.Status.DELIVERED})
_OUTCOMES = {
    Command.Status.QUEUED: ("info", gettext_lazy("Switching {to}: waiting to be sent.")),
    Command.Status.SENT: ("info", gettext_lazy("Switching {to}: sent, waiting for the device's answer.")),
    Command.Status.DELIVERED: ("info", gettext_lazy("Switching {to}: the device has it, its effect is not seen yet.")),
    Command.Status.EFFECTIVE: ("good", gettext_lazy("Switched {to}: what the device tells shows it.")),
    Command.Status.NOT_EFFECTIVE: (
        "warn",
        gettext_lazy("Told to switch {to}, but what the device tells does not show it."),
    ),
    Command.Status.EXPIRED: ("warn", gettext_lazy("Not switched {to}: the device did not answer in time.")),
    Command.Status.FAILED: ("warn", gettext_lazy("Not switched {to}: it failed.")),
}


@dataclass(frozen=True)
class Outcome:
    """What became of the newest switching; ``kind`` is info, good or warn."""

    kind: str
    words: str
    at: datetime
    is_open: bool


@dataclass(frozen=True)
class DeviceCard:
    """A device as its card shows it; ``today_wh`` None where no hour of today is known."""

    device: Device
    state: str
    since: datetime | None
    power_w: float | None
    power_at: datetime | None
    temperature_c: float | None
    switch: bool | None
    today_wh: float | None
    outcome: Outcome | None


@dataclass(frozen=True)
class HourRow:
    """One hour of today as bar and table row. ``state`` is measured, part, missing or future."""

    name: str
    label: str
    start: datetime
    energy_wh: float | None
    covered: float
    state: str

    @property
    def words(self) -> str:
        """What the bar stands for, in words."""
        match self.state:
            case "future":
                return _("Not yet")
            case "missing":
                return _("Nothing was heard")
            case "part":
                told = {"amount": f"{self.energy_wh:,.0f}", "percent": int(100 * self.covered)}
                return _("%(amount)s Wh, known for %(percent)s %% of the hour") % told
        return f"{self.energy_wh:,.0f} Wh"


@customer_page
def devices(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Show an account's devices."""
    now = timezone.now()
    page = _page(request, chosen)
    hours = _hours_today(list(page), chosen, now)
    cards = _cards(list(page), hours, now)
    focus = next((card for card in cards if card.device.device_id == request.GET.get("device")), None)
    rows = _rows(focus, hours, _today(chosen, now), chosen, now)
    live = _live(request, cards)
    context = {
        "chosen": chosen,
        "page": page,
        "cards": cards,
        "focus": focus,
        "rows": rows,
        "total_wh": sum(row.energy_wh for row in rows if row.energy_wh is not None) if _any_known(rows) else None,
        "chart": _chart(rows, now),
        **appliance_rows([card.device for card in cards]),
        "may_switch": administers(account_id=chosen.account.pk, user=request.user, now=now),
        **live,
    }
    return render(request, "billing/devices.html", context)


@customer_page
def devices_live(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Return what changed in the cards since the page was last told; nothing where nothing did."""
    now = timezone.now()
    page = list(_page(request, chosen))
    live = _live(request, _cards(page, _hours_today(page, chosen, now), now))
    if live["seen"] == request.GET.get("seen"):
        return HttpResponse(status=204)
    return render(request, "billing/devices_live.html", live)


@require_POST
@customer_page
def switch_device(request: LoggedInRequest, chosen: Chosen, device_id: str) -> HttpResponse:
    """Switch a device on or off; what comes of it stands in its card."""
    now = timezone.now()
    device = devices_of_account(account=chosen.account).filter(device_id=device_id).first()
    if device is None or request.POST.get("switch") not in {"on", "off"}:
        raise Http404
    if not administers(account_id=chosen.account.pk, user=request.user, now=now):
        raise PermissionDenied
    try:
        send_command(
            device_id=device.device_id,
            switch=request.POST["switch"] == "on",
            actor=Actor(user=request.user),
            now=now,
        )
    except DomainError as error:
        messages.warning(request, f"{device}: {error}")
        return _back(request)
    if request.htmx:
        page = list(_page(request, chosen))
        cards = _cards(page, _hours_today(page, chosen, now), now)
        return render(request, "billing/devices_live.html", _live(request, cards))
    return _back(request)


def _back(request: LoggedInRequest) -> HttpResponse:
    if request.htmx:
        response = HttpResponse(status=204)
        response["HX-Refresh"] = "true"
        return response
    return redirect("billing:devices")


def _page(request: LoggedInRequest, chosen: Chosen) -> Page[Device]:
    listed = Paginator(devices_of_account(account=chosen.account), DEVICES_A_PAGE)
    return listed.get_page(request.GET.get("page") or request.POST.get("page"))


def _today(chosen: Chosen, now: datetime) -> Period:
    zone = ZoneInfo(chosen.account.zone)
    return local_day(now.astimezone(zone).date(), zone)


def _hours_today(page: list[Device], chosen: Chosen, now: datetime) -> dict[int, list[HourOfDevices]]:
    day = _today(chosen, now)
    return hours_of_devices(devices=page, start=day.start, end=day.end)


def _cards(page: list[Device], hours: dict[int, list[HourOfDevices]], now: datetime) -> list[DeviceCard]:
    commands = last_commands(devices=page)
    return [_card(device, hours[device.pk], commands.get(device.pk), now) for device in page]


def _card(device: Device, hours: list[HourOfDevices], command: Command | None, now: datetime) -> DeviceCard:
    state = getattr(device, "state", None)
    words = "not heard yet"
    if state is not None and (state.heard_at or state.online_changed_at):
        words = "online" if state.is_online else "offline"
    return DeviceCard(
        device=device,
        state=words,
        since=state.online_changed_at if state else None,
        power_w=state.power_w if state else None,
        power_at=state.power_at if state else None,
        temperature_c=state.temperature_c if state else None,
        switch=state.switch if state else None,
        today_wh=sum(hour.energy_wh for hour in hours) if hours else None,
        outcome=_outcome(command, now),
    )


def _outcome(command: Command | None, now: datetime) -> Outcome | None:
    if command is None or (command.settled_at is not None and command.settled_at < now - _TOLD_FOR):
        return None
    kind, words = _OUTCOMES[Command.Status(command.status)]
    told = words.format(to=_("on") if command.switch else _("off"))
    if command.reason:
        told = f"{told} {command.reason}"
    return Outcome(kind, told, command.settled_at or command.created_at, command.status in _OPEN)


def _live(request: LoggedInRequest, cards: list[DeviceCard]) -> dict[str, object]:
    """Return what the live parts of the cards show, and a mark by which the page tells that it has seen it."""
    told = [(card.device.pk, *(getattr(card, name) for name in _LIVE)) for card in cards]
    is_open = any(card.outcome is not None and card.outcome.is_open for card in cards)
    return {
        "cards": cards,
        "seen": sha256(repr(told).encode()).hexdigest()[:16],
        "every": _QUICKLY if is_open else _SLOWLY,
        "number": request.GET.get("page") or request.POST.get("page") or "1",
    }


def _by_hour(
    focus: DeviceCard | None, hours: dict[int, list[HourOfDevices]], day: Period
) -> dict[int, tuple[float, float]]:
    """Return energy and coverage by the day's hour in which they begin, of one device or of all together."""
    chosen = list(hours.values()) if focus is None else [hours[focus.device.pk]]
    sums: dict[int, tuple[float, float]] = {}
    for hour in (hour for each in chosen for hour in each):
        number = (hour.start - day.start) // _HOUR
        energy, covered = sums.get(number, (0.0, 0.0))
        sums[number] = (energy + hour.energy_wh, covered + hour.covered / len(chosen))
    return sums


def _rows(
    focus: DeviceCard | None, hours: dict[int, list[HourOfDevices]], day: Period, chosen: Chosen, now: datetime
) -> list[HourRow]:
    zone = ZoneInfo(chosen.account.zone)
    known = _by_hour(focus, hours, day)
    rows = []
    for number in range((day.end - day.start) // _HOUR):
        start = day.start + number * _HOUR
        local, end = start.astimezone(zone), (start + _HOUR).astimezone(zone)
        energy, covered = known.get(number, (None, 0.0))
        if energy is None:
            state = "future" if start + _HOUR > now - _ADDED_UP_AFTER else "missing"
        else:
            state = "measured" if covered >= _WHOLE else "part"
        rows.append(HourRow(f"{local:%H:%M}{EN_DASH}{end:%H:%M}", f"{local:%H:%M}", start, energy, covered, state))
    return rows


def _any_known(rows: list[HourRow]) -> bool:
    return any(row.energy_wh is not None for row in rows)


def _chart(rows: list[HourRow], now: datetime) -> dict[str, object]:
    """Shape the rows as the chart's script reads them; energies are Wh, null where there is none."""
    present = next((n for n, row in enumerate(rows) if row.start <= now < row.start + _HOUR), None)
    return {
        "labels": [row.label for row in rows],
        "names": [row.name for row in rows],
        "words": [row.words for row in rows],
        "energy": [None if row.energy_wh is None else round(row.energy_wh, 1) for row in rows],
        "estimated": [row.state == "part" for row in rows],
        "ticks": [n for n in range(len(rows)) if n % 3 == 0],
        "present": present,
        "presentWord": _("now"),
        "axis": _("Hour, by when it starts"),
        "unit": "Wh",
    }
