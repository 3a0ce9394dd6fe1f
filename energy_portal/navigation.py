"""The admin's sidebar: what a person may see, by the work that it is for."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

# Group, then model, icon and the callback of a badge; a model without pages in the admin is left out.
_GROUPS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "Customers",
        (
            ("accounts.CustomerAccount", "person", ""),
            ("accounts.Premises", "home", ""),
            ("accounts.AccountAccess", "key", ""),
            ("accounts.Invitation", "mail", ""),
            ("meters.RegistrationRequest", "how_to_reg", "energy_portal.dashboard.requests_badge"),
        ),
    ),
    (
        "Metering",
        (
            ("meters.ReadingException", "report", "energy_portal.dashboard.exceptions_badge"),
            ("meters.ServicePoint", "location_on", ""),
            ("meters.Meter", "electric_meter", ""),
            ("meters.Register", "pin", ""),
            ("meters.Binding", "link", ""),
            ("meters.Installation", "build", ""),
            ("meters.ChainEvent", "history", ""),
        ),
    ),
    (
        "Billing",
        (
            ("billing.BillRun", "play_circle", ""),
            ("billing.Bill", "receipt_long", ""),
            ("billing.Tariff", "sell", ""),
            ("billing.TariffVersion", "price_change", ""),
            ("billing.TariffAssignment", "assignment_ind", ""),
            ("billing.Tax", "percent", ""),
            ("billing.TaxVersion", "event", ""),
        ),
    ),
    (
        "System",
        (
            ("accounts.User", "group", ""),
            ("accounts.DataSource", "sensors", ""),
            ("meters.ArchivedMonth", "inventory_2", ""),
            ("accounts.AuditEntry", "policy", ""),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar, each with the lists that the person may open."""
    groups: list[dict[str, Any]] = [
        {"items": [{"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}]}
    ]
    for title, entries in _GROUPS:
        items = [item for label, icon, badge in entries if (item := _item(request, label, icon, badge))]
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


def _item(request: HttpRequest, label: str, icon: str, badge: str) -> dict[str, Any] | None:
    link = list_link(request, label)
    if link is None:
        return None
    title = str(apps.get_model(label)._meta.verbose_name_plural)
    item: dict[str, Any] = {"title": title[:1].upper() + title[1:], "icon": icon, "link": link}
    return {**item, "badge": badge, "badge_variant": "warning"} if badge else item
