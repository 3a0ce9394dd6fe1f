"""Readings of meters as files."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import MayQuery, actor_of, asking_person
from energy_portal.shared import strict_json
from energy_portal.shared.downloads import StreamedFile
from meters.api.consumption_serializers import PeriodQuery, period_name
from meters.api.jobs import JobQueuedOut, queued
from meters.formats.writing import ExportFormat
from meters.selectors.access import meter_for, periods_for
from meters.selectors.consumption import InvalidPeriod, meter_period, meter_zone
from meters.selectors.exports import check_format, export
from meters.services.exports import MOST_METERS, queue_export

_LONGEST = timedelta(days=366)


class _FileRenderer(BaseRenderer):
    """Names a format for ``?format=``; the view writes its files itself, so only errors are rendered: as JSON."""

    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return strict_json.dumps(data)


class CSVFile(_FileRenderer):
    """A table of what the registers hold."""

    media_type = "text/csv"
    format = ExportFormat.CSV.value


class ParquetFile(_FileRenderer):
    """The same table for analysis: times as instants, values as decimals."""

    media_type = "application/vnd.apache.parquet"
    format = ExportFormat.PARQUET.value
    charset = None  # type: ignore[assignment]


class NEM12File(_FileRenderer):
    """The half-hours, as Australia's market exchanges them."""

    media_type = "text/vnd.aemo.nem12"
    format = ExportFormat.NEM12.value


class GreenButtonFile(_FileRenderer):
    """The half-hours, as Green Button's feed."""

    media_type = "application/atom+xml"
    format = ExportFormat.GREEN_BUTTON.value


_FILES = (CSVFile, ParquetFile, NEM12File, GreenButtonFile)
_FORMAT = OpenApiParameter("format", str, enum=[*ExportFormat], default=ExportFormat.CSV.value)
_CONTENT = {(200, renderer.media_type): OpenApiTypes.BINARY for renderer in _FILES}
_DESCRIPTION = (
    "A file of a period, the current month unless told, of at most 366 days: what the registers hold (csv, parquet), "
    "dials as they showed and intervals as they count, before any multiplier; or the known half-hours of energy in and "
    "out (nem12, greenbutton). Missing half-hours are left out, or marked N. Customers get their own times of supply "
    "only."
)


class MeterExportView(APIView):
    """The readings of a meter as a file."""

    permission_classes = (MayQuery,)
    renderer_classes = _FILES

    @extend_schema(
        operation_id="meter_export",
        tags=["meters"],
        parameters=[PeriodQuery, _FORMAT],
        responses=_CONTENT,
        description=_DESCRIPTION,
    )
    def get(self, request: Request, serial: str) -> HttpResponseBase:
        return _file_of(request, serial)


class ExportQuery(PeriodQuery):
    """A meter and a period."""

    meter_id = serializers.CharField(max_length=64)


class ReadingsExportIn(PeriodQuery):
    """Meters, a period and a format."""

    meter_ids = serializers.ListField(
        child=serializers.CharField(max_length=64), allow_empty=False, max_length=MOST_METERS
    )
    format = serializers.ChoiceField(choices=[*ExportFormat], default=ExportFormat.CSV.value)


class ReadingsExportView(IdempotentCreate):
    """The readings of one meter as a file at once, of many as a job."""

    permission_classes = (MayQuery,)

    def get_renderers(self) -> list[BaseRenderer]:
        """Write files on GET, and JSON otherwise."""
        return [renderer() for renderer in _FILES] if self.request.method == "GET" else super().get_renderers()

    @extend_schema(
        operation_id="readings_export",
        tags=["readings"],
        parameters=[ExportQuery, _FORMAT],
        responses=_CONTENT,
        description=_DESCRIPTION,
    )
    def get(self, request: Request) -> HttpResponseBase:
        query = ExportQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        return _file_of(request, query.validated_data["meter_id"])

    @extend_schema(
        operation_id="readings_export_job",
        tags=["readings"],
        parameters=[IDEMPOTENCY_KEY],
        request=ReadingsExportIn,
        responses={202: JobQueuedOut, 422: OpenApiResponse(description="`not_electric`, `invalid_period`.")},
        description=(
            "A worker writes one file of all these meters, each for the period on the clock of its own place. Once the "
            "job at `url` is done its `result_url` is the file, for whoever asked and for managers."
        ),
    )
    def post(self, request: Request) -> Response:
        wanted = ReadingsExportIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        asked = wanted.validated_data
        job = queue_export(
            serials=asked["meter_ids"],
            name=period_name(asked),
            file_format=ExportFormat(asked["format"]),
            actor=actor_of(request),
            now=timezone.now(),
            from_=asked.get("from"),
            to=asked.get("to"),
        )
        return queued(request, job)


def _file_of(request: Request, serial: str) -> HttpResponseBase:
    query = PeriodQuery(data=request.query_params)
    query.is_valid(raise_exception=True)
    asked = query.validated_data
    user, now = asking_person(request), timezone.now()
    meter = meter_for(serial=serial, user=user)
    within = periods_for(meter=meter, user=user)
    period = meter_period(
        meter=meter,
        name=period_name(asked),
        now=now,
        zone=meter_zone(meter=meter),
        from_=asked.get("from"),
        to=asked.get("to"),
        within=within,
    )
    if period.duration > _LONGEST:
        raise InvalidPeriod(f"A file holds at most {_LONGEST.days} days.", code="period_too_long")
    renderer = request.accepted_renderer
    file_format = ExportFormat(renderer.format)
    check_format(meter=meter, file_format=file_format)
    charset = "; charset=utf-8" if renderer.charset else ""
    return StreamedFile(
        export(meter=meter, period=period, file_format=file_format, now=now, within=within),
        name=f"{serial}.{file_format.suffix}",
        content_type=f"{renderer.media_type}{charset}",
    )
