"""Files of readings in: handed over here, taken in by a worker."""

from collections.abc import Mapping
from dataclasses import fields
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import actor_of
from energy_portal.shared import strict_json
from energy_portal.shared.clock import LabelConvention
from meters.api.callers import MaySendReadings
from meters.api.jobs import JobQueuedOut, queued
from meters.formats.layout import COLUMNS
from meters.formats.reading import FileFormat
from meters.models.places import Commodity
from meters.services.file_imports import AUTO, ImportOptions, queue_import
from meters.services.uploads import FileTooLarge

_LABELS = [each.replace("_", "-") for each in LabelConvention]


class _Bounded(TemporaryFileUploadHandler):
    """Takes a file to disk, and no more of it than a file may hold."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) > settings.MAX_FILE_SIZE:
            raise FileTooLarge.of_limit()
        super().receive_data_chunk(raw_data, start)


class FileParser(MultiPartParser):
    """Parse a form with a file, whose size is judged while it comes.

    :raises FileTooLarge: it holds more than ``MAX_FILE_SIZE``.
    """

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        request = (parser_context or {})["request"]
        handlers: list[FileUploadHandler] = [_Bounded(request)]
        request.upload_handlers = handlers
        return super().parse(stream, media_type, parser_context)


class ColumnsField(serializers.DictField):
    """The names of columns, as a JSON object in a form's field."""

    child = serializers.CharField(max_length=100)

    def get_value(self, dictionary: Any) -> Any:
        value = dictionary.get(self.field_name, serializers.empty)
        return value if value is not serializers.empty else serializers.empty

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            try:
                data = strict_json.loads(data.encode()) if data.strip() else {}
            except strict_json.MalformedJSON:
                self.fail("not_a_dict", input_type="str")
        return super().to_internal_value(data)


class ReadingsFileIn(serializers.Serializer[Any]):
    """A file of readings, and what it does not say itself."""

    file = serializers.FileField(help_text="CSV, NEM12/NEM13 or Green Button, also packed where its name ends in .gz.")
    format = serializers.ChoiceField(choices=[AUTO, *FileFormat], default=AUTO)
    zone = serializers.CharField(required=False, default="", allow_blank=True, max_length=64)
    labels = serializers.ChoiceField(choices=_LABELS, required=False, default="", allow_blank=True)
    meter_id = serializers.CharField(
        source="serial", required=False, default="", allow_blank=True, max_length=64, help_text="Where it names none."
    )
    unit = serializers.CharField(required=False, default="", allow_blank=True, max_length=10)
    scale = serializers.CharField(required=False, default="1", max_length=20, help_text="A table's values times this.")
    interval_minutes = serializers.IntegerField(
        required=False,
        default=0,
        min_value=0,
        max_value=30,
        help_text="A table's rows without a start count this long.",
    )
    columns = ColumnsField(
        required=False,
        default=dict,
        help_text=f'{", ".join(COLUMNS)} by a table\'s own names, as {{"value": "stand"}}.',
    )
    commodity = serializers.ChoiceField(choices=Commodity.choices, required=False, default="", allow_blank=True)
    create_meters = serializers.BooleanField(required=False, default=False)
    dry_run = serializers.BooleanField(required=False, default=False)

    def options(self) -> ImportOptions:
        """Return what was told, once it is valid."""
        told = {each.name: self.validated_data[each.name] for each in fields(ImportOptions)}
        return ImportOptions(**told)


class ReadingsImportView(IdempotentCreate):
    """Hand a file of readings over."""

    permission_classes = (MaySendReadings,)
    parser_classes = (FileParser,)

    @extend_schema(
        operation_id="readings_import",
        tags=["readings"],
        parameters=[IDEMPOTENCY_KEY],
        request={"multipart/form-data": ReadingsFileIn},
        responses={
            202: JobQueuedOut,
            413: OpenApiResponse(description="`file_too_large`, `body_too_large`."),
            422: OpenApiResponse(description="`bad_option`, `unknown_zone`, `wrong_unit`."),
        },
        description=(
            "A worker takes the file in; the job at `url` shows how many bytes it has read, and at last what was "
            "stored and each bad line with its number. The good half of a file enters. Taking it in again adds nothing."
        ),
    )
    def post(self, request: Request) -> Response:
        wanted = ReadingsFileIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        file: UploadedFile[Any] = wanted.validated_data["file"]
        job = queue_import(
            chunks=file.chunks(),
            name=file.name or "",
            options=wanted.options(),
            actor=actor_of(request),
            now=timezone.now(),
        )
        return queued(request, job)
