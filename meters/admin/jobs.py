"""Long work: what was asked for, how far it is, what came of it, and its files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import display

from energy_portal.shared.admin import AppendOnlyAdmin, moment
from energy_portal.shared.downloads import StreamedFile, pieces_of
from energy_portal.shared.tables import csv_lines
from meters.admin.common import VisibleRows, instant_column
from meters.admin.imports import ImportPages
from meters.models import Job
from meters.services.uploads import result_of

_COLOURS = {
    Job.Status.QUEUED: "info",
    Job.Status.RUNNING: "info",
    Job.Status.DONE: "success",
    Job.Status.FAILED: "danger",
}
_ENDED = frozenset({Job.Status.DONE, Job.Status.FAILED})
_FILES = frozenset({Job.Kind.IMPORT_READINGS, Job.Kind.IMPORT_BINDINGS})
_ROWS_SHOWN = 200
_LISTED = 20
_PROBLEMS = "problems"
# A report comes back from the database without its order; what is not named here follows.
_ORDER = (
    "dry_run",
    "line",
    "lines",
    "bound",
    "unchanged",
    "accounts_created",
    "what",
    "code",
    "count",
    "detail",
    "stored",
    "duplicates",
    "conflicts",
    "quarantined",
    "rejected",
    "meters_created",
    "problems_by_code",
    _PROBLEMS,
    "problems_not_listed",
)


@dataclass(frozen=True)
class Table:
    """A list of a report; ``hidden`` rows are not shown on the page."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    hidden: int


@dataclass(frozen=True)
class Report:
    """What a job tells of itself: figures by their names, and tables."""

    figures: tuple[tuple[str, object], ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Progress:
    """How far a job is; ``percent`` is None while nobody knows how much there is."""

    percent: int | None
    text: str


@admin.register(Job)
class JobAdmin(ImportPages, VisibleRows, AppendOnlyAdmin):
    """Jobs, with progress while they run."""

    list_display = ("asked", "shown_kind", "upload_name", "shown_status", "progress", "asker", "finished")
    list_display_links = ("asked", "shown_kind")
    list_filter = ("status", "kind")
    list_select_related = ("asked_by", "source")
    list_before_template = "admin/meters/jobs_live.html"
    search_fields = ("upload_name", "asked_by__email", "asked_by__name", "source__name")
    search_help_text = "File, person or data source"
    change_form_outer_before_template = "admin/meters/job_panel.html"
    fields = (("kind", "upload_name"), ("asker", "asked"), "told")
    readonly_fields = ("asker", "asked", "told")
    asked = instant_column("created_at", "Asked")
    finished = instant_column("finished_at", "Finished")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:job_id>/progress/", view(self.progress_view), name="meters_job_progress"),
            path("<uuid:job_id>/result/", view(self.result_view), name="meters_job_result"),
            path("<uuid:job_id>/problems/", view(self.problems_view), name="meters_job_problems"),
            *super().get_urls(),
        ]

    @display(description="Kind", ordering="kind")
    def shown_kind(self, job: Job) -> str:
        return str(job.get_kind_display())

    @display(description="Status", ordering="status", label=_COLOURS)
    def shown_status(self, job: Job) -> tuple[str, str]:
        return job.status, job.get_status_display()

    @display(description="Progress")
    def progress(self, job: Job) -> str:
        return progress_of(job).text

    @display(description="Asked by")
    def asker(self, job: Job) -> str:
        return job.asked_by.name if job.asked_by else str(job.source or "the portal")

    @display(description="What was told")
    def told(self, job: Job) -> str:
        return "; ".join(f"{_words(name).lower()} {_listed(value)}" for name, value in job.parameters.items() if value)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Tell the list whether any job is under way, so that it keeps itself up to date."""
        under_way = self.get_queryset(request).exclude(status__in=_ENDED).exists()
        return super().changelist_view(request, {**(extra_context or {}), "under_way": under_way})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add the panel with progress and report."""
        job = self.get_object(request, object_id)
        panel = self._panel(request, job) if job is not None else {}
        answer: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **panel})
        return answer

    def progress_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """Answer how far a job is, as the part of its page that is exchanged."""
        return TemplateResponse(
            request,
            "admin/meters/job_progress.html",
            {**self._panel(request, self._job(request, job_id)), "live": True},
        )

    def result_view(self, request: HttpRequest, job_id: UUID) -> HttpResponseBase:
        """Hand out the file that a job made."""
        job = self._job(request, job_id)
        found = result_of(job)
        if found is None:
            raise Http404("The job has no file, or has it no more.")
        return StreamedFile(pieces_of(found), name=f"{job.kind}-{found.name}", content_type="application/octet-stream")

    def problems_view(self, request: HttpRequest, job_id: UUID) -> HttpResponseBase:
        """Hand out the problems of a job's report, by line."""
        job = self._job(request, job_id)
        columns, rows = _columns_and_rows(job.report.get(_PROBLEMS) or [])
        lines = csv_lines(columns, rows, bom=True)
        return StreamedFile(lines, name=f"problems-{job.pk}.csv", content_type="text/csv; charset=utf-8")

    def _job(self, request: HttpRequest, job_id: UUID) -> Job:
        if not self.has_view_permission(request):
            raise Http404
        job: Job = get_object_or_404(self.get_queryset(request), pk=job_id)
        return job

    def _panel(self, request: HttpRequest, job: Job) -> dict[str, Any]:
        ended = job.status in _ENDED
        return {
            "job": job,
            "ended": ended,
            "progress": progress_of(job),
            "times": _times(job),
            "report": report_of(job.report) if ended else None,
            "progress_url": reverse("admin:meters_job_progress", args=[job.pk]),
            "problems_url": reverse("admin:meters_job_problems", args=[job.pk]),
            "result_url": reverse("admin:meters_job_result", args=[job.pk]) if result_of(job) is not None else None,
            "take_in_url": self.take_in_url(request, job),
        }


