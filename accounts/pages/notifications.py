"""What somebody is told by e-mail, kind by kind."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.actors import Actor
from accounts.models import NotificationKind
from accounts.pages.chosen import Chosen, LoggedInRequest, customer_page
from accounts.selectors.access import administers_any
from accounts.selectors.notifications import choices_of
from accounts.services.notifications import choose_notifications

_EXPLAINED = {
    NotificationKind.BILL_ISSUED: gettext_lazy("With its amount, its due date and the bill as a PDF."),
    NotificationKind.REMINDER: gettext_lazy("Before and after the due date of what is still open."),
    NotificationKind.ALARM: gettext_lazy("A device or a meter needs attention, or does so no more."),
    NotificationKind.ANOMALY: gettext_lazy("What differs clearly from your usual days, and when it is over."),
    NotificationKind.CORRECTION: gettext_lazy("A bill that was issued is taken back or stands anew."),
    NotificationKind.HOUSEHOLD: gettext_lazy("Who accepts an invitation, and whose access changes or ends."),
}


class NotificationsForm(forms.Form):
    """One box a kind that somebody can be told of."""

    def __init__(self, standing: dict[NotificationKind, bool], data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        for kind, wanted in standing.items():
            self.fields[kind.value] = forms.BooleanField(
                label=kind.label, help_text=_EXPLAINED[kind], required=False, initial=wanted
            )


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page
def notifications(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Show what one is told of, and keep what one chooses."""
    now = timezone.now()
    standing = choices_of(request.user, administers_any=administers_any(user=request.user, now=now))
    form = NotificationsForm(standing, request.POST or None)
    if request.method == "POST" and form.is_valid():
        choose_notifications(
            user_id=request.user.pk,
            choices={kind.value: form.cleaned_data[kind.value] for kind in standing},
            actor=Actor(user=request.user),
            now=now,
        )
        messages.success(request, _("Your choice is kept."))
        return redirect("accounts:notifications")
    return render(request, "accounts/notifications.html", {"chosen": chosen, "form": form})
