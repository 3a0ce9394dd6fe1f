"""Asking for the archive's run."""

from datetime import date
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import HasRole, HasScope, actor_of
from accounts.roles import Role, Scope
from meters.api.jobs import JobQueuedOut, queued
from meters.models import Job
from meters.services.jobs import queue_job


class ArchiveIn(serializers.Serializer[Any]):
    """Up to when months are archived."""

    until = serializers.DateField(
        required=False,
        allow_null=True,
        help_text="Months (UTC) that end by this day; unless told, what is older than the retention.",
    )


class ArchiveAndPrepareView(APIView):
    """Archive closed months and make the coming partitions: the published path."""

    permission_classes = (HasRole(Role.ADMIN) | HasScope(Scope.ARCHIVE),)

    @extend_schema(
        operation_id="archive_and_prepare",
        tags=["published paths"],
        request=ArchiveIn,
        responses={202: JobQueuedOut},
        description="Idempotent: where nothing is left to be archived the job says so. Its progress is at `url`.",
        examples=[OpenApiExample("up to a day", request_only=True, value={"until": "2025-02-01"})],
    )
    def post(self, request: Request) -> Response:
        asked = ArchiveIn(data=request.data)
        asked.is_valid(raise_exception=True)
        until: date | None = asked.validated_data.get("until")
        parameters = {} if until is None else {"until": until.isoformat()}
        job = queue_job(kind=Job.Kind.ARCHIVE, parameters=parameters, actor=actor_of(request), now=timezone.now())
        return queued(request, job)