def progress_of(job: Job) -> Progress:
    """Say how far a job is: of files in bytes, otherwise in pieces of work."""
    write = filesizeformat if job.kind in _FILES else _grouped
    if not job.total:
        return Progress(100 if job.status == Job.Status.DONE else None, write(job.done) if job.done else "-")
    done = min(job.done, job.total)
    return Progress(100 * done // job.total, f"{write(done)} of {write(job.total)}")


def report_of(report: Mapping[str, Any]) -> Report:
    """Lay a report out, whatever a job's kind tells: scalars are figures, lists and mappings are tables."""
    figures: list[tuple[str, object]] = []
    tables: list[Table] = []
    for name in _in_order(report):
        value = report[name]
        counts = value.items() if isinstance(value, Mapping) else None
        entries = value if counts is None else [{"what": key, "count": count} for key, count in counts]
        if not isinstance(entries, list):
            figures.append((_words(name), entries))
        elif entries:
            columns, rows = _columns_and_rows(entries)
            shown = tuple(tuple(row) for row in rows[:_ROWS_SHOWN])
            tables.append(Table(name, _words(name), tuple(map(_words, columns)), shown, len(rows) - len(shown)))
    return Report(tuple(figures), tuple(tables))


def _columns_and_rows(entries: Sequence[Any]) -> tuple[list[str], list[list[object]]]:
    as_mappings = [entry if isinstance(entry, Mapping) else {"entry": entry} for entry in entries]
    columns = _in_order({key for entry in as_mappings for key in entry})
    return columns, [[entry.get(column) for column in columns] for entry in as_mappings]


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))


def _listed(value: Any) -> str:
    """Write what was told of a job, of long lists the beginning."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {each}" for key, each in value.items())
    if not isinstance(value, list):
        return "yes" if value is True else str(value)
    more = len(value) - _LISTED
    return ", ".join(map(str, value[:_LISTED])) + (f" and {more:,} more" if more > 0 else "")


def _times(job: Job) -> Iterator[tuple[str, str]]:
    yield "Asked", moment(job.created_at)
    yield "Started", moment(job.started_at, missing="not yet")
    yield "Finished", moment(job.finished_at, missing="not yet")


def _grouped(number: int) -> str:
    return f"{number:,}"


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
