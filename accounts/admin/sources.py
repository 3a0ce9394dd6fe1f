"""Data sources and their keys, for admins alone."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.admin.common import AdminsOnly, ServiceAdmin, actor_of, adopt, changed, each, is_admin
from accounts.models import DataSource, SourceKey
from accounts.roles import Scope
from accounts.selectors.sources import sources_with_keys
from accounts.services import sources
from energy_portal.shared.admin import AppendOnlyAdmin, HistoryAdmin, ReadOnlyInline, moment
from energy_portal.shared.errors import DomainError


class SourceForm(forms.ModelForm[DataSource]):
    """A machine, and what its keys open."""

    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = DataSource
        fields = ("name", "scopes", "label_convention", "zone", "may_create_devices", "messages_per_minute")


class SourceKeyInline(ReadOnlyInline):
    """The keys of a data source, by their first characters."""

    model = SourceKey
    fields = ("prefix", "made", "used", "state")
    readonly_fields = ("made", "used", "state")
    tab = False

    @display(description="Made")
    def made(self, key: SourceKey) -> str:
        return moment(key.created_at)

    @display(description="Last used")
    def used(self, key: SourceKey) -> str:
        return moment(key.last_used_at, missing="never")

    @display(description="State")
    def state(self, key: SourceKey) -> str:
        return key_state(key)


@admin.register(DataSource)
class DataSourceAdmin(AdminsOnly, ServiceAdmin, HistoryAdmin):
    """Data sources."""

    form = SourceForm
    list_display = ("name", "shown_scopes", "valid_keys", "last_used", "shown_state")
    search_fields = ("name",)
    ordering = ("name",)
    fields = (("name", "label_convention"), "scopes", ("zone", "messages_per_minute"), "may_create_devices")
    inlines = (SourceKeyInline,)
    actions = ("make_new_keys", "revoke")
    actions_submit_line = ("make_new_key",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DataSource]:
        return sources_with_keys()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return getattr(obj, "revoked_at", None) is None and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: DataSource, form: Any, change: bool) -> None:
        """Admit or change a data source by the service; a new one's key is shown once."""
        actor, now = actor_of(request), timezone.now()
        if not change:
            source, key = sources.create_source(**form.cleaned_data, actor=actor, now=now)
            adopt(obj, source)
            self._show(request, source, key)
        elif changes := changed(form):
            sources.change_source(source_id=obj.public_id, changes=changes, actor=actor, now=now)
        for button in self.get_actions_submit_line(request, obj.pk) if change else ():
            if button.action_name in request.POST:
                button.method(request, obj)

    @display(description="Opens")
    def shown_scopes(self, source: DataSource) -> str:
        return ", ".join(source.scopes)

    @display(description="Valid keys")
    def valid_keys(self, source: DataSource) -> int:
        return sum(key_state(key) not in {"revoked", "lapsed"} for key in source.keys.all())

    @display(description="Last used")
    def last_used(self, source: DataSource) -> str:
        used = [key.last_used_at for key in source.keys.all() if key.last_used_at is not None]
        return moment(max(used, default=None), missing="never")

    @display(description="State", label={"in use": "success", "revoked": "danger"})
    def shown_state(self, source: DataSource) -> str:
        return "in use" if source.revoked_at is None else "revoked"

    @action(description="Save and make a new key", permissions=["change"])
    def make_new_key(self, request: HttpRequest, obj: DataSource) -> None:
        """Make a key beside the one in use, and show it once."""
        self._rotate(request, obj)

    @admin.action(description="Make a new key for each", permissions=["change"])
    def make_new_keys(self, request: HttpRequest, chosen: QuerySet[DataSource]) -> None:
        """Make a key for each of the selected sources, and show it once."""
        for source in chosen:
            self._rotate(request, source)

    @admin.action(description="Revoke for good, with all keys", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[DataSource]) -> None:
        """Shut the selected sources out."""
        actor, now = actor_of(request), timezone.now()
        each(
            self,
            request,
            chosen,
            lambda source: sources.revoke_source(source_id=source.public_id, actor=actor, now=now),
            "{} revoked.",
        )

    def _rotate(self, request: HttpRequest, source: DataSource) -> None:
        try:
            key = sources.rotate_key(source_id=source.public_id, actor=actor_of(request), now=timezone.now())
        except DomainError as error:
            messages.error(request, str(error))
        else:
            self._show(request, source, key)

    def _show(self, request: HttpRequest, source: DataSource, key: str) -> None:
        messages.warning(request, f"The key of {source.name}, shown this once: {key}")


@admin.register(SourceKey)
class SourceKeyAdmin(AppendOnlyAdmin):
    """Keys across data sources, by their first characters."""

    list_display = ("prefix", "source", "made", "used", "state")
    list_select_related = ("source",)
    search_fields = ("prefix", "source__name")
    ordering = ("-created_at", "pk")
    fields = ("source", "prefix", "made", "used", "state")
    readonly_fields = fields
    actions = ("revoke",)

    made, used, state = SourceKeyInline.made, SourceKeyInline.used, SourceKeyInline.state

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[SourceKey]) -> None:
        """Shut the selected keys out at once."""
        actor, now = actor_of(request), timezone.now()
        each(
            self,
            request,
            chosen.select_related("source"),
            lambda key: sources.revoke_key(source_id=key.source.public_id, key_id=key.pk, actor=actor, now=now),
            "{} revoked.",
        )

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Tell whether somebody may shut keys out."""
        return is_admin(request)


def key_state(key: SourceKey) -> str:
    """Say in a word or two whether a key still opens anything."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "valid"
    return "lapsed" if key.expires_at <= timezone.now() else f"valid until {moment(key.expires_at)}"
