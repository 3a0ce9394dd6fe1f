"""Readings in, as machines send them, and out, as pages."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import actor_of, asking_person
from energy_portal.shared.errors import Invalid, ItemError
from meters.api.callers import MayQueryOrSend, MaySendReadings
from meters.api.serializers import ReadingIn, ReadingReportOut, ReadingsIn, ReadingsQuery, RegisterReadingOut
from meters.models import RegisterReading
from meters.selectors.access import meter_for, periods_for
from meters.selectors.reading_lists import ReadingList
from meters.services.offers import USUAL_CODE
from meters.services.readings import Offer, receive_columns

_DESCRIPTION = (
    'One reading, `{"readings": [...]}` or a bare list, stored when this answers. A stamp must name :00, :30 or '
    "23:59, which is the midnight that follows. Good rows are kept when others are bad; each of those is named by its "
    "index with a code: `malformed`, `not_a_number`, `too_many_digits`, `too_many_decimals`, `off_mark`, `in_future`, "
    "`too_old`, `unknown_meter`, `inactive_meter`, `unknown_register`, `unknown_quality`, `wrong_unit`, "
    "`not_installed`, `negative`, `exceeds_register`, `regression`, `estimate_not_taken`. What is `quarantined` has "
    "not entered: it waits for a decision. A repeat with the same value is a duplicate; with another value it is a "
    "conflict, and the first stands. When every row was rejected the answer is 422 with the same list as `errors`."
)
_RESPONSES = {
    201: ReadingReportOut,
    413: OpenApiResponse(description="`batch_too_large`, `body_too_large`."),
    422: OpenApiResponse(description="`all_rejected`: every row was rejected."),
}
_BODY = PolymorphicProxySerializer(
    "ReadingOrReadings", [ReadingIn, ReadingsIn, ReadingIn(many=True)], resource_type_field_name=None, many=False
)
_EXAMPLES = [
    OpenApiExample(
        "one",
        request_only=True,
        value={"meter_id": "SG-000123", "timestamp": "2025-02-28T23:59:00+08:00", "reading": 1450.5},
    ),
    OpenApiExample(
        "what became of it",
        response_only=True,
        status_codes=["201"],
        value={
            "stored": 1,
            "duplicates": 0,
            "quarantined": [],
            "conflicts": [],
            "rejected": [{"index": 1, "code": "off_mark", "detail": "… does not end a half-hour (:00, :30 or 23:59)."}],
        },
    ),
]


class MalformedBatch(Invalid):
    """A body is neither a reading nor a list of them."""

    code = "malformed"
    status = 400


class AllRejected(Invalid):
    """Not one row of a batch entered."""

    code = "all_rejected"


class ReceiveMeterReadingView(APIView):
    """The door for register readings: the published path."""

    permission_classes = (MaySendReadings,)

    @extend_schema(
        operation_id="receive_meter_reading",
        tags=["published paths"],
        request=_BODY,
        responses=_RESPONSES,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        return _receive(request)


class MeterReadingsView(ListAPIView[RegisterReading]):
    """A meter's readings, newest first; somebody's own times of supply only."""

    queryset = RegisterReading.objects.none()
    permission_classes = (MayQueryOrSend,)
    serializer_class = RegisterReadingOut
    filter_backends = ()

    @extend_schema(operation_id="meter_readings_list", tags=["meters"], parameters=[ReadingsQuery])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="meter_readings_create",
        tags=["meters"],
        request=_BODY,
        responses=_RESPONSES,
        description=f"{_DESCRIPTION} The meter is the path's.",
        examples=_EXAMPLES,
    )
    def post(self, request: Request, serial: str) -> Response:
        return _receive(request, serial=serial)

    def get_queryset(self) -> Any:
        query = ReadingsQuery(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        user = asking_person(self.request)
        meter = meter_for(serial=self.kwargs["serial"], user=user)
        register = meter.registers.filter(code=query.validated_data["register"]).first()
        start, end = query.bounds()
        readings = ReadingList(register).during(start).within(periods_for(meter=meter, user=user))
        return readings if end is None else readings.before(end)


def _receive(request: Request, serial: str | None = None) -> Response:
    offer = offer_of(request.data, serial)
    report = receive_columns(offer=offer, actor=actor_of(request), now=timezone.now())
    if len(report.rejected) == len(offer):
        raise AllRejected(
            f"None of {len(offer)} readings entered." if len(offer) > 1 else report.rejected[0].detail,
            errors=[ItemError(each.code, each.detail, index=each.index) for each in report.rejected],
        )
    return Response(ReadingReportOut(report).data, status=status.HTTP_201_CREATED)


def offer_of(body: Any, serial: str | None = None) -> Offer:
    """Return what a body offers, for the door to judge; what is no object in a list is a row without anything.

    :param serial: the meter of all rows, whatever they say.
    :raises MalformedBatch: it is neither a reading nor a list of them.
    """
    rows = [row if isinstance(row, dict) else {} for row in _rows(body)]
    return Offer(
        meter_ids=[row.get("meter_id") for row in rows] if serial is None else [serial] * len(rows),
        timestamps=[row.get("timestamp") for row in rows],
        values=[row.get("reading") for row in rows],
        register_codes=[row.get("register", USUAL_CODE) for row in rows],
        qualities=[row.get("quality") for row in rows],
        units=[row.get("unit") for row in rows],
    )


def _rows(body: Any) -> list[Any]:
    rows = body.get("readings", [body]) if isinstance(body, dict) else body
    if not isinstance(rows, list) or not rows:
        raise MalformedBatch("A reading, a list of readings, or an object with the list readings is needed.")
    return rows
