"""A meter's readings as a file."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api.permissions import MayQuery, asking_person
from energy_portal.shared import strict_json
from meters.api.consumption_serializers import PeriodQuery
from meters.formats.reading import FileFormat
from meters.selectors.access import meter_for, periods_for
from meters.selectors.consumption import InvalidPeriod, PeriodName, meter_period, meter_zone
from meters.selectors.exports import export

_LONGEST = timedelta(days=366)
_SUFFIXES = {FileFormat.CSV: "csv", FileFormat.NEM12: "nem12.csv", FileFormat.GREEN_BUTTON: "xml"}


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
    """A table of what the dials showed."""

    media_type = "text/csv"
    format = FileFormat.CSV.value


class NEM12File(_FileRenderer):
    """The half-hours, as Australia's market exchanges them."""

    media_type = "text/vnd.aemo.nem12"
    format = FileFormat.NEM12.value


class GreenButtonFile(_FileRenderer):
    """The half-hours, as Green Button's feed."""

    media_type = "application/atom+xml"
    format = FileFormat.GREEN_BUTTON.value


class MeterExportView(APIView):
    """The readings of a meter as a file."""

    permission_classes = (MayQuery,)
    renderer_classes = (CSVFile, NEM12File, GreenButtonFile)

    @extend_schema(
        operation_id="meter_export",
        tags=["meters"],
        parameters=[PeriodQuery, OpenApiParameter("format", str, enum=[*FileFormat], default=FileFormat.CSV.value)],
        responses={(200, renderer.media_type): OpenApiTypes.BINARY for renderer in renderer_classes},
        description=(
            "A file of a period, the current month unless told, of at most 366 days: what the dials showed (csv), or "
            "the known half-hours of imported energy (nem12, greenbutton). Missing half-hours are left out, or marked "
            "N. Customers get their own times of supply only."
        ),
    )
    def get(self, request: Request, serial: str) -> HttpResponseBase:
        query = PeriodQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        user, now = asking_person(request), timezone.now()
        meter = meter_for(serial=serial, user=user)
        within = periods_for(meter=meter, user=user)
        named = PeriodName.CUSTOM if "from" in asked or "to" in asked else PeriodName.MONTH
        period = meter_period(
            meter=meter,
            name=asked.get("period") or named,
            now=now,
            zone=meter_zone(meter=meter),
            from_=asked.get("from"),
            to=asked.get("to"),
            within=within,
        )
        if period.duration > _LONGEST:
            raise InvalidPeriod(f"A file holds at most {_LONGEST.days} days.", code="period_too_long")
        renderer = request.accepted_renderer
        file_format = FileFormat(renderer.format)
        body = b"".join(export(meter=meter, period=period, file_format=file_format, now=now, within=within))
        name = "".join(letter for letter in serial if letter.isascii() and (letter.isalnum() or letter in "-_"))
        return HttpResponse(
            body,
            content_type=f"{renderer.media_type}; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name or "meter"}.{_SUFFIXES[file_format]}"'},
        )
