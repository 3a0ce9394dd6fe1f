"""Customer accounts with everybody who belongs to them, and the places that are supplied."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import TabularInline
from unfold.decorators import display

from accounts.admin.common import ServiceAdmin, Since, actor_of, adopt, changed
from accounts.models import AccountAccess, CustomerAccount, FamilyMember, Invitation, Premises
from accounts.services import customers
from energy_portal.shared.admin import AppendOnlyAdmin, HistoryAdmin, PortalAdmin, ReadOnlyInline, moment

_STATUS_COLOURS = {
    CustomerAccount.Status.PENDING: "info",
    CustomerAccount.Status.ACTIVE: "success",
    CustomerAccount.Status.CLOSED: "warning",
}


class FamilyMemberInline(TabularInline):  # type: ignore[misc]
    """Who lives on an account."""

    model = FamilyMember
    fields = ("name", "relationship")
    extra = 0
    tab = True


class AccessInline(Since, ReadOnlyInline):
    """Who may see or administer an account; changed on the access's own page."""

    model = AccountAccess
    fields = ("user", "right", "start", "end")
    readonly_fields = ("start", "end")
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user")


class InvitationInline(ReadOnlyInline):
    """Who was invited to an account."""

    model = Invitation
    fields = ("email", "right", "sent", "state")
    readonly_fields = ("sent", "state")
    show_change_link = True

    @display(description="Sent")
    def sent(self, invitation: Invitation) -> str:
        return moment(invitation.created_at)

    @display(description="State")
    def state(self, invitation: Invitation) -> str:
        return invitation_state(invitation)


@admin.register(CustomerAccount)
class CustomerAccountAdmin(ServiceAdmin, HistoryAdmin):
    """Customer accounts."""

    list_display = ("number", "owner_name", "email", "address", "shown_status")
    list_filter = ("status",)
    search_fields = ("number", "owner_name", "email", "address")
    search_help_text = "Number, owner, e-mail or address"
    ordering = ("number",)
    readonly_fields = ("created_at", "updated_at")
    fieldsets = (
        (None, {"fields": (("number", "status"), ("owner_name", "email"), "address", "zone")}),
        ("More", {"fields": (("created_at", "updated_at"),), "classes": ("collapse",)}),
    )
    inlines = (FamilyMemberInline, AccessInline, InvitationInline)

    def save_model(self, request: HttpRequest, obj: CustomerAccount, form: Any, change: bool) -> None:
        """Open or change an account by the service."""
        actor, now = actor_of(request), timezone.now()
        if not change:
            adopt(obj, customers.create_account(**form.cleaned_data, actor=actor, now=now))
        elif changes := changed(form):
            adopt(obj, customers.change_account(account_id=obj.pk, changes=changes, actor=actor, now=now))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Add, correct and take off family members by the services; the other inlines are read-only."""
        members = formset.save(commit=False)
        whose = {"account_id": form.instance.pk, "actor": actor_of(request), "now": timezone.now()}
        for member in formset.deleted_objects:
            customers.remove_family_member(member_id=member.pk, **whose)
        for member in members:
            said = {"name": member.name, "relationship": member.relationship}
            if member._state.adding:
                customers.add_family_member(**said, **whose)
            else:
                customers.change_family_member(member_id=member.pk, **said, **whose)

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def shown_status(self, account: CustomerAccount) -> tuple[str, str]:
        return account.status, account.get_status_display()


@admin.register(FamilyMember)
class FamilyMemberAdmin(AppendOnlyAdmin):
    """Family members across accounts; they are changed on their account."""

    list_display = ("name", "relationship", "account")
    list_select_related = ("account",)
    search_fields = ("name", "account__number", "account__owner_name")
    ordering = ("name", "pk")


class PremisesForm(forms.ModelForm[Premises]):
    """A place; coordinates come in pairs."""

    class Meta:
        model = Premises
        fields = ("address", "location_id", "zone", "latitude", "longitude")

    def clean(self) -> dict[str, Any]:
        """Refuse half a position."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if (cleaned.get("latitude") is None) != (cleaned.get("longitude") is None):
            self.add_error("longitude", "A position is a latitude and a longitude.")
        return cleaned


@admin.register(Premises)
class PremisesAdmin(ServiceAdmin, PortalAdmin):
    """Places that are supplied."""

    form = PremisesForm
    list_display = ("address", "location_id", "zone")
    search_fields = ("address", "location_id")
    search_help_text = "Address or location code"
    ordering = ("address", "pk")
    fields = ("address", ("location_id", "zone"), ("latitude", "longitude"))

    def save_model(self, request: HttpRequest, obj: Premises, form: Any, change: bool) -> None:
        """Note or change a place by the service."""
        actor, now = actor_of(request), timezone.now()
        if not change:
            adopt(obj, customers.create_premises(**form.cleaned_data, actor=actor, now=now))
        elif changes := changed(form):
            customers.change_premises(premises_id=obj.pk, changes=changes, actor=actor, now=now)


def invitation_state(invitation: Invitation) -> str:
    """Say in a word or two what became of an invitation."""
    if invitation.accepted_at is not None:
        return f"accepted {moment(invitation.accepted_at)}"
    if invitation.revoked_at is not None:
        return f"taken back {moment(invitation.revoked_at)}"
    return "lapsed" if invitation.expires_at <= timezone.now() else f"open until {moment(invitation.expires_at)}"
