"""What the admin pages of accounts share."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import InlineModelAdmin
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from accounts.actors import Actor
from accounts.models import User
from accounts.roles import Role
from energy_portal.shared.admin import moment
from energy_portal.shared.errors import DomainError


class ServiceAdmin(ModelAdmin[Any]):
    """Rows that services write: what they refuse is told above the form. Rows end or are closed, but stay."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show or save a form; what a service refuses leaves nothing behind."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as error:
            messages.error(request, str(error))
            return redirect(request.get_full_path())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AdminsOnly(ModelAdmin[Any]):
    """Pages for admins by role; no extra right opens them to anybody else."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_admin(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_admin(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_admin(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_admin(request)


class PeriodForm(forms.ModelForm[Any]):
    """A range of time as two moments."""

    starts = forms.SplitDateTimeField(
        required=False, widget=UnfoldAdminSplitDateTimeWidget, help_text="Empty: at once."
    )
    ends = forms.SplitDateTimeField(required=False, widget=UnfoldAdminSplitDateTimeWidget, help_text="Empty: no end.")

    def clean(self) -> dict[str, Any]:
        """Check the order of the two."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        starts, ends = cleaned.get("starts"), cleaned.get("ends")
        if ends and ends <= (starts or timezone.now()):
            self.add_error("ends", "It must end after it starts, and not in the past.")
        return cleaned

    def period(self) -> DateTimeTZRange:
        """Return the range."""
        return DateTimeTZRange(self.cleaned_data["starts"] or timezone.now(), self.cleaned_data["ends"], "[)")


class Since:
    """Columns for a range of time that may have no end."""

    def start(self, row: Any) -> str:
        return moment(row.valid.lower, missing="at once")

    def end(self, row: Any) -> str:
        return moment(row.valid.upper, missing="no end")


def actor_of(request: HttpRequest) -> Actor:
    """Return the person behind an admin request."""
    return Actor(user=cast("User", request.user))


def is_admin(request: HttpRequest) -> bool:
    """Tell whether the person behind a request is an admin by role."""
    return isinstance(request.user, User) and request.user.is_active and request.user.role == Role.ADMIN


def changed(form: forms.ModelForm[Any]) -> dict[str, Any]:
    """Return what a form changes, by name."""
    return {name: form.cleaned_data[name] for name in form.changed_data if name in form.cleaned_data}


def adopt(obj: Model, made: Model) -> None:
    """Let the object of an admin form stand for the row that a service made of it."""
    obj.__dict__.update(made.__dict__)


def each(
    page: ModelAdmin[Any] | InlineModelAdmin[Any, Any],
    request: HttpRequest,
    rows: QuerySet[Any],
    deed: Callable[[Any], object],
    done: str,
) -> None:
    """Do something to each selected row; what is refused is told, and the others go on.

    :param done: the sentence at the end, with ``{}`` for the number.
    """
    count = 0
    for row in list(rows):
        try:
            deed(row)
        except DomainError as error:
            messages.warning(request, f"{row}: {error}")
        else:
            count += 1
    if count:
        messages.success(request, done.format(count))
