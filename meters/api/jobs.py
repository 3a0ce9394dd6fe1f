"""Long work that somebody asked for: how far it is, and what became of it."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.urls import reverse
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import IsPerson, actor_of
from energy_portal.shared.downloads import StreamedFile, pieces_of
from energy_portal.shared.errors import NotFound
from meters.api.callers import IsSource
from meters.models import Job
from meters.selectors.access import job_for, jobs_for
from meters.services.uploads import result_of

_CONTENT_TYPES = {".csv": "text/csv; charset=utf-8", ".xml": "application/atom+xml; charset=utf-8"}


class JobOut(serializers.ModelSerializer[Job]):
    """A job, its progress and its report."""

    asked_by = serializers.SerializerMethodField(help_text="A person's address, or a data source's name.")
    result_url = serializers.SerializerMethodField(help_text="Where its file is, once there is one.")

    class Meta:
        model = Job
        fields = (
            "id",
            "kind",
            "status",
            "parameters",
            "upload_name",
            "done",
            "total",
            "report",
            "error",
            "created_at",
            "started_at",
            "finished_at",
            "asked_by",
            "result_url",
        )
        read_only_fields = fields

    def get_asked_by(self, job: Job) -> str | None:
        """Return who asked."""
        if job.asked_by is not None:
            return job.asked_by.email
        return job.source.name if job.source is not None else None

    def get_result_url(self, job: Job) -> str | None:
        """Return the absolute address of the result."""
        if not job.result:
            return None
        return absolute(self.context["request"], reverse("meters:api_job_result", args=[job.pk]))


class JobQueuedOut(serializers.Serializer[Any]):
    """Where a job that was asked for shows its progress."""

    job = serializers.UUIDField()
    url = serializers.URLField()
    status = serializers.ChoiceField(choices=Job.Status.choices)


def queued(request: Request, job: Job) -> Response:
    """Return the answer to who asked for a job: 202, and where its progress is."""
    url = absolute(request, reverse("meters:api_job", args=[job.pk]))
    body = {"job": job.pk, "url": url, "status": job.status}
    return Response(JobQueuedOut(body).data, status=202, headers={"Location": url})


def absolute(request: Request, path: str) -> str:
    """Return a path of ours as the caller reaches it."""
    return str(request.build_absolute_uri(path))


class JobFilter(filters.FilterSet):  # type: ignore[misc]
    """By kind and status."""

    class Meta:
        model = Job
        fields = ("kind", "status")


@extend_schema_view(get=extend_schema(operation_id="jobs_list", tags=["jobs"]))
class JobListView(ListAPIView[Job]):
    """The jobs that the caller asked for, newest first; everybody's for managers and admins."""

    queryset = Job.objects.none()
    permission_classes = (IsPerson | IsSource,)
    serializer_class = JobOut
    filterset_class = JobFilter

    def get_queryset(self) -> QuerySet[Job]:
        jobs = jobs_for(actor=actor_of(self.request)).select_related("asked_by", "source")
        return jobs.order_by("-created_at", "-pk")


class JobDetailView(APIView):
    """One job."""

    permission_classes = (IsPerson | IsSource,)

    @extend_schema(operation_id="jobs_retrieve", tags=["jobs"], responses=JobOut)
    def get(self, request: Request, job_id: UUID) -> Response:
        job = job_for(job_id=job_id, actor=actor_of(request))
        return Response(JobOut(job, context={"request": request}).data)


class NoResult(NotFound):
    """A job has no file, or has it no more."""

    code = "no_result"


class JobResultView(APIView):
    """The file that a job made."""

    permission_classes = (IsPerson | IsSource,)

    @extend_schema(
        operation_id="jobs_result",
        tags=["jobs"],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            404: OpenApiResponse(description="`no_result`."),
        },
    )
    def get(self, request: Request, job_id: UUID) -> HttpResponseBase:
        job = job_for(job_id=job_id, actor=actor_of(request))
        path = result_of(job)
        if path is None:
            raise NoResult("The job has no file, or has it no more.")
        content_type = _CONTENT_TYPES.get(path.suffix, "application/octet-stream")
        return StreamedFile(pieces_of(path), name=f"{job.kind}-{path.name}", content_type=content_type)
