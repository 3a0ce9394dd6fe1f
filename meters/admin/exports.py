"""Readings of selected meters as a file, written by a job."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.admin.common import actor_of
from meters.admin.common import Question, ask_then, change_url, list_url
from meters.formats.writing import ExportFormat
from meters.models import Job, Meter
from meters.selectors.periods import PeriodName
from meters.services.exports import MOST_METERS, queue_export

_FORMATS = (
    (ExportFormat.CSV, "CSV: what the registers hold"),
    (ExportFormat.PARQUET, "Parquet: the same, for analysis"),
    (ExportFormat.NEM12, "NEM12: half-hours of energy"),
    (ExportFormat.GREEN_BUTTON, "Green Button: half-hours of energy"),
)
_SENT_AGAIN = ("action", "select_across", "index", ACTION_CHECKBOX_NAME)


def _day_field(label: str) -> forms.DateField:
    return forms.DateField(label=label, widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}))


class ExportForm(forms.Form):
    """Which days, in which format."""

    first_day = _day_field("First day")
    last_day = _day_field("Last day")
    format = forms.ChoiceField(choices=_FORMATS, widget=UnfoldAdminSelectWidget)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        today = timezone.localdate()
        self.fields["first_day"].initial = today.replace(day=1).isoformat()
        self.fields["last_day"].initial = today.isoformat()

    def clean(self) -> dict[str, Any]:
        """Check the order of the days."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = cleaned.get("first_day"), cleaned.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", "It must not be before the first day.")
        return cleaned


class ReadingsExport(ModelAdmin[Any]):
    """A list of meters whose readings can be taken along."""

    @admin.action(description="Export readings", permissions=["view"])
    def export_readings(self, request: HttpRequest, meters: QuerySet[Meter]) -> HttpResponse:
        """Ask for days and format, and lead to the job that writes the file."""
        serials = list(meters.order_by("serial").values_list("serial", flat=True)[: MOST_METERS + 1])

        def act(form: ExportForm) -> HttpResponse:
            days = form.cleaned_data
            job = queue_export(
                serials=serials,
                name=PeriodName.CUSTOM,
                file_format=ExportFormat(days["format"]),
                actor=actor_of(request),
                now=timezone.now(),
                from_=datetime.combine(days["first_day"], time()),
                to=datetime.combine(days["last_day"] + timedelta(days=1), time()),
            )
            return redirect(change_url(Job, job.pk))

        several = "1 meter" if len(serials) == 1 else f"{len(serials):,} meters"
        sent = [(name, value) for name in _SENT_AGAIN for value in request.POST.getlist(name)]
        return ask_then(
            self,
            request,
            Question(
                title="Export readings",
                intro=f"A file of {several}, its days on the clock of each meter's place.",
                submit="Export",
                back=list_url(Meter),
                hidden=tuple((name, str(value)) for name, value in sent),
            ),
            form=ExportForm(request.POST if "format" in request.POST else None),
            act=act,
        )
