"""Files that come in by hand: a form each, and the job that takes the file in."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.decorators import action

from accounts.actors import Actor
from accounts.admin.common import actor_of
from energy_portal.shared.downloads import pieces_of
from energy_portal.shared.errors import DomainError
from meters.admin.common import FilledForm, Question, ask_then, change_url, list_url
from meters.admin.upload_forms import BindingsForm, ReadingsForm
from meters.models import Job
from meters.services.bindings_import import queue_bindings_import
from meters.services.file_imports import ImportOptions, queue_import
from meters.services.uploads import path_of


def _readings(dry: Job, actor: Actor, now: datetime) -> Job:
    return queue_import(
        chunks=pieces_of(path_of(dry.upload)),
        name=dry.upload_name,
        options=ImportOptions(**{**dry.parameters, "dry_run": False}),
        actor=actor,
        now=now,
    )


def _bindings(dry: Job, actor: Actor, now: datetime) -> Job:
    return queue_bindings_import(
        chunks=pieces_of(path_of(dry.upload)), name=dry.upload_name, dry_run=False, actor=actor, now=now
    )


# How the file of a dry run is taken in, as it was told of then.
_TAKEN_IN: dict[str, Callable[[Job, Actor, datetime], Job]] = {
    Job.Kind.IMPORT_READINGS: _readings,
    Job.Kind.IMPORT_BINDINGS: _bindings,
}


class ImportPages(ModelAdmin[Any]):
    """The pages of :class:`~meters.models.Job` where a file is handed over."""

    actions_list: Any = ("import_readings", "import_bindings")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.take_in_view)
        return [path("<uuid:job_id>/take-in/", view, name="meters_job_take_in"), *super().get_urls()]

    def has_import_permission(self, request: HttpRequest) -> bool:
        """Tell whether the person may take files in."""
        return bool(request.user.has_perm("meters.add_job"))

    @action(description="Import readings", url_path="import-readings", permissions=["import"], icon="upload_file")
    def import_readings(self, request: HttpRequest) -> HttpResponse:
        """Take a file of readings, and lead to its job."""
        return self._ask(
            request,
            ReadingsForm,
            title="Import readings",
            intro="CSV, NEM12/NEM13 or Green Button. The good lines of a file enter, each bad one is reported; "
            "taking the same file in again adds nothing.",
            queue=lambda form, file: queue_import(
                chunks=file.chunks(),
                name=file.name or "",
                options=form.options(),
                actor=actor_of(request),
                now=timezone.now(),
            ),
        )

    @action(description="Import mapping", url_path="import-bindings", permissions=["import"], icon="upload_file")
    def import_bindings(self, request: HttpRequest) -> HttpResponse:
        """Take a mapping of accounts to meters, and lead to its job."""
        return self._ask(
            request,
            BindingsForm,
            title="Import account-meter mapping",
            intro="A CSV with the columns account and meter, and where they are known from, to, owner_name, "
            "address, zone and email. Each line stands for itself; the same mapping again changes nothing.",
            queue=lambda form, file: queue_bindings_import(
                chunks=file.chunks(),
                name=file.name or "",
                dry_run=form.cleaned_data["dry_run"],
                actor=actor_of(request),
                now=timezone.now(),
            ),
        )

    def _ask(
        self,
        request: HttpRequest,
        form: type[FilledForm],
        *,
        title: str,
        intro: str,
        queue: Callable[[FilledForm, UploadedFile[Any]], Job],
    ) -> HttpResponse:
        """Ask for a file, and lead to the job that takes it in."""

        def act(filled: FilledForm) -> HttpResponse:
            return redirect(change_url(Job, queue(filled, filled.cleaned_data["file"]).pk))

        return ask_then(
            self,
            request,
            Question(title=title, intro=intro, submit="Upload", back=list_url(Job)),
            form=form(request.POST or None, request.FILES or None),
            act=act,
        )

    def take_in_url(self, request: HttpRequest, job: Job) -> str | None:
        """Return where the file of a dry run is taken in; None where that is not offered."""
        is_offered = (
            job.status == Job.Status.DONE
            and job.kind in _TAKEN_IN
            and job.parameters.get("dry_run")
            and job.upload
            and path_of(job.upload).is_file()
            and self.has_import_permission(request)
        )
        return reverse("admin:meters_job_take_in", args=[job.pk]) if is_offered else None

    def take_in_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """Take the file of a dry run in, as it was told of then."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        dry: Job = get_object_or_404(self.get_queryset(request), pk=job_id)
        if self.take_in_url(request, dry) is None:
            raise PermissionDenied
        try:
            job = _TAKEN_IN[dry.kind](dry, actor_of(request), timezone.now())
        except DomainError as error:
            messages.error(request, error.detail)
            return redirect(change_url(Job, dry.pk))
        return redirect(change_url(Job, job.pk))
