"""Who comes in to an agent's pages: agents with a login, on a phone that nobody has revoked."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.pages.chosen import LoggedInRequest
from energy_portal.shared.problems import problem_response
from field_ops.models import Agent, Phone
from field_ops.selectors.agents import NotAnAgent, agent_of
from field_ops.selectors.phones import phone_with
from field_ops.services import phones

COOKIE = "field_phone"
_COOKIE_LIFE = timedelta(days=400)
_REVOKED = "This phone is revoked: what is kept on it is to be deleted."

P = ParamSpec("P")


class AgentRequest(LoggedInRequest):
    """A request past one of these doors."""

    agent: Agent


AgentView = Callable[Concatenate[AgentRequest, P], HttpResponse]


def agents_page(view: AgentView[P]) -> Callable[..., HttpResponse]:
    """Let agents in, others not; on the first visit the browser becomes one of the agent's phones."""

    @require_safe
    @never_cache
    @wraps(view)
    def page(request: AgentRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        phone = _phone_of(request)
        if phone is not None and phone.revoked_at is not None:
            return _wiped(render(request, "field_ops/revoked.html", {"wipes": True}, status=403))
        return _of_agent(request, phone, *args, **kwargs)

    @login_required
    def _of_agent(request: AgentRequest, phone: Phone | None, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            request.agent = agent_of(request.user)
        except NotAnAgent as error:
            return render(request, "errors/403.html", {"detail": str(error)}, status=403)
        response = view(request, *args, **kwargs)
        if phone is None or phone.agent_id != request.agent.pk:
            _remember(request, response)
        else:
            phones.note_seen(phone=phone, now=timezone.now())
        return response

    return page


def agents_data(view: AgentView[[]]) -> Callable[..., HttpResponse]:
    """Let agents in to data that their pages fetch; the others get a problem document that says why not."""

    @require_safe
    @never_cache
    @wraps(view)
    def data(request: HttpRequest) -> HttpResponse:
        phone = _phone_of(request)
        if phone is not None and phone.revoked_at is not None:
            return _wiped(problem_response(request, status=403, code="phone_revoked", detail=_REVOKED))
        if not isinstance(request.user, User):
            return problem_response(request, status=401, code="not_authenticated", detail="Log in first.")
        known = cast("AgentRequest", request)
        try:
            known.agent = agent_of(request.user)
        except NotAnAgent as error:
            return problem_response(request, status=error.status, code=error.code, detail=str(error))
        return view(known)

    return data


def _phone_of(request: HttpRequest) -> Phone | None:
    key = request.COOKIES.get(COOKIE)
    return phone_with(key) if key else None


def _remember(request: AgentRequest, response: HttpResponse) -> None:
    name = request.headers.get("User-Agent", "")
    _, key = phones.register_phone(agent_id=request.agent.pk, name=name, now=timezone.now())
    response.set_cookie(
        COOKIE, key, max_age=_COOKIE_LIFE, httponly=True, samesite="Lax", secure=request.is_secure(), path="/"
    )


def _wiped(response: HttpResponse) -> HttpResponse:
    """Have the browser drop all that it keeps of this site."""
    response["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response
