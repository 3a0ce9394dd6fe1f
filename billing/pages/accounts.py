"""Switching between somebody's accounts."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from accounts.models import CustomerAccount
from accounts.pages.chosen import SESSION_KEY, Chosen, LoggedInRequest, customer_page

__all__ = ["Chosen", "LoggedInRequest", "customer_page", "switch_account"]


@login_required
@require_POST
def switch_account(request: LoggedInRequest) -> HttpResponse:
    """Remember, for this session, which account the pages are about."""
    visible = CustomerAccount.objects.visible_to(request.user)
    wanted = request.POST.get("account", "")
    if wanted not in {str(pk) for pk in visible.values_list("pk", flat=True)}:
        raise Http404
    request.session[SESSION_KEY] = wanted
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if safe else "billing:home")
