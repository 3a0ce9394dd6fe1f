"""Logging in and out, and passwords."""

import time
from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import INTERNAL_RESET_SESSION_TOKEN
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.actors import Actor
from accounts.models import User
from accounts.pages.chosen import LoggedInRequest
from accounts.pages.forms import ChangePasswordForm, LoginForm, NewPasswordForm, ResetRequestForm
from accounts.services import users
from accounts.services.mail import request_password_reset
from energy_portal.shared.callers import client_address
from energy_portal.shared.rates import Rate, take

_RESETS_AN_ADDRESS = Rate(3, 3_600)
_RESETS_A_CLIENT = Rate(20, 3_600)


class LoginView(auth_views.LoginView):
    """Log in, and go on to where one was heading if that is on this site."""

    authentication_form = LoginForm
    template_name = "accounts/login.html"
    redirect_authenticated_user = True


logout = auth_views.LogoutView.as_view()


@never_cache
@login_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password_change(request: LoggedInRequest) -> HttpResponse:
    """Change one's password; every other session and token ends."""
    form = ChangePasswordForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = users.change_password(
            user_id=request.user.pk,
            password=form.cleaned_data["new_password1"],
            actor=Actor(user=request.user),
            now=timezone.now(),
        )
        update_session_auth_hash(request, user)
        messages.success(request, _("Your password is changed. Other devices must log in again."))
        return redirect("billing:landing")
    return render(request, "accounts/password_change.html", {"form": form}, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def password_reset(request: HttpRequest) -> HttpResponse:
    """Have a reset link mailed; the answer is the same whether or not the address has a login."""
    form = ResetRequestForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"].lower()
        if _may_ask(request, email):
            request_password_reset(email=email)
        return redirect("accounts:password_reset_done")
    return render(request, "accounts/password_reset.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD"])
def password_reset_done(request: HttpRequest) -> HttpResponse:
    """Say that a mail is on its way, if the address has a login."""
    return render(request, "accounts/password_reset_done.html")


class PasswordResetConfirmView(auth_views.PasswordResetConfirmView):
    """Set a new password by the link of a mail."""

    form_class: Any = NewPasswordForm
    template_name = "accounts/password_reset_confirm.html"
    success_url = reverse_lazy("accounts:login")

    def form_valid(self, form: Any) -> HttpResponse:
        """Store the password; the link works no more."""
        user: User = form.user
        users.change_password(
            user_id=user.pk,
            password=form.cleaned_data["new_password1"],
            actor=Actor(user=user),
            now=timezone.now(),
        )
        del self.request.session[INTERNAL_RESET_SESSION_TOKEN]
        messages.success(self.request, _("Your password is set. Log in with it."))
        return redirect(str(self.success_url))


def _may_ask(request: HttpRequest, email: str) -> bool:
    now = time.time()
    return not (
        take(f"reset:client:{client_address(request)}", _RESETS_A_CLIENT, now=now)
        or take(f"reset:address:{email}", _RESETS_AN_ADDRESS, now=now)
    )
