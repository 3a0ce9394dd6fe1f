"""Who may see or administer which account, and who is invited to."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from accounts.admin.common import PeriodForm, ServiceAdmin, Since, actor_of, adopt, each
from accounts.admin.customers import invitation_state
from accounts.models import AccountAccess, Invitation
from accounts.roles import Role
from accounts.services import access
from energy_portal.shared.admin import PortalAdmin, moment


class GrantForm(PeriodForm):
    """Access for a login that exists."""

    class Meta:
        model = AccountAccess
        fields = ("account", "user", "right")

    def clean(self) -> dict[str, Any]:
        """Refuse what the service would: staff, and a second access at a time."""
        cleaned = super().clean()
        user, account = cleaned.get("user"), cleaned.get("account")
        if user is not None and user.role != Role.CUSTOMER:
            self.add_error("user", "Access is for customers; people who work here use the admin.")
        if user and account and not self.errors:
            taken = AccountAccess.objects.filter(account=account, user=user, valid__overlap=self.period())
            if taken.exists():
                raise ValidationError("This login has access to the account in that period.")
        return cleaned


class InviteForm(PeriodForm):
    """An offer of access by e-mail."""

    class Meta:
        model = Invitation
        fields = ("account", "email", "right")

    def clean(self) -> dict[str, Any]:
        """Refuse a second open invitation for an address."""
        cleaned = super().clean()
        email, account = cleaned.get("email"), cleaned.get("account")
        if email and account:
            now = timezone.now()
            if account.invitations.open_at(now).filter(email__iexact=email).exists():
                self.add_error("email", "This address is invited already.")
            elif account.accesses.open_at(now).filter(user__email__iexact=email).exists():
                self.add_error("email", "This address has access already.")
        return cleaned


class _MadeOnce(ServiceAdmin):
    """Rows that are made here, then only ended."""

    add_fields: tuple[Any, ...] = ()
    shown_fields: tuple[Any, ...] = ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        return self.add_fields if obj is None else self.shown_fields


@admin.register(AccountAccess)
class AccountAccessAdmin(Since, _MadeOnce, PortalAdmin):
    """Accesses to accounts."""

    form: type[forms.ModelForm[Any]] = GrantForm
    list_display = ("user", "account", "right", "start", "end")
    list_select_related = ("user", "account")
    list_filter = ("right",)
    search_fields = ("user__email", "user__name", "account__number", "account__owner_name")
    search_help_text = "Login or account"
    ordering = ("-created_at", "pk")
    autocomplete_fields = ("account",)
    raw_id_fields = ("user",)
    add_fields = ("account", "user", "right", "starts", "ends")
    shown_fields = ("account", "user", "right", "start", "end", "created_at")
    actions = ("end_now",)

    def save_model(self, request: HttpRequest, obj: AccountAccess, form: Any, change: bool) -> None:
        """Grant an access by the service."""
        given = {name: form.cleaned_data[name] for name in ("account", "user", "right")}
        adopt(
            obj,
            access.grant_access(**given, valid=form.period(), actor=actor_of(request), now=timezone.now()),
        )

    @admin.action(description="End now", permissions=["change"])
    def end_now(self, request: HttpRequest, accesses: QuerySet[AccountAccess]) -> None:
        """End the selected accesses."""
        actor, now = actor_of(request), timezone.now()
        each(
            self, request, accesses, lambda row: access.end_access(access_id=row.pk, actor=actor, now=now), "{} ended."
        )


@admin.register(Invitation)
class InvitationAdmin(Since, _MadeOnce, PortalAdmin):
    """Invitations to accounts."""

    form: type[forms.ModelForm[Any]] = InviteForm
    list_display = ("email", "account", "right", "sent", "state")
    list_select_related = ("account",)
    list_filter = ("right",)
    search_fields = ("email", "account__number", "account__owner_name")
    search_help_text = "E-mail address or account"
    ordering = ("-created_at", "pk")
    autocomplete_fields = ("account",)
    add_fields = ("account", "email", "right", "starts", "ends")
    shown_fields = ("account", "email", "right", "start", "end", "invited_by", "sent", "state")
    actions = ("send_again", "take_back")

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        """Invite somebody by the service."""
        offered = {name: form.cleaned_data[name] for name in ("email", "right")}
        account = form.cleaned_data["account"]
        actor, now = actor_of(request), timezone.now()
        adopt(obj, access.invite(account_id=account.pk, **offered, valid=form.period(), actor=actor, now=now))

    @display(description="Sent", ordering="created_at")
    def sent(self, invitation: Invitation) -> str:
        return moment(invitation.created_at)

    @display(description="State")
    def state(self, invitation: Invitation) -> str:
        return invitation_state(invitation)

    @admin.action(description="Send again, with a new link", permissions=["change"])
    def send_again(self, request: HttpRequest, invitations: QuerySet[Invitation]) -> None:
        """Mail the selected invitations once more."""
        self._each(request, invitations, access.send_again, "{} on their way.")

    @admin.action(description="Take back", permissions=["change"])
    def take_back(self, request: HttpRequest, invitations: QuerySet[Invitation]) -> None:
        """Close the selected invitations."""
        self._each(request, invitations, access.revoke_invitation, "{} taken back.")

    def _each(self, request: HttpRequest, invitations: QuerySet[Invitation], deed: Any, done: str) -> None:
        actor, now = actor_of(request), timezone.now()
        each(self, request, invitations, lambda row: deed(invitation_id=row.pk, actor=actor, now=now), done)
