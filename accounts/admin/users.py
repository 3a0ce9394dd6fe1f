"""People's logins, for admins alone."""

from copy import copy
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.actors import Actor
from accounts.admin.common import AdminsOnly, ServiceAdmin, actor_of, adopt, changed, each
from accounts.models import User
from accounts.services import users
from accounts.services.mail import request_password_reset
from energy_portal.shared.admin import PortalAdmin

_STATUS_COLOURS = {
    User.Status.ACTIVE: "success",
    User.Status.INACTIVE: "warning",
    User.Status.SUSPENDED: "danger",
}


class _EmailField(forms.EmailField):
    """An address that no other login has, in whatever case it is written."""

    def clean(self, value: Any) -> str:
        return str(super().clean(value)).strip().lower()


class NewUserForm(forms.ModelForm[User]):
    """A new login; its owner chooses the password by the link of a mail."""

    email = _EmailField(widget=UnfoldAdminEmailInputWidget)

    class Meta:
        model = User
        fields = ("email", "name", "role", "phone", "department", "region")
        widgets = {"name": UnfoldAdminTextInputWidget}  # noqa: RUF012


class ChangeUserForm(UserChangeForm):  # type: ignore[misc]
    """An existing login."""

    email = _EmailField(widget=UnfoldAdminEmailInputWidget)

    class Meta:
        model = User
        fields = "__all__"
        widgets = {"permissions": UnfoldAdminTextareaWidget(attrs={"rows": 2})}  # noqa: RUF012


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[misc]
    """A password that an admin chooses for somebody, set by the service."""

    user: User

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        self.actor = actor
        super().__init__(*args, **kwargs)
        self.fields.pop("usable_password", None)

    def save(self, commit: bool = True) -> User:
        """Set the password; sessions and tokens made under the old one end."""
        password = self.cleaned_data["password1"]
        self.user = users.change_password(user_id=self.user.pk, password=password, actor=self.actor, now=timezone.now())
        return self.user


@admin.register(User)
class UserAdmin(AdminsOnly, ServiceAdmin, BaseUserAdmin[User], PortalAdmin):
    """Users: their role and rights are an admin's to give, their end is suspension."""

    form = ChangeUserForm
    add_form = NewUserForm
    list_display = ("name", "email", "shown_role", "shown_status", "last_login")
    list_filter = ("role", "status")
    search_fields = ("email", "name", "phone")
    search_help_text = "E-mail address, name or telephone number"
    ordering = ("email",)
    filter_horizontal = ()
    readonly_fields = ("status", "last_login", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": (("email", "name"), "password", ("role", "status"))}),
        ("Where and how", {"fields": ("phone", ("department", "region"))}),
        ("More", {"fields": ("permissions", ("last_login", "created_at", "updated_at")), "classes": ("collapse",)}),
    )
    add_fieldsets = ((None, {"fields": (("email", "name"), "role", "phone", ("department", "region"))}),)
    actions = ("suspend", "reinstate", "end_logins", "unlock", "mail_reset")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        own = obj is not None and obj.pk == request.user.pk
        return (*self.readonly_fields, "role", "permissions") if own else self.readonly_fields

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Set somebody's password, in the name of whoever asks."""
        page = copy(self)
        page.change_password_form = partial(PasswordForm, actor_of(request))
        return super(UserAdmin, page).user_change_password(request, id, form_url)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Make or change a login, or set its password, by the service."""
        actor, now = actor_of(request), timezone.now()
        if not change:
            extra = {name: form.cleaned_data[name] for name in ("phone", "department", "region")}
            made = users.create_user(
                **{name: form.cleaned_data[name] for name in ("email", "name", "role")}, actor=actor, now=now
            )
            users.change_user(user_id=made.pk, changes=extra, actor=actor, now=now)
            adopt(obj, made)
            request_password_reset(email=made.email)
            messages.info(request, f"{made.email} gets a mail to set a password.")
        elif changes := changed(form):
            users.change_user(user_id=obj.pk, changes=changes, actor=actor, now=now)

    @display(description="Role", ordering="role", label=True)
    def shown_role(self, user: User) -> str:
        return user.get_role_display()

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def shown_status(self, user: User) -> tuple[str, str]:
        return user.status, user.get_status_display()

    @admin.action(description="Suspend: shut out at once", permissions=["change"])
    def suspend(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Shut people out, with their sessions and tokens."""
        self._each(request, people, users.suspend_user, "{} suspended.")

    @admin.action(description="Let in again", permissions=["change"])
    def reinstate(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Let suspended people log in again."""
        self._each(request, people, users.reinstate_user, "{} may log in again.")

    @admin.action(description="End sessions and tokens", permissions=["change"])
    def end_logins(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Make people log in again."""
        self._each(request, people, users.end_logins, "{} must log in again.")

    @admin.action(description="Unlock after too many failed logins", permissions=["change"])
    def unlock(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Forget people's failed logins."""
        self._each(request, people, users.unlock_login, "{} unlocked.")

    @admin.action(description="Mail a link to set a password", permissions=["change"])
    def mail_reset(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Mail people the link by which they set a new password."""
        each(self, request, people, lambda user: request_password_reset(email=user.email), "{} mails on their way.")

    def _each(self, request: HttpRequest, people: QuerySet[User], deed: Any, done: str) -> None:
        actor, now = actor_of(request), timezone.now()
        each(self, request, people, lambda user: deed(user_id=user.pk, actor=actor, now=now), done)
