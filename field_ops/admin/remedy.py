"""Sending an agent, as one more remedy on the page of exceptions, which belongs to an app below."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action

from accounts.admin.common import actor_of
from energy_portal.shared.errors import DomainError
from field_ops.admin.assign_forms import SomebodyForm
from field_ops.admin.common import MOST_AT_ONCE, person
from field_ops.services.dispatching import send_agent
from meters.admin.common import Question, ask_then, list_url
from meters.admin.exceptions import ReadingExceptionAdmin
from meters.models import ReadingException

_BULK = "send_agents"


class ExceptionsWithAgents(ReadingExceptionAdmin):
    """The queue of exceptions, where agents can be sent to read the meter."""

    actions = (*ReadingExceptionAdmin.actions, _BULK)  # type: ignore[assignment]
    actions_detail = (*ReadingExceptionAdmin.actions_detail, "send_one")  # type: ignore[assignment]

    def has_send_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may send agents."""
        return bool(request.user.has_perm("field_ops.add_assignment"))

    @admin.action(description="Send an agent", permissions=["send"])
    def send_agents(self, request: HttpRequest, exceptions: QuerySet[ReadingException]) -> HttpResponse:
        """Have the meters of the selected exceptions read by hand."""
        return self._send(request, exceptions, _BULK)

    @action(description="Send an agent", url_path="send", permissions=["send"], icon="directions_walk")
    def send_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have the meter read by hand."""
        return self._send(request, self._one(request, object_id))

    def _send(self, request: HttpRequest, exceptions: QuerySet[Any], bulk_action: str = "") -> HttpResponse:
        chosen = list(exceptions.values_list("pk", flat=True)[:MOST_AT_ONCE])
        returned = (("action", bulk_action), *((ACTION_CHECKBOX_NAME, str(key)) for key in chosen), ("is_answer", "1"))
        filled = request.method == "POST" and (not bulk_action or "is_answer" in request.POST)
        several = f"{len(chosen)} exception{'' if len(chosen) == 1 else 's'}"
        question = Question(
            title="Send an agent",
            intro=f"{several}. The meter is read by hand; the exception stays open until somebody decides.",
            submit="Send",
            back=list_url(ReadingException),
            hidden=returned if bulk_action else (),
        )

        def act(form: SomebodyForm) -> str:
            sent = waiting = 0
            for key in chosen:
                try:
                    made = send_agent(
                        exception_id=key,
                        agent_id=form.agent_id(),
                        due_at=form.due_at(),
                        actor=actor_of(request),
                        now=timezone.now(),
                    )
                except DomainError as error:
                    self.message_user(request, error.detail, messages.WARNING)
                else:
                    sent += made.agent_id is not None
                    waiting += made.agent_id is None
            unheld = f" {waiting} wait until somebody is found." if waiting else ""
            return f"{sent} given to an agent.{unheld}"

        form = SomebodyForm(request.POST if filled else None, user=person(request))
        return ask_then(self, request, question, form=form, act=act)


admin.site.unregister(ReadingException)
admin.site.register(ReadingException, ExceptionsWithAgents)
