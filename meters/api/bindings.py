"""Mappings of accounts to meters in: handed over here, worked off by a worker."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import HasRole, HasScope, actor_of
from accounts.roles import Role, Scope
from meters.api.imports import FileParser
from meters.api.jobs import JobQueuedOut, queued
from meters.services.bindings_import import queue_bindings_import


class BindingsFileIn(serializers.Serializer[Any]):
    """A mapping of accounts to meters."""

    file = serializers.FileField(
        help_text="CSV with account and meter columns; from, to, owner_name, address, zone and email where known."
    )
    dry_run = serializers.BooleanField(required=False, default=True, help_text="Tell what would become of each line.")


class BindingsImportView(IdempotentCreate):
    """Hand a mapping over."""

    permission_classes = (HasRole(Role.MANAGER, Role.ADMIN) | HasScope(Scope.ACCOUNTS),)
    parser_classes = (FileParser,)

    @extend_schema(
        operation_id="bindings_import",
        tags=["accounts"],
        parameters=[IDEMPOTENCY_KEY],
        request={"multipart/form-data": BindingsFileIn},
        responses={202: JobQueuedOut, 413: OpenApiResponse(description="`file_too_large`, `body_too_large`.")},
        description=(
            "A worker binds the accounts to the places of their meters, or, unless `dry_run` is false, only tells what "
            "would become of each line. The job's report names each bad line with a code: `unknown_account`, "
            "`unknown_meter`, `meter_bound`, `other_period`, `not_installed`, `bad_date`, `duplicate_line`, "
            "`malformed`. The same mapping again changes nothing."
        ),
    )
    def post(self, request: Request) -> Response:
        wanted = BindingsFileIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        file: UploadedFile[Any] = wanted.validated_data["file"]
        job = queue_bindings_import(
            chunks=file.chunks(),
            name=file.name or "",
            dry_run=wanted.validated_data["dry_run"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        return queued(request, job)
