"""The household: who lives there, who has access, and who is invited to."""

from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.models import AccountAccess
from accounts.pages.chosen import Chosen, LoggedInRequest, customer_page
from accounts.pages.forms import ChangeAccessForm, InviteForm, MemberForm
from accounts.selectors.access import administers
from accounts.selectors.access import household as household_of
from accounts.services import access, customers
from energy_portal.shared.clock import zone
from energy_portal.shared.errors import DomainError, Forbidden, NotFound


@dataclass(frozen=True)
class AccessRow:
    """An access, with the form that changes it where the reader may."""

    access: AccountAccess
    form: ChangeAccessForm | None


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
            messages.success(request, _("An invitation is on its way to %(email)s.") % form.cleaned_data)
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
            messages.success(request, _("%(name)s is added.") % form.cleaned_data)
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
        _("They are taken off the account."),
        account_id=chosen.account.pk,
        member_id=member_id,
    )


@require_POST
@customer_page
def change_access(request: LoggedInRequest, chosen: Chosen, access_id: UUID) -> HttpResponse:
    """Give somebody's access another right or end."""
    found = get_object_or_404(chosen.account.accesses, pk=access_id)
    form = ChangeAccessForm(zone(chosen.account.zone), request.POST, auto_id=f"change_{found.pk}_%s")
    if not form.is_valid():
        _require_administrator(request, chosen)
        return _page(request, chosen, change_form=(found, form))
    return _carry_out(
        request,
        partial(access.change_access, right=form.cleaned_data["right"], until=form.end()),
        _("That access is changed."),
        access_id=access_id,
    )


@require_POST
@customer_page
def end_access(request: LoggedInRequest, chosen: Chosen, access_id: UUID) -> HttpResponse:
    """End somebody's access, or one's own."""
    if not chosen.account.accesses.filter(pk=access_id).exists():
        raise Http404
    return _carry_out(request, access.end_access, _("That access is ended."), access_id=access_id)


@require_POST
@customer_page
def revoke_invitation(request: LoggedInRequest, chosen: Chosen, invitation_id: UUID) -> HttpResponse:
    """Take an invitation back."""
    return _carry_out(
        request, access.revoke_invitation, _("The invitation is taken back."), invitation_id=invitation_id
    )


@require_POST
@customer_page
def send_invitation_again(request: LoggedInRequest, chosen: Chosen, invitation_id: UUID) -> HttpResponse:
    """Mail an invitation once more."""
    return _carry_out(
        request,
        access.send_again,
        _("The invitation is on its way again, with a new link."),
        invitation_id=invitation_id,
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
    change_form: tuple[AccountAccess, ChangeAccessForm] | None = None,
) -> HttpResponse:
    site = zone(chosen.account.zone)
    now = timezone.now()
    found = household_of(account=chosen.account, user=request.user, now=now)
    given = {change_form[0].pk: change_form[1]} if change_form else {}
    context = {
        "chosen": chosen,
        "household": found,
        "now": now,
        "rows": [
            AccessRow(row, (given.get(row.pk) or ChangeAccessForm.of(row, site)) if found.may_administer else None)
            for row in found.accesses
        ],
        "invite_form": invite_form or InviteForm(site, auto_id="invite_%s"),
        "member_form": member_form or MemberForm(auto_id="member_%s"),
    }
    refused = change_form or any(form is not None and form.errors for form in (invite_form, member_form))
    return render(request, "accounts/household.html", context, status=422 if refused else 200)
