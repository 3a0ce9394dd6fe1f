"""Service points: who is supplied by which meter, the last days, and what can happen there."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from energy_portal.shared.admin import HistoryAdmin
from meters.admin.acts import ExchangeForm, InstallForm, MoveForm, PlaceMultiplierForm, RemoveForm, _ActForm
from meters.admin.chain import BindingInline, ChainEventInline, InstallationInline
from meters.admin.common import Question, VisibleRows, ask_then, change_url
from meters.admin.history import history_of
from meters.admin.panels import day_rows, readings_table
from meters.admin.profile import profile_chart
from meters.models import Register, ServicePoint
from meters.selectors.desk import newest_days, newest_readings, recent_profile, registers_at, with_supply
from meters.selectors.timeline import place_history
from meters.services import chain

_STATUS_COLOURS = {ServicePoint.Status.ACTIVE: "success", ServicePoint.Status.INACTIVE: "warning"}
_READINGS_SHOWN = 8


@admin.register(ServicePoint)
class ServicePointAdmin(VisibleRows, HistoryAdmin):
    """Places of supply."""

    list_display = ("code", "address", "commodity", "supplied_account", "hanging_meter", "shown_status")
    list_filter = ("commodity", "service_class", "status")
    list_select_related = ("premises",)
    search_fields = (
        "code",
        "premises__address",
        "installations__meter__serial",
        "bindings__account__number",
        "bindings__account__owner_name",
    )
    search_help_text = "Code, address, meter serial, account number or name"
    autocomplete_fields = ("premises",)
    fieldsets = (
        (None, {"fields": ("code", "premises", ("commodity", "service_class"), "greatest_rate_per_hour", "status")}),
        ("Gas", {"fields": (("calorific_value_mj_m3", "volume_correction"),), "classes": ("collapse",)}),
    )
    inlines = (BindingInline, InstallationInline, ChainEventInline)
    actions_detail = (
        {
            "title": "Record an event",
            "icon": "edit_calendar",
            "items": (
                "exchange_meter",
                "install_meter",
                "remove_meter",
                "change_multiplier",
                "move_in",
                "move_out",
            ),
        },
    )
    change_form_outer_before_template = "admin/meters/service_point_panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_supply(super().get_queryset(request), now=timezone.now())

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("status",) if obj is None else ("premises", "status")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Address", ordering="premises__address")
    def address(self, service_point: ServicePoint) -> str:
        return service_point.premises.address

    @display(description="Account", empty_value="nobody")
    def supplied_account(self, service_point: Any) -> str | None:
        name: str | None = service_point.account_name
        return name

    @display(description="Meter", empty_value="none")
    def hanging_meter(self, service_point: Any) -> str | None:
        serial: str | None = service_point.meter_serial
        return serial

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def shown_status(self, service_point: ServicePoint) -> tuple[str, str]:
        return service_point.status, service_point.get_status_display()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add the panel with the last days, the history and the newest readings."""
        service_point = self.get_object(request, object_id)
        panel = self._panel(request, service_point) if service_point is not None else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **panel})

    def _panel(self, request: HttpRequest, service_point: ServicePoint) -> dict[str, Any]:
        now = timezone.now()
        registers = registers_at(service_point=service_point, now=now)
        return {
            "profiles": [
                profile_chart(recent_profile(service_point=service_point, now=now, direction=direction))
                for direction in _directions(registers)
            ],
            "acts": self._acts(request, service_point),
            "history": history_of(request, partial(place_history, service_point=service_point)),
            "days": day_rows(newest_days(registers=registers)),
            "pages": [
                readings_table(newest_readings(register=register, limit=_READINGS_SHOWN)) for register in registers
            ],
        }

    def _acts(self, request: HttpRequest, service_point: ServicePoint) -> list[dict[str, str]]:
        """Return the acts as links, which a keyboard reaches; the menu in the head opens by a click alone."""
        return [
            {"title": act.description, "path": reverse(f"admin:{act.action_name}", args=[service_point.pk])}
            for act in self.get_actions_detail(request, service_point.pk)
        ]

    @action(description="Exchange meter", url_path="exchange", permissions=["change"], icon="swap_horiz")
    def exchange_meter(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Replace the meter, with what both show at that moment."""

        def act(form: _ActForm, service_point: ServicePoint) -> str:
            chain.exchange_meter(
                service_point=service_point,
                last_reads=form.reads(),
                new_meter=form.cleaned_data["meter"],
                first_reads=form.first_reads(),
                at=form.cleaned_data["at"],
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"{form.cleaned_data['meter']} hangs at {service_point} now."

        return self._act(request, object_id, ExchangeForm, act, "Exchange the meter", "Exchange")

    @action(description="Install meter", url_path="install", permissions=["change"], icon="add_circle")
    def install_meter(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Hang a meter where none hangs."""

        def act(form: _ActForm, service_point: ServicePoint) -> str:
            chain.install_meter(
                meter=form.cleaned_data["meter"],
                service_point=service_point,
                at=form.cleaned_data["at"],
                first_reads=form.first_reads(),
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"{form.cleaned_data['meter']} hangs at {service_point} now."

        return self._act(request, object_id, InstallForm, act, "Install a meter", "Install")

    @action(description="Remove meter", url_path="remove", permissions=["change"], icon="remove_circle")
    def remove_meter(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take the meter down, with what it shows then."""

        def act(form: _ActForm, service_point: ServicePoint) -> str:
            if not form.registers:
                raise chain.NotInstalled(f"No meter hangs at {service_point}.")
            meter = form.registers[0].meter
            chain.remove_meter(
                meter=meter,
                at=form.cleaned_data["at"],
                last_reads=form.reads(),
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"{meter} was taken down."

        return self._act(request, object_id, RemoveForm, act, "Remove the meter", "Remove")

    @action(description="Change multiplier", url_path="multiplier", permissions=["change"], icon="close")
    def change_multiplier(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let a register of the meter that hangs there count another number of times from an instant on."""

        def act(form: _ActForm, service_point: ServicePoint) -> str:
            register, multiplier = form.cleaned_data["register"], form.cleaned_data["multiplier"]
            chain.change_multiplier(
                register=register,
                multiplier=multiplier,
                value=form.cleaned_data["value"],
                at=form.cleaned_data["at"],
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"{register} counts {multiplier} times from then on."

        return self._act(request, object_id, PlaceMultiplierForm, act, "Change a multiplier", "Change")

    @action(description="Move in", url_path="move-in", permissions=["change"], icon="login")
    def move_in(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Supply an account from an instant on."""
        return self._move(request, object_id, chain.move_in, "Move in", "is supplied at")

    @action(description="Move out", url_path="move-out", permissions=["change"], icon="logout")
    def move_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Supply an account no longer."""
        return self._move(request, object_id, chain.move_out, "Move out", "is no longer supplied at")

    def _move(
        self, request: HttpRequest, object_id: str, service: Callable[..., Any], title: str, outcome: str
    ) -> HttpResponse:
        def act(form: _ActForm, service_point: ServicePoint) -> str:
            service(
                account=form.cleaned_data["account"],
                service_point=service_point,
                at=form.cleaned_data["at"],
                reads=form.reads() or None,
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"{form.cleaned_data['account']} {outcome} {service_point}."

        return self._act(request, object_id, MoveForm, act, title, title)

    def _act(
        self,
        request: HttpRequest,
        object_id: str,
        form_class: type[_ActForm],
        act: Callable[[_ActForm, ServicePoint], str],
        title: str,
        submit: str,
    ) -> HttpResponse:
        service_point = get_object_or_404(self.get_queryset(request), pk=object_id)
        now = timezone.now()
        form = form_class(request.POST or None, registers=registers_at(service_point=service_point, now=now), now=now)
        return ask_then(
            self,
            request,
            Question(
                title=title,
                intro=f"{service_point}, {service_point.premises.address}.",
                submit=submit,
                back=change_url(ServicePoint, service_point.pk),
            ),
            form=form,
            act=lambda filled: act(filled, service_point),
        )


def _directions(registers: Iterable[Register]) -> list[Register.Direction]:
    """Return what is drawn: what came in, always, and what went out where it is counted."""
    counted = {register.direction for register in registers}
    return [each for each in Register.Direction if each == Register.Direction.IMPORT or each in counted]
