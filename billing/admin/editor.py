"""The page on which a version's prices are written, tried on homes and saved, by the services that keep tariffs."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.backends.postgresql.psycopg_any import DateRange
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.admin.common import actor_of
from billing.admin.sheets import (
    SYMBOLS,
    ComponentFields,
    after_act,
    components_of,
    fields_of,
    fields_of_post,
    new_fields,
    put_problems,
)
from billing.models import BillLine, Tariff, TariffComponent, TariffVersion
from billing.rating.terms import Component, Kind, decode
from billing.selectors.trying import Trial, trials
from billing.services.versions import InvalidComponents, add_version, checked_components, revise_version
from energy_portal.shared.clock import zone
from energy_portal.shared.errors import DomainError


class VersionFields(forms.Form):
    """What a version is called, from when to when, and what changes it."""

    name = forms.CharField(max_length=60, widget=UnfoldAdminTextInputWidget, help_text="Such as 2025 Q1.")
    first = forms.DateField(label="First day", required=False, widget=UnfoldAdminDateWidget)
    after = forms.DateField(
        label="First day after", required=False, widget=UnfoldAdminDateWidget, help_text="Empty: until further notice."
    )
    because = forms.CharField(label="Why it changes", max_length=200, required=False, widget=UnfoldAdminTextInputWidget)
    notes = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))

    def __init__(self, *args: Any, version: TariffVersion | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if version is None:
            del self.fields["because"]
        else:
            del self.fields["first"], self.fields["after"]
            self.fields["because"].required = True


class EditorPages(ModelAdmin):  # type: ignore[misc]
    """The pages of versions, beside the one of their tariff."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        base = "<uuid:tariff_id>/versions/"
        return [
            path(f"{base}add/", view(self.version_view), name="billing_tariff_add_version"),
            path(f"{base}preview/", view(self.preview_view), name="billing_tariff_preview"),
            path(f"{base}<uuid:version_id>/", view(self.version_view), name="billing_tariff_version"),
            *super().get_urls(),
        ]

    def version_view(self, request: HttpRequest, tariff_id: Any, version_id: Any = None) -> HttpResponse:
        """Show a version's prices as fields, add or remove some, or save them."""
        tariff = self._tariff(request, tariff_id)
        version = _version(tariff, version_id)
        if request.method != "POST":
            sheet = _copied(version or _latest(tariff))
            return self._page(
                request, tariff, version, VersionFields(version=version, initial=_initial(version)), sheet
            )
        if not self.has_change_permission(request, tariff):
            raise PermissionDenied
        form, sheet = VersionFields(request.POST, version=version), fields_of_post(request.POST)
        if act := request.POST.get("act"):
            initial = {name: request.POST.get(name, "") for name in form.fields}
            unbound = VersionFields(version=version, initial=initial)
            return self._page(request, tariff, version, unbound, after_act(sheet, act))
        if form.is_valid():
            try:
                saved = _saved(request, tariff, version, form, sheet)
            except InvalidComponents as error:
                for problem in put_problems(sheet, error.errors):
                    form.add_error(None, problem)
                form.add_error(None, "Nothing was saved: see what is marked below.")
            except DomainError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{saved} is in force with these prices.")
                return redirect(reverse("admin:billing_tariff_change", args=(tariff.pk,)))
        return self._page(request, tariff, version, form, sheet)

    def preview_view(self, request: HttpRequest, tariff_id: Any) -> HttpResponse:
        """Try the prices that the form holds on homes; what is wrong with them is said instead."""
        tariff = self._tariff(request, tariff_id)
        sheet = fields_of_post(request.POST)
        number = request.POST.get("account", "").strip()
        return TemplateResponse(request, "admin/billing/tariff_trials.html", _tried(tariff, sheet, number))

    def _tariff(self, request: HttpRequest, tariff_id: Any) -> Tariff:
        if not self.has_view_permission(request):
            raise PermissionDenied
        tariff = Tariff.objects.select_related("tax").filter(pk=tariff_id).first()
        if tariff is None:
            raise Http404
        return tariff

    def _page(
        self,
        request: HttpRequest,
        tariff: Tariff,
        version: TariffVersion | None,
        form: VersionFields,
        sheet: Sequence[ComponentFields],
    ) -> HttpResponse:
        may_change = self.has_change_permission(request, tariff)
        context = {
            **self.admin_site.each_context(request),
            **_tried(tariff, sheet, request.POST.get("account", "").strip()),
            "opts": self.model._meta,
            "title": str(version) if version else f"New version of {tariff}",
            "tariff": tariff,
            "version": version,
            "form": form,
            "sheet": sheet,
            "kinds": TariffComponent.Kind.choices,
            "symbols": SYMBOLS,
            "is_used": version is not None and BillLine.objects.filter(tariff_version=version).exists(),
            "may_save": may_change and (version is None or version.superseded_at is None),
        }
        return TemplateResponse(request, "admin/billing/tariff_version.html", context)


def _version(tariff: Tariff, version_id: Any) -> TariffVersion | None:
    if version_id is None:
        return None
    version = tariff.versions.select_related("tariff").filter(pk=version_id).first()
    if version is None:
        raise Http404
    return version


def _latest(tariff: Tariff) -> TariffVersion | None:
    return tariff.versions.filter(superseded_at__isnull=True).order_by("effective").last()


def _copied(version: TariffVersion | None) -> list[ComponentFields]:
    """Begin with a version's own prices, or those of the one before it."""
    return fields_of(version.components.order_by("position")) if version else [new_fields(Kind.ENERGY)]


def _initial(version: TariffVersion | None) -> dict[str, Any]:
    return {"name": version.name, "notes": version.notes} if version else {}


def _saved(
    request: HttpRequest,
    tariff: Tariff,
    version: TariffVersion | None,
    form: VersionFields,
    sheet: Sequence[ComponentFields],
) -> TariffVersion:
    told, now, actor = form.cleaned_data, timezone.now(), actor_of(request)
    if version is not None:
        return revise_version(
            version_id=version.pk,
            components=components_of(sheet),
            because=told["because"],
            name=told["name"],
            notes=told["notes"],
            actor=actor,
            now=now,
        )
    return add_version(
        tariff_id=tariff.pk,
        name=told["name"],
        effective=DateRange(told["first"], told["after"]),
        components=components_of(sheet),
        notes=told["notes"],
        actor=actor,
        now=now,
    )


def _tried(tariff: Tariff, sheet: Sequence[ComponentFields], account_number: str) -> dict[str, Any]:
    """Return what the prices come to, or what is wrong with them."""
    try:
        sound = checked_components(components_of(sheet))
    except InvalidComponents as error:
        return {"trials": [], "problems": [str(error)] if not error.errors else _sentences(sheet, error)}
    components = [
        Component(id=uuid4(), kind=Kind(item.kind), name=item.name, terms=decode(item.kind, item.terms))
        for item in sound
    ]
    site = zone(settings.SITE_ZONE)
    found: list[Trial] = trials(
        tariff=tariff, components=components, site=site, account_number=account_number, now=timezone.now()
    )
    return {"trials": found, "problems": [], "account": account_number, "currency": tariff.currency}


def _sentences(sheet: Sequence[ComponentFields], error: InvalidComponents) -> list[str]:
    named = {index: component.name or component.kind_words for index, component in enumerate(sheet)}
    return [
        f"{named[item.index]}: {item.detail}" if item.index is not None and item.index in named else item.detail
        for item in error.errors
    ]
