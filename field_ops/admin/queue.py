"""The approval queue: one request at a time beside the list, decided by keys, the next one shown after each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.http import urlencode
from unfold.admin import ModelAdmin

from accounts.admin.common import actor_of
from energy_portal.shared.errors import DomainError, NotFound
from field_ops.admin.cases import case_of
from field_ops.admin.common import person
from field_ops.admin.queue_forms import DecisionForm, chosen_ids
from field_ops.models import ApprovalRequest, Decision, Risk
from field_ops.selectors.approvals import counters_for, decidable_by, queue_for, request_for
from field_ops.services import deciding
from field_ops.services.recognising import is_being_read

LISTED = 50
_SHOWN = {"": "All", "high": "High risk", "low": "Low risk", "second": "Second level"}
_DONE = {"approve": "approved", "reject": "rejected", "return": "sent back"}


@dataclass(frozen=True)
class News:
    """What is told above the queue: how something went, and what somebody else did meanwhile."""

    lines: tuple[str, ...] = ()
    tone: str = "good"


@dataclass(frozen=True)
class Asked:
    """Which request is looked at, among which, and what was typed for it and refused."""

    at: UUID | None = None
    show: str = ""
    form: DecisionForm | None = None
    news: News = field(default_factory=News)


class QueuePage(ModelAdmin):  # type: ignore[misc]
    """The pages of the approval queue, beside the list of all requests."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("queue/", view(self.queue_view), name="field_ops_approvalrequest_queue"),
            path("queue/list/", view(self.queue_list_view), name="field_ops_approvalrequest_queue_list"),
            path("queue/bulk/", view(self.queue_bulk_view), name="field_ops_approvalrequest_queue_bulk"),
            path(
                "queue/<uuid:pk>/<str:verdict>/",
                view(self.queue_decide_view),
                name="field_ops_approvalrequest_queue_decide",
            ),
            *super().get_urls(),
        ]

    def has_queue_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may decide on what agents brought."""
        return bool(request.user.has_perm("field_ops.change_approvalrequest"))

    def queue_view(self, request: HttpRequest) -> HttpResponse:
        """Show the queue at a request, the one that waits longest unless asked for another."""
        asked = Asked(at=_uuid(request.GET.get("at")), show=_show(request.GET.get("show")))
        return self._answer(request, asked)

    def queue_list_view(self, request: HttpRequest) -> HttpResponse:
        """Return the list as it is now, and word of what became of the request that is looked at."""
        asked = Asked(at=_uuid(request.GET.get("at")), show=_show(request.GET.get("show")))
        context = self._queue(request, asked, with_case=False)
        context["meanwhile"] = _decided_meanwhile(request, asked.at, request.GET.get("level", ""))
        return TemplateResponse(request, "admin/field_ops/queue_refresh.html", context)

    def queue_decide_view(self, request: HttpRequest, pk: UUID, verdict: str) -> HttpResponse:
        """Decide on a request, and show the next one; what somebody else decided meanwhile is told."""
        self._require(request)
        if request.method != "POST" or verdict not in _DONE:
            return HttpResponseNotAllowed(["POST"])
        show = _show(request.POST.get("show"))
        following = _after(pk, self._rows(request, show))
        form = DecisionForm(request.POST, verdict=verdict)
        if not form.is_valid():
            return self._answer(request, Asked(at=pk, show=show, form=form))
        try:
            decided = _decide(request, pk, verdict, form)
        except deciding.AlreadyDecided as error:
            still = error.extra.get("verdict") == Decision.Verdict.APPROVED and _is_waiting(request, pk)
            told = News((_told_meanwhile(_name(request, pk), error),), "warn")
            return self._answer(request, Asked(pk if still else following, show, None, told))
        except NotFound as error:
            return self._answer(request, Asked(following, show, None, News((error.detail,), "warn")))
        except DomainError as error:
            form.add_error(None, error.detail)
            return self._answer(request, Asked(at=pk, show=show, form=form))
        return self._answer(request, Asked(following, show, None, News((_told(decided, verdict),))))

    def queue_bulk_view(self, request: HttpRequest) -> HttpResponse:
        """Approve the chosen requests of low risk; what is left out is told with its reason."""
        self._require(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        show, at = _show(request.POST.get("show")), _uuid(request.POST.get("at"))
        keys = chosen_ids(request.POST)
        if not keys:
            return self._answer(request, Asked(at, show, None, News(("Choose requests of low risk first.",), "warn")))
        try:
            done = deciding.approve_low_risk(request_ids=keys, actor=actor_of(request), now=timezone.now())
        except DomainError as error:
            return self._answer(request, Asked(at, show, None, News((error.detail,), "warn")))
        refused = [f"{_name(request, each.request_id)}: {each.detail}" for each in done.refused]
        tone = "warn" if refused else "good"
        lines = (f"{len(done.approved)} approved together.", *refused)
        return self._answer(request, Asked(None if at in done.approved else at, show, None, News(lines, tone)))

    def _require(self, request: HttpRequest) -> None:
        if not self.has_queue_permission(request):
            raise PermissionDenied

    def _rows(self, request: HttpRequest, show: str) -> QuerySet[ApprovalRequest]:
        rows = decidable_by(queue_for(person(request)), person(request))
        if show == "second":
            return rows.filter(levels_done=1)
        return rows.filter(risk=show) if show in Risk.values else rows

    def _queue(self, request: HttpRequest, asked: Asked, *, with_case: bool = True) -> dict[str, Any]:
        self._require(request)
        rows = list(self._rows(request, asked.show)[: LISTED + 1])
        listed = rows[:LISTED]
        here = _chosen(request, asked.at, listed) if with_case else None
        at = here.pk if here is not None else asked.at
        before, after = _beside(at, [row.pk for row in listed])
        together = {row.pk for row in listed if _goes_together(row)}
        return {
            "rows": listed,
            "together": together,
            "has_more": len(rows) > LISTED,
            "audited_count": sum(row.risk == Risk.LOW and row.is_audited for row in listed),
            "counters": counters_for(person(request)),
            "case": None if here is None else case_of(here, person(request)),
            "at": at,
            "before": before,
            "after": after,
            "show": asked.show,
            "chips": [{"key": key, "label": label, "chosen": key == asked.show} for key, label in _SHOWN.items()],
            "form": asked.form if asked.form is not None and at == asked.at else DecisionForm(),
            "news": asked.news,
            "queue_url": reverse("admin:field_ops_approvalrequest_queue"),
        }

    def _answer(self, request: HttpRequest, asked: Asked) -> HttpResponse:
        """Return the part that changed to a script, and a whole page to a browser without one."""
        is_part = bool(getattr(request, "htmx", False)) and not request.htmx.history_restore_request  # type: ignore[attr-defined]
        if is_part:
            context = self._queue(request, asked)
            answer = TemplateResponse(request, "admin/field_ops/queue_part.html", context)
            answer["HX-Replace-Url"] = _queue_url(context["at"], asked.show)
            return answer
        if request.method == "POST" and asked.form is None:
            for line in asked.news.lines:
                messages.add_message(request, messages.SUCCESS if asked.news.tone == "good" else messages.WARNING, line)
            return redirect(_queue_url(asked.at, asked.show))
        page = {**self.admin_site.each_context(request), "opts": self.model._meta, "title": "Approval queue"}
        return TemplateResponse(request, "admin/field_ops/queue.html", {**page, **self._queue(request, asked)})


def _goes_together(row: ApprovalRequest) -> bool:
    """Tell whether a request may be approved with others: one of low risk that needs no look of its own."""
    return row.risk == Risk.LOW and not row.is_audited and not is_being_read(row)


def _queue_url(at: UUID | None, show: str) -> str:
    query = urlencode({name: str(value) for name, value in (("at", at), ("show", show)) if value})
    return reverse("admin:field_ops_approvalrequest_queue") + (f"?{query}" if query else "")


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _show(text: str | None) -> str:
    return text if text in _SHOWN else ""


def _chosen(request: HttpRequest, at: UUID | None, listed: Sequence[ApprovalRequest]) -> ApprovalRequest | None:
    for row in listed:
        if row.pk == at:
            return row
    if at is not None:
        try:
            return request_for(request_id=at, user=person(request))
        except DomainError:
            pass
    return listed[0] if listed else None


def _beside(at: UUID | None, keys: Sequence[UUID]) -> tuple[UUID | None, UUID | None]:
    if at not in keys:
        return None, (keys[0] if keys else None)
    place = keys.index(at)
    return (keys[place - 1] if place else None), (keys[place + 1] if place + 1 < len(keys) else None)


def _after(pk: UUID, rows: QuerySet[ApprovalRequest]) -> UUID | None:
    before, after = _beside(pk, list(rows.values_list("pk", flat=True)[:LISTED]))
    return after or before


def _decide(request: HttpRequest, pk: UUID, verdict: str, form: DecisionForm) -> ApprovalRequest:
    given = form.cleaned_data
    common = {"request_id": pk, "level": given["level"], "actor": actor_of(request), "now": timezone.now()}
    if verdict == "approve":
        return deciding.approve(notes=given["notes"], value=given["value"], **common)
    act = deciding.reject if verdict == "reject" else deciding.send_back
    return act(notes=given["notes"], **common)


def _told(decided: ApprovalRequest, verdict: str) -> str:
    if decided.status == ApprovalRequest.Status.UNDER_REVIEW:
        return f"{decided.meter}: approved at the first level; an admin decides the second."
    return f"{decided.meter}: {_DONE[verdict]}."


def _told_meanwhile(name: str, error: DomainError) -> str:
    by, at = error.extra.get("by"), parse_datetime(str(error.extra.get("at")))
    if not by or at is None:
        return f"{name} has been decided on meanwhile."
    verdict = Decision.Verdict(error.extra["verdict"]).label.lower()
    return f"{by} has decided on {name} meanwhile, at {timezone.localtime(at):%H:%M}: {verdict}."


def _is_waiting(request: HttpRequest, pk: UUID) -> bool:
    return queue_for(person(request)).waiting().filter(pk=pk).exists()  # type: ignore[attr-defined, no-any-return]


def _name(request: HttpRequest, pk: UUID) -> str:
    found = queue_for(person(request)).filter(pk=pk).first()
    return "A request" if found is None else str(found.meter)


def _decided_meanwhile(request: HttpRequest, at: UUID | None, level: str) -> str:
    """Say who decided on the request that is looked at since it was shown; nothing where nobody did."""
    if at is None or not level.isdecimal():
        return ""
    seen = queue_for(person(request)).filter(pk=at).first()
    if seen is None:
        return ""
    last = seen.decisions.select_related("by").order_by("-level").first()
    if last is None or last.level < int(level) or last.by_id == person(request).pk:
        return ""
    return f"{last.by.name} has decided on {seen.meter} meanwhile: {last.get_verdict_display()}."
