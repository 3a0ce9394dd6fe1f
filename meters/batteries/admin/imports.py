"""Files of a battery that come in by hand: a form, and the job that takes them in."""

from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from accounts.admin.common import actor_of
from meters.admin.common import Question, ask_then, change_url
from meters.admin.upload_forms import UploadForm
from meters.batteries.models import Battery, Convention
from meters.batteries.quantities import System
from meters.batteries.services.import_uploads import queue_battery_import
from meters.batteries.services.imports import EVERY_SECONDS, ImportOptions
from meters.models import Job


class BatteryFilesForm(UploadForm):
    """A file of a battery's signals, and what it does not say itself."""

    layout = (("File", ("file", "every_seconds")), ("How it is written", ("convention", "system")))
    every_seconds = forms.IntegerField(
        label="Seconds of a row",
        initial=EVERY_SECONDS,
        min_value=1,
        max_value=3600,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    convention = forms.ModelChoiceField(
        Convention.objects.all(),
        required=False,
        to_field_name="name",
        widget=UnfoldAdminSelectWidget,
        empty_label="As the battery's",
    )
    system = forms.ChoiceField(
        label="Signals of",
        required=False,
        choices=[("", "BMS and PCS"), *((system.value, system.name) for system in System)],
        widget=UnfoldAdminSelectWidget,
    )

    def options(self) -> ImportOptions:
        """Return what was told of the file, once the form is valid."""
        told = self.cleaned_data
        convention = told["convention"]
        return ImportOptions(
            every_seconds=told["every_seconds"],
            convention=convention.name if convention else "",
            system=told["system"],
        )


class ImportPage(ModelAdmin[Any]):
    """The page of a battery where a file is handed over."""

    def has_import_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Tell whether the person may take files in."""
        return bool(request.user.has_perm("batteries.change_battery"))

    @action(description="Import files", url_path="import", permissions=["import"], icon="upload_file")
    def import_files(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take a file of the battery's signals, and lead to its job."""
        battery = get_object_or_404(self.get_queryset(request), pk=object_id)

        def act(form: BatteryFilesForm) -> str | HttpResponse:
            file = form.cleaned_data["file"]
            job = queue_battery_import(
                battery=battery,
                uploads=[(file.name or "", file.chunks())],
                options=form.options(),
                actor=actor_of(request),
                now=timezone.now(),
            )
            if request.user.has_perm("meters.view_job"):
                return redirect(change_url(Job, job.pk))
            return f"{file.name} is being taken in."

        return ask_then(
            self,
            request,
            Question(
                title=f"Import files of {battery}",
                intro="A CSV of signals, also packed, or a ZIP of one a signal. They are aligned to rows of one rate; "
                "the good lines enter, each bad one is reported; taking the same file in again adds nothing.",
                submit="Upload",
                back=change_url(Battery, battery.pk),
            ),
            form=BatteryFilesForm(request.POST or None, request.FILES or None),
            act=act,
        )
