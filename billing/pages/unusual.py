"""What was unusual in somebody's use: on other pages in short, as a list, one of them closer, and their answer."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.actors import Actor
from accounts.models import CustomerAccount
from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from billing.pages.unusual_chart import chart_of
from billing.pages.unusual_words import told_of
from energy_portal.shared.errors import DomainError
from meters.insights.models import Anomaly
from meters.insights.selectors.shown import anomalies_of, unanswered_anomalies
from meters.insights.services import verdicts

ON_OTHER_PAGES = 2
A_PAGE = 20
_LONGEST_NOTE = 500
_PUT_OFF = {"tomorrow": timedelta(days=1), "week": timedelta(days=7)}


class AnswerForm(forms.Form):
    """What somebody makes of it: the button that they press, and a note if they like."""

    act = forms.ChoiceField(choices=[(act, act) for act in ("seen", "normal", "real", *_PUT_OFF)])
    note = forms.CharField(
        label=gettext_lazy("A note, if you like"),
        max_length=_LONGEST_NOTE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Such as what it was. We read it, too."),
    )


def unusual_strip(account: CustomerAccount, *, now: datetime) -> dict[str, Any]:
    """Return what the strip on another page shows: the newest that wait for a word, and how many more do."""
    found = list(unanswered_anomalies(account, now=now)[: ON_OTHER_PAGES + 1])
    zone = ZoneInfo(account.zone)
    return {
        "shown": [told_of(anomaly, zone=zone, now=now) for anomaly in found[:ON_OTHER_PAGES]],
        "more": len(found) > ON_OTHER_PAGES,
    }


def anomalies_page(request: HttpRequest) -> HttpResponse:
    """Show what was unusual to whoever it concerns: customers their own, staff that of the admin."""
    if request.user.is_staff:
        return redirect("admin:insights_anomaly_changelist")
    return _anomalies_of_customer(request)


@customer_page
def _anomalies_of_customer(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    now, zone = timezone.now(), ZoneInfo(chosen.account.zone)
    page = Paginator(anomalies_of(chosen.account), A_PAGE).get_page(request.GET.get("page"))
    context = {
        "chosen": chosen,
        "page": page,
        "told": [told_of(anomaly, zone=zone, now=now) for anomaly in page],
    }
    return render(request, "billing/anomalies.html", context)


@customer_page
def anomaly_page(request: LoggedInRequest, chosen: Chosen, anomaly_id: UUID) -> HttpResponse:
    """Show one of them: when and how much beside what is usual, and what can be said of it."""
    return _page(request, chosen, _anomaly(request, anomaly_id), AnswerForm())


@require_POST
@customer_page
def answer_anomaly(request: LoggedInRequest, chosen: Chosen, anomaly_id: UUID) -> HttpResponse:
    """Keep what somebody makes of it."""
    anomaly, now = _anomaly(request, anomaly_id), timezone.now()
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return _page(request, chosen, anomaly, form, status=422)
    try:
        said = _answer(anomaly, form.cleaned_data["act"], form.cleaned_data["note"], Actor(user=request.user), now)
    except verdicts.AnomalyOver:
        messages.error(request, _("It is over by itself. You can still say whether it was normal."))
    except verdicts.AnomalyTaken:
        messages.error(request, _("Somebody takes care of it already."))
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said)
    return redirect("billing:anomaly", anomaly.pk)


def _answer(anomaly: Anomaly, act: str, note: str, actor: Actor, now: datetime) -> str:
    """Do what a button says, and return what it came to in words."""
    told: dict[str, Any] = {"anomaly_id": anomaly.pk, "note": note, "actor": actor, "now": now}
    match act:
        case "seen":
            verdicts.acknowledge(**told)
            return _("Noted: you look into it. We do not remind you any more.")
        case "normal":
            verdicts.judge(verdict=Anomaly.Verdict.NORMAL, **told)
            return _("Thank you. We learn from it, and tell you less often of the like.")
        case "real":
            verdicts.judge(verdict=Anomaly.Verdict.REAL, **told)
            return _("Thank you. We keep that in mind, and look out for the like.")
        case _:
            verdicts.snooze(until=now + _PUT_OFF[act], **told)
            return _("It is put off: we remind you if it goes on.")


def _anomaly(request: LoggedInRequest, anomaly_id: UUID) -> Anomaly:
    rows = Anomaly.objects.visible_to(request.user).select_related("account")
    anomaly: Anomaly | None = rows.filter(pk=anomaly_id).first()
    if anomaly is None or anomaly.account is None:
        raise Http404
    return anomaly


def _page(
    request: LoggedInRequest, chosen: Chosen, anomaly: Anomaly, form: AnswerForm, status: int = 200
) -> HttpResponse:
    account = anomaly.account or chosen.account
    now, zone = timezone.now(), ZoneInfo(account.zone)
    context = {
        "chosen": Chosen(account, chosen.accounts),
        "told": told_of(anomaly, zone=zone, now=now),
        "anomaly": anomaly,
        "goes_on": anomaly.state != Anomaly.State.CLOSED,
        "taken": anomaly.state == Anomaly.State.ACKNOWLEDGED,
        "form": form,
        "drawn": chart_of(anomaly, account=account, zone=zone, now=now),
    }
    return render(request, "billing/anomaly.html", context, status=status)
