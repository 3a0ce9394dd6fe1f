"""Live readings, where Django's own stack must answer: the same decoder, writer and limits as the door's."""

import time
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import calling_source
from accounts.models import SourceKey
from meters.batteries.api.callers import MaySendReadings
from meters.batteries.quantities import SIGNALS, System
from meters.batteries.services.live import Sender, read_request, writer
from meters.batteries.services.receipts import conclude
from meters.batteries.services.terms import terms
from meters.devices.api.messages import BytesParser, MessageItemOut
from meters.devices.services.keys import Grant
from meters.devices.services.limits import limits

_WORDS = (
    "One reading of the {} or an array of them; stored when this answers. Any of the fields may be left out or null: "
    "it is missing then. Members that nobody knows are passed over. What is bad of an array is left out and named by "
    "its index with a code (`malformed`, `empty`, `retired_battery`, `too_old`, `in_future`) under `rejected`; the "
    "rest is kept. `conflicts` lists readings that tell another value than the one that stands; what was still missing "
    "is joined, and repeats add nothing. When nothing at all was taken the answer is 422 `all_rejected` with the same "
    "list as `errors`. A source's own names, units and signs are kept as its convention. A source that may create "
    "devices has an unknown battery entered."
)


class ReadingsReceiptOut(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["ok"])
    stored = serializers.IntegerField(help_text="Readings that told something new.")
    duplicates = serializers.IntegerField(help_text="Readings that stood already.")
    rejected = MessageItemOut(many=True, required=False)
    conflicts = MessageItemOut(many=True, required=False)


def receiving(system: System) -> Any:
    """Return what describes the path that takes a system's readings."""
    fields: dict[str, serializers.Field[Any, Any, Any, Any]] = {
        signal.name: serializers.FloatField(
            required=False, allow_null=True, help_text=f"{signal.title}, {signal.unit}."
        )
        for signal in SIGNALS[system]
    }
    instant = serializers.JSONField(help_text="ISO 8601 with its offset, or milliseconds since 1970.")
    shape = inline_serializer(f"{system.upper()}ReadingIn", {"timestamp": instant, **fields})
    told = {
        "bms": {"soc": 85.5, "voltage": 825.3, "current": 150.5},
        "pcs": {"apparent_power": 124.2, "temp_igbt": 51.0},
    }
    return extend_schema(
        operation_id=f"batteries_{system}_send",
        tags=["batteries"],
        request={
            "application/json": PolymorphicProxySerializer(
                f"{system.upper()}ReadingOrReadings",
                [shape, type(shape)(many=True)],
                resource_type_field_name=None,
                many=False,
            )
        },
        responses={
            200: ReadingsReceiptOut,
            400: OpenApiResponse(OpenApiTypes.OBJECT, description="`malformed`: neither an object nor an array."),
            404: OpenApiResponse(OpenApiTypes.OBJECT, description="`not_found`: no such battery."),
            413: OpenApiResponse(OpenApiTypes.OBJECT, description="`batch_too_large`, `body_too_large`."),
            422: OpenApiResponse(OpenApiTypes.OBJECT, description="`all_rejected`: nothing of it was taken."),
            429: OpenApiResponse(OpenApiTypes.OBJECT, description="`throttled`: more than the source may send."),
            503: OpenApiResponse(OpenApiTypes.OBJECT, description="Too many wait to be stored; see Retry-After."),
        },
        description=_WORDS.format(system.upper()),
        examples=[
            OpenApiExample("one", request_only=True, value={"timestamp": "2025-03-01T12:00:00Z", **told[system]}),
            OpenApiExample("stored", response_only=True, value={"status": "ok", "stored": 1, "duplicates": 0}),
        ],
    )


class ReceiveReadings(APIView):
    """Take the live readings of a battery's ``system``; a view that also answers with readings inherits it first."""

    system: System
    parser_classes = (BytesParser,)

    def get_permissions(self) -> list[Any]:
        return [MaySendReadings()] if self.request.method == "POST" else [*super().get_permissions()]

    def get_throttles(self) -> list[Any]:
        # Sources are limited by their messages, and people send few.
        return [] if self.request.method == "POST" else super().get_throttles()

    def post(self, request: Request, battery_id: str) -> Response:
        """Store readings, and answer once they are on disk."""
        body: Any = request.data
        grant = Grant.of(request.auth) if isinstance(request.auth, SourceKey) and calling_source(request) else None
        sender = Sender(grant.source_id, grant.creator) if grant else Sender()
        decoded = read_request(body or b"", self.system, battery_id, terms(), sender)
        if grant is not None:
            limits.charge(grant, decoded.messages, now=time.time())
            limits.settle()
        outcomes = writer().submit_sync(decoded.readings) if decoded.readings else []
        return Response(conclude(decoded, outcomes).as_dict())
