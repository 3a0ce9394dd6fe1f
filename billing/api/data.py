"""A bill's half-hours as files."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api.permissions import MayQuery, asking_person
from billing.selectors.bills import bills_visible_to
from billing.selectors.data import DataFormat, bill_data
from energy_portal.shared import strict_json
from energy_portal.shared.api import ProblemAwareJSONRenderer
from energy_portal.shared.downloads import StreamedFile


class _FileRenderer(BaseRenderer):
    """Lets a client ask for the file's type; the view writes the file itself, so only errors are rendered: as JSON."""

    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return strict_json.dumps(data)


class _CSVFile(_FileRenderer):
    media_type = "text/csv"
    format = "csv"


class _GreenButtonFile(_FileRenderer):
    media_type = "application/atom+xml"
    format = "xml"


class _XMLFile(_GreenButtonFile):
    media_type = "application/xml"


class _BillDataView(APIView):
    permission_classes = (MayQuery,)
    file_format = DataFormat.CSV

    def _file_of(self, request: Request, bill_id: UUID) -> HttpResponseBase:
        bill = bills_visible_to(asking_person(request)).filter(pk=bill_id).first()
        if bill is None:
            raise Http404
        return StreamedFile(
            bill_data(bill, file_format=self.file_format, now=timezone.now()),
            name=self.file_format.name_for(bill),
            content_type=self.file_format.content_type,
        )


class BillCSVView(_BillDataView):
    """The half-hours of a bill as a table."""

    renderer_classes = (_CSVFile, ProblemAwareJSONRenderer)

    @extend_schema(
        operation_id="bills_data_csv",
        tags=["bills"],
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.BINARY, description="A row a half-hour.")},
        description="The half-hours that a bill is for, as they were known when it was made; what is missing is empty.",
    )
    def get(self, request: Request, bill_id: UUID) -> HttpResponseBase:
        return self._file_of(request, bill_id)


class BillGreenButtonView(_BillDataView):
    """The half-hours of a bill as Green Button's feed."""

    renderer_classes = (_GreenButtonFile, _XMLFile, ProblemAwareJSONRenderer)
    file_format = DataFormat.GREEN_BUTTON

    @extend_schema(
        operation_id="bills_data_green_button",
        tags=["bills"],
        responses={(200, "application/atom+xml"): OpenApiResponse(OpenApiTypes.BINARY, description="An Atom feed.")},
        description=(
            "The half-hours that a bill is for, as they were known when it was made: a usage point a place of supply. "
            "What is missing is left out; of estimates the quality is 9."
        ),
    )
    def get(self, request: Request, bill_id: UUID) -> HttpResponseBase:
        return self._file_of(request, bill_id)
