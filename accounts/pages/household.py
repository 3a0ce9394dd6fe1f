"""The household: who lives there, who has access, and who is invited to."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.pages.chosen import Chosen, LoggedInRequest, customer_page
from accounts.pages.forms import InviteForm, MemberForm
from accounts.selectors.access import administers
from accounts.selectors.access import household as household_of
from accounts.services import access, customers
from energy_portal.shared.clock import zone
from energy_portal.shared.errors import DomainError, Forbidden, NotFound


@require_safe
@customer_page
def household(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Show everybody who belongs to the account."""
    return _page(request, chosen)


@require_POST
@customer_page
def invite(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Invite somebody by e-mail."""
    form = InviteForm(zone(chosen.account.zone), request.POST, auto_id="invite_%s")
    if form.is_valid():
        try:
            access.invite(
                account_id=chosen.account.pk,
                email=form.cleaned_data["email"],
                right=form.cleaned_data["right"],
                valid=form.period(),
                actor=Actor(user=request.user),
                now=timezone.now(),
            )
        except Forbidden as error:
            raise PermissionDenied from error
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"An invitation is on its way to {form.cleaned_data['email']}.")
            return redirect("accounts:household")
    return _page(request, chosen, invite_form=form)


@require_POST
@customer_page
def add_member(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Add somebody who lives on the account."""
    _require_administrator(request, chosen)
    form = MemberForm(request.POST, auto_id="member_%s")
    if form.is_valid():
        try:
            customers.add_family_member(
                account_id=chosen.account.pk,
                **form.cleaned_data,
                actor=Actor(user=request.user),
                now=timezone.now(),
            )
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{form.cleaned_data['name']} is added.")
            return redirect("accounts:household")
    return _page(request, chosen, member_form=form)


@require_POST
@customer_page
def remove_member(request: LoggedInRequest, chosen: Chosen, member_id: UUID) -> HttpResponse:
    """Take somebody off the account."""
    _require_administrator(request, chosen)
    return _carry_out(
        request,
        customers.remove_family_member,
        "They are taken off the account.",
        account_id=chosen.account.pk,
        member_id=member_id,
    )


@require_POST
@customer_page
def end_access(request: LoggedInRequest, chosen: Chosen, access_id: UUID) -> HttpResponse:
    """End somebody's access, or one's own."""
    if not chosen.account.accesses.filter(pk=access_id).exists():
        raise Http404
    return _carry_out(request, access.end_access, "That access is ended.", access_id=access_id)


@require_POST
@customer_page
def revoke_invitation(request: LoggedInRequest, chosen: Chosen, invitation_id: UUID) -> HttpResponse:
    """Take an invitation back."""
    return _carry_out(request, access.revoke_invitation, "The invitation is taken back.", invitation_id=invitation_id)


@require_POST
@customer_page
def send_invitation_again(request: LoggedInRequest, chosen: Chosen, invitation_id: UUID) -> HttpResponse:
    """Mail an invitation once more."""
    return _carry_out(
        request, access.send_again, "The invitation is on its way again, with a new link.", invitation_id=invitation_id
    )


def _carry_out(request: LoggedInRequest, deed: Any, done: str, **of: UUID) -> HttpResponse:
    try:
        deed(**of, actor=Actor(user=request.user), now=timezone.now())
    except NotFound as error:
        raise Http404 from error
    except Forbidden as error:
        raise PermissionDenied from error
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    return redirect("accounts:household")


def _require_administrator(request: LoggedInRequest, chosen: Chosen) -> None:
    if not administers(account_id=chosen.account.pk, user=request.user, now=timezone.now()):
        raise PermissionDenied


def _page(
    request: LoggedInRequest,
    chosen: Chosen,
    *,
    invite_form: forms.Form | None = None,
    member_form: forms.Form | None = None,
) -> HttpResponse:
    context = {
        "chosen": chosen,
        "household": household_of(account=chosen.account, user=request.user, now=timezone.now()),
        "invite_form": invite_form or InviteForm(zone(chosen.account.zone), auto_id="invite_%s"),
        "member_form": member_form or MemberForm(auto_id="member_%s"),
    }
    refused = any(form is not None and form.errors for form in (invite_form, member_form))
    return render(request, "accounts/household.html", context, status=422 if refused else 200)
