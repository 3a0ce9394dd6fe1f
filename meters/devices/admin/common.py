"""What the admin pages of devices share."""

from datetime import datetime
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from energy_portal.shared.admin import HistoryAdmin, moment
from meters.devices.models import Command

COMMAND_COLOURS = {
    Command.Status.QUEUED: "info",
    Command.Status.SENT: "info",
    Command.Status.DELIVERED: "info",
    Command.Status.EFFECTIVE: "success",
    Command.Status.NOT_EFFECTIVE: "warning",
    Command.Status.EXPIRED: "warning",
    Command.Status.FAILED: "danger",
}
OPEN_COMMANDS = frozenset({Command.Status.QUEUED, Command.Status.SENT, Command.Status.DELIVERED})


def person(request: HttpRequest) -> User:
    """Return who is in front of the page."""
    return cast("User", request.user)


def sees_customers(request: HttpRequest) -> bool:
    """Tell whether the page may name customers: to operators it does not."""
    return person(request).role != Role.OPERATOR


class OwnersHistory(HistoryAdmin):
    """A history that tells whose something was, for those who may know."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show what changed."""
        if not sees_customers(request):
            raise PermissionDenied
        answer: HttpResponse = super().history_view(request, object_id, extra_context)
        return answer

    def history_form_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show something as it was."""
        if not sees_customers(request):
            raise PermissionDenied
        answer: HttpResponse = super().history_form_view(request, *args, **kwargs)
        return answer


def watts(power_w: float | None) -> str:
    """Write a power with the unit that suits its size."""
    if power_w is None:
        return "-"
    for limit, unit in ((1e6, "MW"), (1e3, "kW")):
        if abs(power_w) >= limit:
            return f"{power_w / limit:,.2f} {unit}"
    return f"{power_w:,.0f} W"


def energy(energy_wh: float | None) -> str:
    """Write an energy with the unit that suits its size."""
    if energy_wh is None:
        return "-"
    for limit, unit in ((1e6, "MWh"), (1e3, "kWh")):
        if abs(energy_wh) >= limit:
            return f"{energy_wh / limit:,.2f} {unit}"
    return f"{energy_wh:,.0f} Wh"


def clock(instant: datetime | None) -> str:
    """Write an instant of the last day by the clock, an older one with its day."""
    if instant is None:
        return "-"
    local = timezone.localtime(instant)
    return f"{local:%H:%M:%S}" if local.date() == timezone.localdate() else moment(instant)


def asker(command: Command) -> str:
    """Say who asked for a command."""
    if command.user is not None:
        return command.user.name
    return str(command.source or "the portal")
