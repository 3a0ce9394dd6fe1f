"""The page that sends agents: choose meters, have the portal propose who takes what, adjust it, and confirm."""

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.admin import ModelAdmin

from accounts.admin.common import actor_of
from energy_portal.shared.admin import moment
from energy_portal.shared.errors import DomainError
from field_ops.admin.assign_forms import ChooseForm, SendForm, chosen_meters
from field_ops.admin.common import MOST_AT_ONCE, person
from field_ops.admin.proposal import ProposalPage, tell_what_was_made, trouble
from field_ops.models import Assignment
from field_ops.selectors.choosing import meters_to_choose
from field_ops.services.assignments import assign
from meters.admin.common import list_url
from meters.models import Meter

LISTED = 200
_TONES = {Meter.Priority.CRITICAL: "bad", Meter.Priority.HIGH: "warn"}


class AssignPage(ProposalPage, ModelAdmin):  # type: ignore[misc]
    """The pages that give out work, beside the list of assignments."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("assign/", view(self.assign_view), name="field_ops_assignment_assign"),
            path("assign/give/", view(self.give_view), name="field_ops_assignment_give"),
            path("assign/propose/", view(self.propose_view), name="field_ops_assignment_propose"),
            path("assign/confirm/", view(self.confirm_view), name="field_ops_assignment_confirm"),
            *super().get_urls(),
        ]

    def assign_view(self, request: HttpRequest) -> HttpResponse:
        """Show the meters to choose from, as a list and on a map."""
        if not self.has_assign_permission(request):
            raise PermissionDenied
        form = ChooseForm(request.GET, user=person(request))
        wanted = form.wanted()
        found = list(meters_to_choose(wanted=wanted, user=person(request))[: LISTED + 1])
        listed = found[:LISTED]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Assign",
            "form": form,
            "meters": [_row(meter) for meter in listed],
            "has_more": len(found) > LISTED,
            "points": [_point(meter) for meter in listed if meter.latitude is not None],
            "tiles": settings.MAP_TILE_URL,
            "unplaced": sum(meter.latitude is None for meter in listed),
            "send": SendForm(user=person(request), now=timezone.now()),
            "query": request.GET.urlencode(),
        }
        return TemplateResponse(request, "admin/field_ops/assign.html", context)

    def give_view(self, request: HttpRequest) -> HttpResponse:
        """Give the chosen meters to one agent, or leave them for somebody yet to be found."""
        self._require_sent(request)
        chosen = chosen_meters(request.POST)
        form = SendForm(request.POST, user=person(request), now=timezone.now())
        if not chosen or len(chosen) > MOST_AT_ONCE or not form.is_valid():
            return self._back(request, trouble(len(chosen), form))
        agent = form.cleaned_data["agent"]
        try:
            made = assign(
                meter_ids=chosen,
                agent_id=None if agent is None else agent.pk,
                due_at=form.due_at(),
                actor=actor_of(request),
                now=timezone.now(),
            )
        except DomainError as error:
            return self._back(request, error.detail)
        tell_what_was_made(request, len(made.made), (each.detail for each in made.skipped))
        return redirect(f"{list_url(Assignment)}?o=-8")


def _row(meter: Any) -> dict[str, Any]:
    work = Assignment.Status(meter.open_status).label if meter.open_status else ""
    return {
        "meter": meter,
        "last_read": moment(meter.last_read, missing="never"),
        "work": f"{work}, {meter.open_agent or 'nobody has it'}" if work else "-",
    }


def _point(meter: Any) -> dict[str, Any]:
    return {
        "id": str(meter.pk),
        "latitude": meter.latitude,
        "longitude": meter.longitude,
        "label": f"{meter.serial}, read {moment(meter.last_read, missing='never')}",
        "kind": "meter",
        "tone": _TONES.get(meter.priority, ""),
    }
