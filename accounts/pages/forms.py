"""What people fill in."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import AccountAccess, User
from accounts.models.customers import Right
from energy_portal.shared.clock import local_day

_NO_MATCH = gettext_lazy("This e-mail address and password do not match. Check both, or set a new password.")
_INSTANT = timedelta(microseconds=1)
_NEW_PASSWORD = {"autocomplete": "new-password"}


class LoginForm(AuthenticationForm):
    """Log in by e-mail address; what is wrong is never told apart."""

    username = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )

    error_messages = {  # noqa: RUF012
        "invalid_login": _NO_MATCH,
        "inactive": _NO_MATCH,
    }

    def clean_username(self) -> str:
        """Compare addresses without regard to case."""
        return str(self.cleaned_data["username"]).lower()


class ResetRequestForm(forms.Form):
    """Ask for a reset link."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class NewPasswordForm(forms.Form):
    """Choose a password, typed twice."""

    new_password1 = forms.CharField(
        label=gettext_lazy("New password"),
        strip=False,
        widget=forms.PasswordInput(attrs=_NEW_PASSWORD),
        help_text=gettext_lazy("At least 10 characters, not only digits, and not like your name or address."),
    )
    new_password2 = forms.CharField(
        label=gettext_lazy("The same again"), strip=False, widget=forms.PasswordInput(attrs=_NEW_PASSWORD)
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        """Check that both agree, and the portal's rules for passwords."""
        password, again = self.cleaned_data.get("new_password1"), self.cleaned_data.get("new_password2")
        if password and again and password != again:
            self.add_error("new_password2", _("The two passwords differ."))
        elif password and again:
            self._check_rules(password)
        return self.cleaned_data

    def _check_rules(self, password: str) -> None:
        try:
            password_validation.validate_password(password, self.user)
        except forms.ValidationError as error:
            self.add_error("new_password1", error)


class ChangePasswordForm(NewPasswordForm):
    """Choose another password, knowing the one in use."""

    old_password = forms.CharField(
        label=gettext_lazy("Password in use"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("old_password", "new_password1", "new_password2")

    def clean_old_password(self) -> str:
        """Check the password in use."""
        password = str(self.cleaned_data["old_password"])
        if not self.user.check_password(password):
            raise forms.ValidationError(_("This is not your password."), code="wrong_password")
        return password


class NewcomerForm(NewPasswordForm):
    """Accept an invitation as somebody new."""

    name = forms.CharField(
        label=gettext_lazy("Your name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    field_order = ("name", "new_password1", "new_password2")

    def clean_name(self) -> str:
        """Let the rules for passwords know the name."""
        self.user.name = str(self.cleaned_data["name"])
        return self.user.name


_RIGHTS = (
    (Right.VIEW, gettext_lazy("see use and bills")),
    (Right.ADMINISTER, gettext_lazy("see everything and administer the household")),
)


class _PeriodForm(forms.Form):
    """What somebody may do with an account, and until the end of which day of its clock."""

    right = forms.ChoiceField(label=gettext_lazy("They may"), choices=_RIGHTS)
    until = forms.DateField(
        label=gettext_lazy("Until the end of"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Leave it empty for access without an end."),
    )

    def __init__(self, zone: ZoneInfo, *args: Any, **kwargs: Any) -> None:
        self.zone = zone
        super().__init__(*args, **kwargs)

    def end(self) -> datetime | None:
        """Return the instant at which the access ends."""
        until = self.cleaned_data["until"]
        return local_day(until, self.zone).end if until else None


class InviteForm(_PeriodForm):
    """Offer access to an account."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    since = forms.DateField(
        label=gettext_lazy("From the start of"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Leave it empty for as soon as they accept."),
    )
    field_order = ("email", "right", "since", "until")

    def clean(self) -> dict[str, Any]:
        """Refuse an end before the start."""
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and until < since:
            self.add_error("until", _("The end lies before the start."))
        return self.cleaned_data

    def period(self) -> DateTimeTZRange:
        """Return the period that the dates mean on the account's clock."""
        since, now = self.cleaned_data["since"], timezone.now()
        return DateTimeTZRange(max(local_day(since, self.zone).start, now) if since else now, self.end(), "[)")


class ChangeAccessForm(_PeriodForm):
    """Give an access another right or end."""

    @classmethod
    def of(cls, access: AccountAccess, zone: ZoneInfo) -> "ChangeAccessForm":
        """Return it as an access stands; an end within a day is the end of that day."""
        end = access.valid.upper
        until = (end - _INSTANT).astimezone(zone).date() if end else None
        return cls(zone, initial={"right": access.right, "until": until}, auto_id=f"change_{access.pk}_%s")


class MemberForm(forms.Form):
    """Add somebody who lives on an account."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    relationship = forms.CharField(
        label=gettext_lazy("Relationship"),
        max_length=50,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("spouse, child, tenant …")}),
    )
