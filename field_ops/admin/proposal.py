"""The page of a proposal: who takes which meters in what order, to be adjusted and confirmed."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin

from accounts.admin.common import actor_of
from energy_portal.shared.errors import DomainError
from field_ops.admin.assign_forms import SendForm, chosen_meters, theirs
from field_ops.admin.common import MOST_AT_ONCE, person
from field_ops.models import Agent, Assignment
from field_ops.services.proposals import Chosen, Proposal, confirm, propose
from meters.admin.common import list_url
from meters.models import Region

_LEAVE = ""
_WHY = {
    "no_agent": "No agent works in its region.",
    "too_far": "Every agent is too far away.",
    "no_room": "Nobody has room for it.",
    "assignment_open": "Somebody has it already.",
    "meter_not_in_service": "It is not in service.",
    "no_such_meter": "There is no such meter.",
}


class ProposalPage(ModelAdmin):  # type: ignore[misc]
    """A proposal, and what comes of it once it is confirmed."""

    def has_assign_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may send agents."""
        return bool(request.user.has_perm("field_ops.add_assignment"))

    def propose_view(self, request: HttpRequest) -> HttpResponse:
        """Show who would take which of the chosen meters; nothing is given out yet."""
        self._require_sent(request)
        chosen = chosen_meters(request.POST)
        form = SendForm(request.POST, user=person(request), now=timezone.now())
        if not chosen or len(chosen) > MOST_AT_ONCE or not form.is_valid():
            return self._back(request, trouble(len(chosen), form))
        agents = form.cleaned_data["agents"]
        try:
            proposal = propose(
                meter_ids=chosen,
                agent_ids=[agent.pk for agent in agents] or None,
                actor=actor_of(request),
                now=timezone.now(),
            )
        except DomainError as error:
            return self._back(request, error.detail)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Proposal",
            "due_on": request.POST.get("due_on", ""),
            "today": timezone.localdate(),
            "query": request.POST.get("query", ""),
            **_shown(proposal, list(theirs(person(request)))),
        }
        return TemplateResponse(request, "admin/field_ops/proposal.html", context)

    def confirm_view(self, request: HttpRequest) -> HttpResponse:
        """Give out the meters as they were proposed and adjusted."""
        self._require_sent(request)
        form = SendForm(request.POST, user=person(request), now=timezone.now())
        lines = _lines(request)
        if not lines or not form.is_valid():
            return self._back(request, "Nobody was to take any of them." if not lines else trouble(len(lines), form))
        try:
            made = confirm(lines=lines, due_at=form.due_at(), actor=actor_of(request), now=timezone.now())
        except DomainError as error:
            return self._back(request, error.detail)
        tell_what_was_made(request, len(made.made), (each.detail for each in made.skipped))
        return redirect(list_url(Assignment))

    def _require_sent(self, request: HttpRequest) -> None:
        if request.method != "POST" or not self.has_assign_permission(request):
            raise PermissionDenied

    def _back(self, request: HttpRequest, trouble: str) -> HttpResponse:
        messages.warning(request, trouble)
        query = request.POST.get("query", "")
        return redirect(reverse("admin:field_ops_assignment_assign") + (f"?{query}" if query else ""))


def tell_what_was_made(request: HttpRequest, made: int, refusals: Iterable[str]) -> None:
    """Say how many meters were given out, and why others were not."""
    left = list(refusals)
    if made:
        messages.success(request, f"{made} given out.")
    for why in sorted(set(left)):
        messages.warning(request, f"{left.count(why)} left out: {why}")


def trouble(count: int, form: SendForm) -> str:
    """Say why nothing can be done with what was sent."""
    if not count:
        return "Choose meters first."
    if count > MOST_AT_ONCE:
        return f"At most {MOST_AT_ONCE} at once."
    return " ".join(str(error) for errors in form.errors.values() for error in errors)


def _lines(request: HttpRequest) -> list[Chosen]:
    found = []
    for place, meter_id in enumerate(chosen_meters(request.POST)):
        given = request.POST.get(f"agent-{meter_id}", _LEAVE)
        try:
            found.append(Chosen(meter_id, UUID(given), place))
        except ValueError:
            continue
    return found


def _shown(proposal: Proposal, agents: Sequence[Agent]) -> dict[str, Any]:
    """Write a proposal for people: ways in their order, loads, and what nobody takes with the reason."""
    shown = [meter for way in proposal.ways for meter in way.meters]
    shown += [each.meter for each in proposal.left if each.meter is not None]
    regions = Region.objects.in_bulk({meter.region_id for meter in shown})
    would = {way.agent.pk: way.load for way in proposal.ways}
    team = [{"agent": agent, "would_have": would.get(agent.pk, agent.current_load)} for agent in agents]
    ways = [
        {
            "agent": way.agent,
            "kilometres": f"{way.length_m / 1000:.1f} km",
            "hours": f"{way.minutes // 60:.0f} h {way.minutes % 60:02.0f} min",
            "rows": [
                {"meter": meter, "agent_id": way.agent.pk, "region": regions.get(meter.region_id)}
                for meter in way.meters
            ],
        }
        for way in proposal.ways
    ]
    left = [
        {
            "meter": each.meter,
            "agent_id": None,
            "region": regions.get(each.meter.region_id),
            "why": _WHY.get(each.reason, each.reason),
        }
        for each in proposal.left
        if each.meter is not None
    ]
    return {"ways": ways, "left": left, "team": team, "placed": len(shown) - len(left)}
