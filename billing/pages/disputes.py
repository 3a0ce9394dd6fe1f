"""What became of a bill, and its dispute: a part of the bill's page, and a page of its own while a form is mended."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.pages.chosen import LoggedInRequest
from billing.models import Bill, Dispute
from billing.selectors.bills import bill_with_lines
from billing.selectors.corrections import bill_story
from billing.services import disputes
from energy_portal.shared.errors import DomainError, Forbidden, Throttled

_REASONS = {
    Dispute.Reason.TOO_HIGH: gettext_lazy("I did not use that much"),
    Dispute.Reason.WRONG_READING: gettext_lazy("A reading is wrong"),
    Dispute.Reason.ESTIMATED: gettext_lazy("It is estimated, and I know better"),
    Dispute.Reason.WRONG_PRICE: gettext_lazy("The price or tariff is wrong"),
    Dispute.Reason.NOT_MINE: gettext_lazy("I did not live there then"),
    Dispute.Reason.OTHER: gettext_lazy("Something else"),
}


class DisputeForm(forms.Form):
    """What is wrong with a bill, or with one of its lines."""

    reason = forms.ChoiceField(label=gettext_lazy("What is wrong"), choices=list(_REASONS.items()))
    line_position = forms.TypedChoiceField(
        label=gettext_lazy("Which line"), coerce=int, empty_value=None, required=False
    )
    text = forms.CharField(
        label=gettext_lazy("In your words"),
        max_length=disputes.LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("Such as what you read off the dial, and when."),
    )

    def __init__(self, bill: Bill, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="dispute_%s")
        lines = [(str(line.position), line.description) for line in bill.lines.all()]
        self.fields["line_position"].choices = [("", _("The whole bill")), *lines]  # type: ignore[attr-defined]


def dispute_context(bill: Bill, request: LoggedInRequest, form: DisputeForm | None = None) -> dict[str, Any]:
    """Return what ``billing/bill_dispute.html`` shows.

    :param bill: with its lines, from :func:`billing.selectors.bills.bill_with_lines`.
    """
    story = bill_story(bill=bill, user=request.user, now=timezone.now())
    return {"story": story, "dispute_form": form or DisputeForm(bill) if story.may_dispute else None}


@login_required
@never_cache
def bill_dispute(request: LoggedInRequest, bill_id: UUID) -> HttpResponse:
    """Open a dispute of a bill; what is not filled in well comes back to be mended."""
    bill = _bill(request, bill_id)
    if request.method != "POST":
        return _page(request, bill, None)
    form = DisputeForm(bill, request.POST)
    if not form.is_valid():
        return _page(request, bill, form, status=422)
    try:
        disputes.open_dispute(bill_id=bill.pk, user=request.user, now=timezone.now(), **form.cleaned_data)
    except Forbidden as error:
        raise PermissionDenied from error
    except DomainError as error:
        form.add_error(None, str(error))
        response = _page(request, bill, form, status=error.status)
        if isinstance(error, Throttled):
            response["Retry-After"] = str(error.retry_after_seconds)
        return response
    messages.success(request, _("We look into it, and answer here."))
    return _back(bill)


@require_POST
@login_required
@never_cache
def withdraw_bill_dispute(request: LoggedInRequest, bill_id: UUID) -> HttpResponse:
    """Withdraw what is open against a bill."""
    bill = _bill(request, bill_id)
    standing = bill.disputes.filter(status__in=Dispute.OPEN).first()
    if standing is None:
        messages.error(request, _("Nothing is open about this bill any more."))
        return _back(bill)
    try:
        disputes.withdraw_dispute(dispute_id=standing.pk, user=request.user, now=timezone.now())
    except Forbidden as error:
        raise PermissionDenied from error
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Your dispute is withdrawn."))
    return _back(bill)


def _bill(request: LoggedInRequest, bill_id: UUID) -> Bill:
    try:
        return bill_with_lines(user=request.user, bill_id=bill_id)
    except Bill.DoesNotExist as error:
        raise Http404 from error


def _page(request: LoggedInRequest, bill: Bill, form: DisputeForm | None, status: int = 200) -> HttpResponse:
    context = {"bill": bill, **dispute_context(bill, request, form)}
    if form is not None and context["dispute_form"] is None:
        messages.error(request, " ".join(map(str, form.non_field_errors())))
    with timezone.override(bill.account.zone):
        return render(request, "billing/dispute.html", context, status=status)


def _back(bill: Bill) -> HttpResponse:
    return redirect(f"{reverse('billing:bill', args=(bill.pk,))}#story")
