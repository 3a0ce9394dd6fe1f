"""What people fill in."""

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import timezone

from accounts.models import User
from accounts.models.customers import Right
from energy_portal.shared.clock import local_day

_NEW_PASSWORD = {"autocomplete": "new-password"}


class LoginForm(AuthenticationForm):
    """Log in by e-mail address; what is wrong is never told apart."""

    username = forms.EmailField(
        label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )

    error_messages = {  # noqa: RUF012
        "invalid_login": "This e-mail address and password do not match. Check both, or set a new password.",
        "inactive": "This e-mail address and password do not match. Check both, or set a new password.",
    }

    def clean_username(self) -> str:
        """Compare addresses without regard to case."""
        return str(self.cleaned_data["username"]).lower()


class ResetRequestForm(forms.Form):
    """Ask for a reset link."""

    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "email"}))


class NewPasswordForm(forms.Form):
    """Choose a password, typed twice."""

    new_password1 = forms.CharField(
        label="New password",
        strip=False,
        widget=forms.PasswordInput(attrs=_NEW_PASSWORD),
        help_text="At least 10 characters, not only digits, and not like your name or address.",
    )
    new_password2 = forms.CharField(
        label="The same again", strip=False, widget=forms.PasswordInput(attrs=_NEW_PASSWORD)
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        """Check that both agree, and the portal's rules for passwords."""
        password, again = self.cleaned_data.get("new_password1"), self.cleaned_data.get("new_password2")
        if password and again and password != again:
            self.add_error("new_password2", "The two passwords differ.")
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
        label="Password in use", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    field_order = ("old_password", "new_password1", "new_password2")

    def clean_old_password(self) -> str:
        """Check the password in use."""
        password = str(self.cleaned_data["old_password"])
        if not self.user.check_password(password):
            raise forms.ValidationError("This is not your password.", code="wrong_password")
        return password


class NewcomerForm(NewPasswordForm):
    """Accept an invitation as somebody new."""

    name = forms.CharField(label="Your name", max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ("name", "new_password1", "new_password2")

    def clean_name(self) -> str:
        """Let the rules for passwords know the name."""
        self.user.name = str(self.cleaned_data["name"])
        return self.user.name


class InviteForm(forms.Form):
    """Offer access to an account."""

    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    right = forms.ChoiceField(
        label="They may",
        choices=((Right.VIEW, "see use and bills"), (Right.ADMINISTER, "see everything and administer the household")),
    )
    until = forms.DateField(
        label="Until the end of",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Leave it empty for access without an end.",
    )

    def __init__(self, zone: ZoneInfo, *args: Any, **kwargs: Any) -> None:
        self.zone = zone
        super().__init__(*args, **kwargs)

    def period(self) -> DateTimeTZRange:
        """Return the period that the dates mean on the account's clock."""
        until = self.cleaned_data["until"]
        return DateTimeTZRange(timezone.now(), local_day(until, self.zone).end if until else None, "[)")


class MemberForm(forms.Form):
    """Add somebody who lives on an account."""

    name = forms.CharField(label="Name", max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    relationship = forms.CharField(
        label="Relationship", max_length=50, widget=forms.TextInput(attrs={"placeholder": "spouse, child, tenant …"})
    )
