"""Which of somebody's accounts a page is about."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django_htmx.middleware import HtmxDetails

from accounts.models import CustomerAccount, User
from accounts.pages.preferences import shown_zone
from accounts.roles import Role

SESSION_KEY = "account"

P = ParamSpec("P")


class LoggedInRequest(HttpRequest):
    """A request past ``login_required``."""

    user: User
    htmx: HtmxDetails


@dataclass(frozen=True)
class Chosen:
    """The account that a page is about, among all that its reader may see."""

    account: CustomerAccount
    accounts: tuple[CustomerAccount, ...]


CustomerView = Callable[Concatenate[LoggedInRequest, Chosen, P], HttpResponse]


def customer_page(view: CustomerView[P]) -> Callable[..., HttpResponse]:
    """Let customers in, with the account that they chose; others go where they belong.

    Instants are told in the zone that they chose, else in the account's.
    """

    @login_required
    @never_cache
    @wraps(view)
    def page(request: LoggedInRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.user.role != Role.CUSTOMER:
            return redirect("billing:landing")
        accounts = tuple(CustomerAccount.objects.visible_to(request.user))
        if not accounts:
            return render(request, "billing/no_account.html")
        remembered = request.session.get(SESSION_KEY)
        account = next((account for account in accounts if str(account.pk) == remembered), accounts[0])
        with timezone.override(shown_zone(request.user, account)):
            return view(request, Chosen(account, accounts), *args, **kwargs)

    return page
