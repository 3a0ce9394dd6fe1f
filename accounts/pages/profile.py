"""Somebody's own page: how they are called, and how the pages look and speak to them."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.actors import Actor
from accounts.models import User
from accounts.pages.chosen import LoggedInRequest
from accounts.pages.preferences import zone_names
from accounts.roles import Role
from accounts.services import users
from energy_portal.shared.errors import DomainError


class ProfileForm(forms.Form):
    """What people may change of themselves."""

    name = forms.CharField(
        label=gettext_lazy("Your name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    phone = forms.CharField(
        label=gettext_lazy("Telephone"),
        max_length=32,
        required=False,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=[("", gettext_lazy("As the browser asks")), *User.Language.choices],
        required=False,
    )
    zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        required=False,
        help_text=gettext_lazy(
            "Of the instants that pages tell: alarms, readings, who has access since when. Days, months and half-hours "
            "of use follow the clock of the place, as its bills do."
        ),
    )
    theme = forms.ChoiceField(
        label=gettext_lazy("Colours"), choices=User.Theme.choices, widget=forms.RadioSelect(attrs={"class": "radios"})
    )

    def __init__(self, user: User, data: Any = None) -> None:
        kept = {name: getattr(user, name) for name in self.base_fields}
        super().__init__(data, initial=kept)
        if user.role == Role.CUSTOMER:
            zones: Any = self.fields["zone"]
            zones.choices = [("", _("As the place that a page is about")), *((name, name) for name in zone_names())]
        else:
            del self.fields["zone"]


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: LoggedInRequest) -> HttpResponse:
    """Show and change one's name, telephone number, language, zone and theme."""
    form = ProfileForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = users.change_profile(
                user_id=request.user.pk,
                changes=form.cleaned_data,
                actor=Actor(user=request.user),
                now=timezone.now(),
            )
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            # What is said about it is said in the language just chosen.
            with translation.override(user.language or request.LANGUAGE_CODE):
                messages.success(request, _("Your profile is kept."))
            return redirect("accounts:profile")
    return render(request, "accounts/profile.html", {"form": form}, status=422 if form.errors else 200)
