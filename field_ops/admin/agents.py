"""Agents, with their shifts and the phones that they work on."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import ServiceAdmin, actor_of, adopt, changed, each
from accounts.models import User
from accounts.roles import Role
from energy_portal.shared.admin import AppendOnlyAdmin, PortalAdmin, moment
from field_ops.admin.agents_map import AgentsMapPage
from field_ops.admin.common import person
from field_ops.models import Agent, Phone, Shift
from field_ops.services import agents as services
from field_ops.services.phones import revoke_phone
from meters.admin.common import DecidedOnly, Question, RelatedInline, VisibleRows, ask_then, change_url, instant_column
from meters.models import Region

_STATUS_COLOURS = {
    Agent.Status.AVAILABLE: "success",
    Agent.Status.BUSY: "info",
    Agent.Status.ON_BREAK: "warning",
    Agent.Status.OFFLINE: "info",
}
_SETTINGS = ("region", "location_id", "max_load")
_LOST = "They open nothing any more and wipe themselves; every login of the agent ends. Work not yet sent is lost."


class AgentForm(forms.ModelForm[Agent]):
    """A login with the role of an agent, and what they look after."""

    class Meta:
        model = Agent
        fields = ("user", *_SETTINGS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user" in self.fields:
            free = User.objects.filter(role=Role.AGENT, status=User.Status.ACTIVE, agent=None)
            self.fields["user"].queryset = free.order_by("name")  # type: ignore[attr-defined]
            self.fields["user"].help_text = "Logins with the role agent that are none yet."


class PhoneInline(RelatedInline):
    """The phones of an agent."""

    model = Phone
    fields = readonly_fields = ("name", "created", "seen", "revoked")
    ordering = ("-seen_at",)
    created = instant_column("created_at", "Since")
    seen = instant_column("seen_at", "Last seen")
    revoked = instant_column("revoked_at", "Revoked")


@admin.register(Agent)
class AgentAdmin(AgentsMapPage, VisibleRows, ServiceAdmin, PortalAdmin):
    """People who read meters in the street."""

    form = AgentForm
    list_display = ("user", "region", "shown_status", "load", "located", "phones_in_use")
    list_filter = ("status", "region")
    search_fields = ("user__name", "user__email", "location_id")
    search_help_text = "Name, e-mail address or code of where they start"
    ordering = ("user__name", "id")
    located = instant_column("located_at", "Last position")
    created = instant_column("created_at", "Agent since")
    readonly_fields = ("status", "load", "located", "created")
    fieldsets = (
        (None, {"fields": ("user", ("region", "location_id"), "max_load")}),
        ("Now", {"fields": (("status", "load"), ("located", "created"))}),
    )
    inlines = (PhoneInline,)
    actions = ("revoke_all",)
    actions_detail = ("revoke_phones",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user", "region").prefetch_related("phones")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the regions that the person looks after."""
        if db_field.name == "region":
            kwargs["queryset"] = Region.objects.visible_to(person(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj is not None else self.fieldsets[:1]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else ("user", *self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        """Make or change an agent by the service."""
        actor, now = actor_of(request), timezone.now()
        if change:
            changes = changed(form)
            if "region" in changes:
                region = changes.pop("region")
                changes["region_id"] = None if region is None else region.pk
            adopt(obj, services.change_agent(agent_id=obj.pk, changes=changes, actor=actor, now=now))
            return
        given, region = form.cleaned_data, form.cleaned_data["region"]
        made = services.create_agent(
            user_id=given["user"].pk,
            region_id=None if region is None else region.pk,
            max_load=given["max_load"],
            location_id=given["location_id"],
            actor=actor,
            now=now,
        )
        adopt(obj, made)

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def shown_status(self, agent: Agent) -> tuple[str, str]:
        return agent.status, agent.get_status_display()

    @display(description="Load", ordering="current_load")
    def load(self, agent: Agent) -> str:
        return f"{agent.current_load} of {agent.max_load}"

    @display(description="Phones in use")
    def phones_in_use(self, agent: Agent) -> int:
        return sum(phone.revoked_at is None for phone in agent.phones.all())

    @admin.action(description="Phone lost: revoke the phones", permissions=["change"])
    def revoke_all(self, request: HttpRequest, agents: QuerySet[Agent]) -> None:
        """Revoke every phone of the selected agents."""
        revoked = sum(_revoke_phones_of(request, agent) for agent in agents)
        self.message_user(request, f"{revoked} phones revoked.", messages.SUCCESS)

    @action(description="Phone lost", url_path="revoke-phones", permissions=["change"], icon="phonelink_off")
    def revoke_phones(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then revoke every phone of the agent."""
        agent = get_object_or_404(self.get_queryset(request), pk=object_id)

        def act(form: forms.Form) -> str:
            return f"{_revoke_phones_of(request, agent)} phones of {agent} revoked."

        return ask_then(
            self,
            request,
            Question(
                title=f"Revoke the phones of {agent}",
                intro=f"{self.phones_in_use(agent)} in use. {_LOST}",
                submit="Revoke",
                back=change_url(Agent, agent.pk),
            ),
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=act,
        )


def _revoke_phones_of(request: HttpRequest, agent: Agent) -> int:
    standing = [phone.pk for phone in agent.phones.all() if phone.revoked_at is None]
    for phone_id in standing:
        revoke_phone(phone_id=phone_id, actor=actor_of(request), now=timezone.now())
    return len(standing)


@admin.register(Phone)
class PhoneAdmin(DecidedOnly, VisibleRows, AppendOnlyAdmin):
    """Browsers that agents work on."""

    list_display = ("agent", "name", "created", "seen", "shown_state")
    list_select_related = ("agent__user",)
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "agent__region")
    search_fields = ("agent__user__name", "name")
    search_help_text = "Agent, or what the browser calls itself"
    created = instant_column("created_at", "Since")
    seen = instant_column("seen_at", "Last seen")
    fields = (("agent", "name"), ("created", "seen"), "revoked")
    revoked = instant_column("revoked_at", "Revoked")
    actions = ("revoke",)

    @display(description="State", label={"revoked": "warning", "in use": "success"})
    def shown_state(self, phone: Phone) -> tuple[str, str]:
        if phone.revoked_at is None:
            return "in use", "in use"
        return "revoked", f"revoked {moment(phone.revoked_at)}"

    @admin.action(description="Lost: revoke", permissions=["decide"])
    def revoke(self, request: HttpRequest, phones: QuerySet[Phone]) -> None:
        """Revoke the selected phones, which ends every login of their agents."""
        actor, now = actor_of(request), timezone.now()
        standing = phones.filter(revoked_at=None)
        each(self, request, standing, lambda row: revoke_phone(phone_id=row.pk, actor=actor, now=now), "{} revoked.")


@admin.register(Shift)
class ShiftAdmin(VisibleRows, AppendOnlyAdmin):
    """When agents worked."""

    list_display = ("agent", "started", "ended", "length")
    list_select_related = ("agent__user",)
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "agent__region")
    search_fields = ("agent__user__name",)
    started = instant_column("started_at", "Started")
    ended = instant_column("ended_at", "Ended")
    fields = ("agent", ("started", "ended"), "length")

    @display(description="Length")
    def length(self, shift: Shift) -> str:
        minutes = ((shift.ended_at or timezone.now()) - shift.started_at).total_seconds() // 60
        return f"{minutes // 60:.0f} h {minutes % 60:02.0f} min{'' if shift.ended_at else ', still on'}"
