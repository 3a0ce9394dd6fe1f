"""The registry of devices, each with what it tells now and what can be done with it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin.common import ServiceAdmin, actor_of, adopt, changed, each
from energy_portal.shared.admin import BoundedPaginator
from meters.admin.common import Question, VisibleRows, ask_then, change_url
from meters.devices.admin.common import OwnersHistory, clock, person, sees_customers, watts
from meters.devices.admin.fleet import FleetPage
from meters.devices.models import Command, Device
from meters.devices.selectors.fleet import newest_commands
from meters.devices.services import registry
from meters.devices.services.commands import send_command

_COMMANDS_SHOWN = 8
_ONLINE = {"online": "success", "offline": "warning", "retired": "info", "not heard yet": "info"}


class ReplaceForm(forms.Form):
    """Who takes the place."""

    device_id = forms.CharField(
        label="The new device", max_length=64, widget=UnfoldAdminTextInputWidget, help_text="As it names itself."
    )


class DeviceForm(forms.ModelForm[Device]):
    """What the registry keeps of a device, with its units."""

    class Meta:
        model = Device
        fields = ("device_id", *sorted(registry.CHANGEABLE))
        labels = {  # noqa: RUF012
            "device_id": "Device id",
            "rated_power_w": "Rated power (W)",
            "hold_seconds": "Hold (s)",
            "is_critical": "Critical load",
        }


class OnlineFilter(admin.SimpleListFilter):
    """Whether devices in service are heard."""

    title = "online"
    parameter_name = "online"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Online"), ("no", "Offline")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Device]) -> QuerySet[Device]:
        if self.value() not in {"yes", "no"}:
            return queryset
        return queryset.filter(status=Device.Status.ACTIVE, state__is_online=self.value() == "yes")


@admin.register(Device)
class DeviceAdmin(FleetPage, VisibleRows, ServiceAdmin, OwnersHistory):
    """Devices."""

    form = DeviceForm
    list_display = ("device_id", "name", "online", "power", "heard", "group", "region", "product")
    list_display_links = ("device_id", "name")
    list_filter = (OnlineFilter, "status", "group", "region", "product", "is_critical")
    list_select_related = ("state", "group", "region", "product")
    ordering = ("-id",)
    paginator = BoundedPaginator
    search_fields = ("device_id",)
    search_help_text = "How the id begins, or an account number"
    autocomplete_fields = ("account",)
    readonly_fields = ("status", "retired_at", "replaces", "created_at", "updated_at")
    change_form_outer_before_template = "admin/devices/device_panel.html"
    actions = ("switch_all_on", "switch_all_off", "retire_all")
    actions_detail = ("switch_on", "switch_off", "replace", "retire")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("fleet/", view(self.fleet_view), name="devices_device_fleet"),
            path("fleet/live/", view(self.fleet_live_view), name="devices_device_fleet_live"),
            path("<int:pk>/live/", view(self.live_view), name="devices_device_live"),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask for what the registry keeps; operators are not told whose a device is."""
        place = ("region", "account") if sees_customers(request) else ("region",)
        fields = (
            ("device_id", "name"),
            ("product", "group"),
            place,
            ("rated_power_w", "hold_seconds"),
            ("zone", "is_critical"),
        )
        more = (("status", "retired_at"), ("replaces",), ("created_at", "updated_at"))
        return ((None, {"fields": fields}), ("More", {"fields": more, "classes": ("collapse",)}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else ("device_id", *self.readonly_fields)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_retired = isinstance(obj, Device) and obj.status == Device.Status.RETIRED
        return not is_retired and super().has_change_permission(request, obj)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by what an index serves: how the id begins, and the whole number of an account."""
        if not search_term:
            return queryset, False
        found = Q(device_id__startswith=search_term)
        if sees_customers(request):
            theirs = Device.objects.filter(account__number=search_term).values_list("pk", flat=True)
            found |= Q(pk__in=list(theirs[:1000]))
        return queryset.filter(found), False

    def save_model(self, request: HttpRequest, obj: Device, form: Any, change: bool) -> None:
        """Enter or change a device by the service."""
        actor, now = actor_of(request), timezone.now()
        if change:
            adopt(obj, registry.change_device(pk=obj.pk, changes=changed(form), actor=actor, now=now))
            return
        details = {name: value for name, value in form.cleaned_data.items() if name in registry.CHANGEABLE}
        made = registry.create_device(device_id=obj.device_id, details=details, actor=actor, now=now)
        adopt(obj, made)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add what the device tells now and its last commands."""
        device = self.get_object(request, object_id)
        panel = self._panel(request, device) if isinstance(device, Device) else {}
        more = {"show_history": sees_customers(request), **panel}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def live_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the panel as it is now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        device = get_object_or_404(self.get_queryset(request).select_related("state"), pk=pk)
        return TemplateResponse(request, "admin/devices/device_live.html", self._panel(request, device))

    def _panel(self, request: HttpRequest, device: Device) -> dict[str, Any]:
        commands = newest_commands(user=person(request)).filter(device=device)
        return {
            "device": device,
            "state": getattr(device, "state", None),
            "online_words": self.online(device),
            "commands": commands[:_COMMANDS_SHOWN],
            "successor": Device.objects.filter(replaces=device).first(),
        }

    @display(description="State", label=_ONLINE)
    def online(self, device: Device) -> str:
        if device.status == Device.Status.RETIRED:
            return "retired"
        state = getattr(device, "state", None)
        if state is None or (state.heard_at is None and state.online_changed_at is None):
            return "not heard yet"
        return "online" if state.is_online else "offline"

    @display(description="Power")
    def power(self, device: Device) -> str:
        return watts(device.state.power_w if hasattr(device, "state") else None)

    @display(description="Heard")
    def heard(self, device: Device) -> str:
        return clock(device.state.heard_at if hasattr(device, "state") else None)

    @admin.action(description="Switch on", permissions=["change"])
    def switch_all_on(self, request: HttpRequest, devices: QuerySet[Device]) -> None:
        """Ask the selected devices to switch on."""
        self._switch_each(request, devices, switch=True)

    @admin.action(description="Switch off", permissions=["change"])
    def switch_all_off(self, request: HttpRequest, devices: QuerySet[Device]) -> None:
        """Ask the selected devices to switch off."""
        self._switch_each(request, devices, switch=False)

    @admin.action(description="Retire", permissions=["change"])
    def retire_all(self, request: HttpRequest, devices: QuerySet[Device]) -> None:
        """Take the selected devices out of service for good."""
        now = timezone.now()

        def deed(device: Device) -> None:
            registry.retire_device(pk=device.pk, actor=actor_of(request), now=now)

        each(self, request, devices, deed, "{} devices are retired; what they told stays.")

    @action(description="Switch on", url_path="on", permissions=["change"], icon="toggle_on")
    def switch_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask the device to switch on."""
        return self._switch(request, object_id, switch=True)

    @action(description="Switch off", url_path="off", permissions=["change"], icon="toggle_off")
    def switch_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask the device to switch off."""
        return self._switch(request, object_id, switch=False)

    @action(description="Replace", url_path="replace", permissions=["change"], icon="swap_horiz")
    def replace(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let another device take the place."""

        def act(form: ReplaceForm, device: Device) -> HttpResponse:
            new = registry.replace_device(
                pk=device.pk,
                new_device_id=form.cleaned_data["device_id"],
                actor=actor_of(request),
                now=timezone.now(),
            )
            messages.success(request, f"{new} has the place of {device.device_id} now.")
            return redirect(change_url(Device, new.pk))

        intro = "The new device takes name, group, region and account over. This one is retired; what it told stays."
        return self._ask(request, object_id, ReplaceForm, act, ("Replace the device", intro, "Replace"))

    @action(description="Retire", url_path="retire", permissions=["change"], icon="block")
    def retire(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take the device out of service for good."""

        def act(form: forms.Form, device: Device) -> str:
            registry.retire_device(pk=device.pk, actor=actor_of(request), now=timezone.now())
            return f"{device} is retired."

        intro = "Nothing of it is taken any more, for good; what it told stays."
        return self._ask(request, object_id, forms.Form, act, ("Retire the device", intro, "Retire"))

    def _ask(
        self,
        request: HttpRequest,
        object_id: str,
        form: type[Any],
        act: Callable[[Any, Device], str | HttpResponse],
        words: tuple[str, str, str],
    ) -> HttpResponse:
        device = get_object_or_404(self.get_queryset(request), pk=object_id)
        title, intro, submit = words
        return ask_then(
            self,
            request,
            Question(title=f"{title} {device}", intro=intro, submit=submit, back=change_url(Device, device.pk)),
            form=form(request.POST if request.method == "POST" else None),
            act=lambda filled: act(filled, device),
        )

    def _switch(self, request: HttpRequest, object_id: str, *, switch: bool) -> HttpResponse:
        word = "on" if switch else "off"

        def act(form: forms.Form, device: Device) -> HttpResponse:
            order = send_command(device_id=device.device_id, switch=switch, actor=actor_of(request), now=timezone.now())
            return redirect(change_url(Command, order.pk))

        intro = "It is told so at once; whether it follows is seen by what it tells then."
        return self._ask(request, object_id, forms.Form, act, (f"Switch {word}", intro, f"Switch {word}"))

    def _switch_each(self, request: HttpRequest, devices: QuerySet[Device], *, switch: bool) -> None:
        now = timezone.now()

        def deed(device: Device) -> None:
            send_command(device_id=device.device_id, switch=switch, actor=actor_of(request), now=now)

        each(self, request, devices, deed, "{} devices are told; what came of it stands among the commands.")
