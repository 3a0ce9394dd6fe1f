"""The admin's sidebar: what a person may see, by the work that it is for."""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.module_loading import import_string


@dataclass(frozen=True)
class _Entry:
    """A list in the sidebar, or with ``page`` a page beside it; a model without pages in the admin is left out.

    ``badge`` names the callback of a number beside it, ``permission`` the page's right to be opened. With ``path``
    it is the page of that name outside of the admin, for whoever works in it.
    """

    model: str
    icon: str
    title: str = ""
    badge: str = ""
    page: str = ""
    permission: str = ""
    path: str = ""


_GROUPS: tuple[tuple[str, tuple[_Entry, ...]], ...] = (
    (
        "Customers",
        (
            _Entry("accounts.CustomerAccount", "person"),
            _Entry("accounts.Premises", "home"),
            _Entry("accounts.AccountAccess", "key"),
            _Entry("accounts.Invitation", "mail"),
            _Entry("meters.RegistrationRequest", "how_to_reg", badge="energy_portal.dashboard.requests_badge"),
        ),
    ),
    (
        "Metering",
        (
            _Entry("meters.ServicePoint", "location_on"),
            _Entry("meters.Meter", "electric_meter"),
            _Entry("meters.Register", "pin"),
            _Entry("meters.Region", "public"),
            _Entry("meters.Binding", "link"),
            _Entry("meters.Installation", "build"),
            _Entry("meters.ChainEvent", "timeline"),
        ),
    ),
    (
        "Alarms",
        (
            _Entry("meters.Alarm", "notifications_active", badge="energy_portal.dashboard.alarms_badge"),
            _Entry("meters.AlarmRule", "notification_settings"),
            _Entry("insights.Anomaly", "troubleshoot"),
            _Entry("insights.Fault", "home_repair_service"),
            _Entry("insights.Appliance", "kitchen"),
            _Entry("insights.DetectorModel", "model_training"),
        ),
    ),
    (
        "Batteries",
        (
            _Entry("batteries.Battery", "battery_charging_full", "Fleet", path="batteries:fleet"),
            _Entry("batteries.Battery", "battery_full"),
            _Entry("insights.BatteryTrend", "monitor_heart", "Health"),
            _Entry("batteries.Convention", "translate"),
        ),
    ),
    (
        "Insights",
        (
            _Entry("insights.ForecastScore", "leaderboard", "Scoreboard", page="scoreboard", permission="view"),
            _Entry("insights.Anomaly", "troubleshoot"),
            _Entry("insights.Fault", "home_repair_service"),
            _Entry("insights.Forecast", "trending_up"),
            _Entry("insights.ForecastModel", "model_training"),
            _Entry("insights.BatteryTrend", "battery_alert"),
            _Entry("insights.Weather", "thermostat"),
            _Entry("insights.Holiday", "event"),
        ),
    ),
    (
        "Validation",
        (
            _Entry("meters.ReadingException", "report", badge="energy_portal.dashboard.exceptions_badge"),
            _Entry("meters.ValidationRule", "rule"),
            _Entry("meters.Rehearsal", "science"),
            _Entry("meters.Correction", "edit"),
            _Entry("meters.SupersededReading", "history"),
        ),
    ),
    (
        "Data in and out",
        (
            _Entry("meters.Job", "upload_file", "Import readings", page="import_readings", permission="import"),
            _Entry("meters.Job", "group_add", "Import mapping", page="import_bindings", permission="import"),
            _Entry("meters.Job", "pending_actions"),
            _Entry("meters.ArchivedMonth", "inventory_2"),
            _Entry("devices.ArchivedDay", "archive"),
            _Entry("devices.LateSample", "schedule"),
            _Entry("meters.DomainEvent", "campaign", "Events"),
            _Entry("meters.EventDelivery", "local_shipping"),
        ),
    ),
    (
        "Devices",
        (
            _Entry("devices.Device", "monitoring", "Fleet", page="fleet", permission="view"),
            _Entry("devices.Device", "power"),
            _Entry("devices.Command", "toggle_on"),
            _Entry("devices.DeviceGroup", "workspaces", "Groups"),
            _Entry("devices.Product", "category"),
            _Entry("devices.PropertyMapping", "conversion_path"),
            _Entry("devices.UnknownCode", "help"),
        ),
    ),
    (
        "Field work",
        (
            _Entry(
                "field_ops.ApprovalRequest",
                "fact_check",
                "Approval queue",
                page="queue",
                permission="queue",
                badge="energy_portal.dashboard.queue_badge",
            ),
            _Entry("field_ops.Assignment", "assignment_add", "Assign", page="assign", permission="assign"),
            _Entry("field_ops.Assignment", "assignment"),
            _Entry("field_ops.Agent", "map", "Map of agents", page="map", permission="view"),
            _Entry("field_ops.Agent", "badge"),
            _Entry("field_ops.Round", "event_repeat"),
            _Entry("field_ops.Submission", "upload"),
            _Entry("field_ops.ApprovalRequest", "rule_folder"),
            _Entry("field_ops.Photo", "photo_camera"),
            _Entry("field_ops.Phone", "smartphone"),
            _Entry("field_ops.Shift", "schedule"),
        ),
    ),
    (
        "Billing",
        (
            _Entry("billing.BillRun", "play_circle"),
            _Entry("billing.Bill", "receipt_long"),
            _Entry("billing.BillDelivery", "forward_to_inbox"),
            _Entry("billing.Correction", "published_with_changes", badge="energy_portal.dashboard.corrections_badge"),
            _Entry("billing.Dispute", "gavel", badge="energy_portal.dashboard.disputes_badge"),
            _Entry("billing.Payment", "payments"),
            _Entry("billing.BankImport", "account_balance"),
            _Entry("billing.BankLine", "rule"),
            _Entry("billing.Reminder", "notification_important"),
            _Entry("billing.Tariff", "sell"),
            _Entry("billing.TariffVersion", "price_change"),
            _Entry("billing.TariffAssignment", "assignment_ind"),
            _Entry("billing.Tax", "percent"),
            _Entry("billing.TaxVersion", "event"),
        ),
    ),
    (
        "System",
        (
            _Entry("accounts.User", "group"),
            _Entry("accounts.DataSource", "sensors"),
            _Entry("accounts.AuditEntry", "policy"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar, each with the lists that the person may open."""
    groups: list[dict[str, Any]] = [
        {"items": [{"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}]}
    ]
    for title, entries in _GROUPS:
        items = [item for entry in entries if (item := _item(request, entry))]
        if items:
            groups.append({"title": title, "separator": True, "collapsible": False, "items": items})
    return groups


def list_link(request: HttpRequest, label: str) -> str | None:
    """Return the address of a model's list; None where it has none that the person may open."""
    model = apps.get_model(label)
    page = admin.site._registry.get(model)
    if page is None or not page.has_view_permission(request):
        return None
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def _item(request: HttpRequest, entry: _Entry) -> dict[str, Any] | None:
    model = apps.get_model(entry.model)
    if entry.path:
        return {"title": entry.title, "icon": entry.icon, "link": reverse(entry.path), "active": False}
    link = _page_link(request, entry) if entry.page else list_link(request, entry.model)
    if link is None:
        return None
    title = entry.title or str(model._meta.verbose_name_plural)
    is_open = request.path.startswith(link) and (bool(entry.page) or not _is_own_page(request))
    item: dict[str, Any] = {
        "title": title[:1].upper() + title[1:],
        "icon": entry.icon,
        "link": link,
        "active": is_open,
    }
    # Asked here: of a badge that is named the theme shows the box also where it says nothing.
    number = import_string(entry.badge)(request) if entry.badge else ""
    return {**item, "badge": number, "badge_variant": "warning"} if number else item


def _is_own_page(request: HttpRequest) -> bool:
    """Tell whether a page is open that stands in the sidebar beside the list above it."""
    pages = (entry for _, entries in _GROUPS for entry in entries if entry.page)
    return any((link := _page_link(request, entry)) and request.path.startswith(link) for entry in pages)


def _page_link(request: HttpRequest, entry: _Entry) -> str | None:
    model = apps.get_model(entry.model)
    page = admin.site._registry.get(model)
    if page is None or not getattr(page, f"has_{entry.permission}_permission")(request):
        return None
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{entry.page}")
