"""Files of a battery's signals, handed over to be aligned and stored."""

from dataclasses import fields
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import actor_of, asking_person
from meters.api.imports import FileParser
from meters.api.jobs import JobQueuedOut, queued
from meters.batteries.alignment import TOLERANCE_SECONDS
from meters.batteries.api.callers import MaySendReadings
from meters.batteries.quantities import System
from meters.batteries.selectors.batteries import battery_for
from meters.batteries.services.import_uploads import queue_battery_import
from meters.batteries.services.imports import EVERY_SECONDS, ImportOptions


class BatteryFilesIn(serializers.Serializer[Any]):
    """Files of a battery's signals, and what they do not say themselves."""

    file = serializers.ListField(
        child=serializers.FileField(help_text="CSV, also packed (.gz), or a ZIP archive of such."), allow_empty=False
    )
    every_seconds = serializers.IntegerField(required=False, default=EVERY_SECONDS, min_value=1, max_value=3600)
    convention = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)
    system = serializers.ChoiceField(choices=list(System), required=False, default="", allow_blank=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        tolerances: dict[str, serializers.Field[Any, Any, Any, Any]] = {
            f"tolerance_{name}": serializers.FloatField(
                required=False, help_text=f"For how many seconds a value stands; {seconds:g} unless told."
            )
            for name, seconds in TOLERANCE_SECONDS.items()
        }
        return {**super().get_fields(), **tolerances}

    def options(self) -> ImportOptions:
        """Return what was told, once it is valid."""
        told = self.validated_data
        names = {field.name for field in fields(ImportOptions)}
        tolerances = {name: told[f"tolerance_{name}"] for name in TOLERANCE_SECONDS if f"tolerance_{name}" in told}
        return ImportOptions(**{name: value for name, value in told.items() if name in names}, tolerances=tolerances)


class BatteryImportView(IdempotentCreate):
    """Hand files of a battery over."""

    permission_classes = (MaySendReadings,)
    parser_classes = (FileParser,)

    @extend_schema(
        operation_id="battery_import",
        tags=["batteries"],
        parameters=[IDEMPOTENCY_KEY],
        request={"multipart/form-data": BatteryFilesIn},
        responses={
            202: JobQueuedOut,
            404: OpenApiResponse(description="`not_found`."),
            409: OpenApiResponse(description="`retired_battery`."),
            413: OpenApiResponse(description="`file_too_large`, `body_too_large`."),
            422: OpenApiResponse(description="`bad_option`, `unknown_unit`, `unknown_zone`."),
        },
        description=(
            "One file a signal, named by its file or its heading, or several columns beside a time; each at its own "
            "rate. A worker aligns them to rows of one rate, stores these, and tells at the job's `url` how far it is "
            "and at last of each bad line, gap and repeat. The good lines enter. Handing the same files over again "
            "adds nothing."
        ),
    )
    def post(self, request: Request, battery_id: str) -> Response:
        battery = battery_for(battery_id=battery_id, user=asking_person(request))
        wanted = BatteryFilesIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        job = queue_battery_import(
            battery=battery,
            uploads=[(file.name or "", file.chunks()) for file in wanted.validated_data["file"]],
            options=wanted.options(),
            actor=actor_of(request),
            now=timezone.now(),
        )
        return queued(request, job)
