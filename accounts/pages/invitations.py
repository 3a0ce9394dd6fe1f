"""Accepting an invitation: as somebody new, or as somebody who has a login."""

from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.models import Invitation, User
from accounts.pages.chosen import SESSION_KEY
from accounts.pages.forms import NewcomerForm
from accounts.selectors.access import has_login, open_invitation
from accounts.services.access import accept_invitation
from energy_portal.shared.errors import DomainError

_BACKEND = "django.contrib.auth.backends.ModelBackend"


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show what an invitation offers, and take it up."""
    offer = open_invitation(token=token, now=timezone.now())
    if offer is None:
        return render(request, "accounts/invitation_closed.html", status=404)
    if isinstance(request.user, User):
        return _as_member(request, offer, request.user, token)
    if has_login(email=offer.email):
        return render(
            request, "accounts/invitation.html", {"invitation": offer, "now": timezone.now(), "must_log_in": True}
        )
    return _as_newcomer(request, offer, token)


def _as_member(request: HttpRequest, offer: Invitation, user: User, token: str) -> HttpResponse:
    if user.email.lower() != offer.email.lower():
        return render(
            request, "accounts/invitation.html", {"invitation": offer, "now": timezone.now(), "other_login": True}
        )
    if request.method == "POST":
        try:
            accept_invitation(token=token, user=user, now=timezone.now())
        except DomainError as error:
            context = {"invitation": offer, "now": timezone.now(), "refusal": str(error)}
            return render(request, "accounts/invitation.html", context, status=error.status)
        return _welcome(request, offer)
    return render(request, "accounts/invitation.html", {"invitation": offer, "now": timezone.now()})


def _as_newcomer(request: HttpRequest, offer: Invitation, token: str) -> HttpResponse:
    form = NewcomerForm(User(email=offer.email), request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            access = accept_invitation(
                token=token,
                name=form.cleaned_data["name"],
                password=form.cleaned_data["new_password1"],
                now=timezone.now(),
            )
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            login(request, access.user, backend=_BACKEND)
            return _welcome(request, offer)
    context = {"invitation": offer, "now": timezone.now(), "form": form}
    return render(request, "accounts/invitation.html", context, status=422 if form.errors else 200)


def _welcome(request: HttpRequest, offer: Invitation) -> HttpResponse:
    request.session[SESSION_KEY] = str(offer.account_id)
    messages.success(request, _("You now have access to account %(number)s.") % {"number": offer.account.number})
    return redirect("billing:landing")
