"""What devices tell, where Django's own stack must answer: the same decoder, writer and limits as the door's."""

import time
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import calling_source
from accounts.api.permissions import HasRole, HasScope
from accounts.models import SourceKey
from accounts.roles import Role, Scope
from energy_portal.shared.api.media import BodyTooLarge
from meters.devices.services.intake import Decoder, conclude, read_energy, read_messages
from meters.devices.services.keys import Grant
from meters.devices.services.limits import limits
from meters.devices.services.mappings import mappings
from meters.devices.services.messages import writer

MaySendMessages = HasRole(Role.OPERATOR, Role.MANAGER, Role.ADMIN) | HasScope(Scope.DEVICES)

_REASONS = (
    "What is bad of an array is left out and named by its index with a code (`malformed`, `unknown_device`, "
    "`retired_device`, `too_old`, `in_future`) under `rejected`; the rest is kept. `conflicts` lists messages that "
    "tell another value than the one that stands. Repeats add nothing. When nothing at all was taken the answer is 422 "
    "`all_rejected` with the same list as `errors`. Codes that no mapping knows are counted, not refused."
)


class PropertyIn(serializers.Serializer[Any]):
    code = serializers.CharField()
    time = serializers.IntegerField(help_text="Milliseconds since 1970, UTC.")
    value = serializers.JSONField(help_text="A number, a text of one, or on and off.")
    dpId = serializers.IntegerField(required=False, help_text="Not kept.")  # noqa: N815 as devices write it


class PropertyDataIn(serializers.Serializer[Any]):
    devId = serializers.CharField(max_length=64)  # noqa: N815 as devices write it
    productId = serializers.CharField(required=False)  # noqa: N815 as devices write it
    properties = PropertyIn(many=True)


class DeviceMessageIn(serializers.Serializer[Any]):
    """Protocol 1000; another ``bizCode`` is acknowledged with 0 and counted."""

    bizCode = serializers.CharField()  # noqa: N815 as devices write it
    bizData = PropertyDataIn()  # noqa: N815 as devices write it
    ts = serializers.IntegerField(required=False, help_text="Not kept.")


class StatusIn(serializers.Serializer[Any]):
    code = serializers.CharField()
    t = serializers.IntegerField(help_text="Milliseconds since 1970, UTC.")
    value = serializers.JSONField()


class StatusMessageIn(serializers.Serializer[Any]):
    """The older family."""

    devId = serializers.CharField(max_length=64)  # noqa: N815 as devices write it
    productKey = serializers.CharField(required=False)  # noqa: N815 as devices write it
    status = StatusIn(many=True)


class EnergySampleIn(serializers.Serializer[Any]):
    """A sample in plain form; any other member is a code with its value."""

    device_id = serializers.CharField(max_length=64)
    time = serializers.JSONField(help_text="Milliseconds since 1970, or ISO 8601 with its offset.")
    instant_power = serializers.FloatField(required=False, help_text="W")
    temp_interior = serializers.FloatField(required=False, help_text="°C")
    product_id = serializers.CharField(required=False, help_text="Whose mapping its codes follow.")


class MessageItemOut(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()


class MessageReceiptOut(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["ok"])
    inserted = serializers.IntegerField(help_text="Properties that were stored.")
    rejected = MessageItemOut(many=True, required=False)
    conflicts = MessageItemOut(many=True, required=False)


_RESPONSES = {
    200: MessageReceiptOut,
    400: OpenApiResponse(OpenApiTypes.OBJECT, description="`malformed`: no JSON, or neither an object nor an array."),
    413: OpenApiResponse(OpenApiTypes.OBJECT, description="`batch_too_large`, `body_too_large`."),
    422: OpenApiResponse(OpenApiTypes.OBJECT, description="`all_rejected`: nothing of it was taken."),
    429: OpenApiResponse(OpenApiTypes.OBJECT, description="`throttled`: more messages than the source may send."),
    503: OpenApiResponse(OpenApiTypes.OBJECT, description="Too many wait to be stored; see Retry-After."),
}


class BytesParser(BaseParser):
    """Hand on a body as it is, whatever it says it is: devices are careless of media types.

    :raises BodyTooLarge: longer than ``MAX_BODY_BYTES``.
    """

    media_type = "*/*"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(settings.MAX_BODY_BYTES + 1)
        if len(body) > settings.MAX_BODY_BYTES:
            raise BodyTooLarge
        return body


class ReceiveMessageView(APIView):
    """The published path of device messages."""

    permission_classes = (MaySendMessages,)
    parser_classes = (BytesParser,)
    throttle_classes = ()

    @extend_schema(
        operation_id="receive_message",
        tags=["published paths"],
        request={
            "application/json": PolymorphicProxySerializer(
                "MessageOrMessages",
                [DeviceMessageIn, StatusMessageIn, DeviceMessageIn(many=True)],
                resource_type_field_name=None,
                many=False,
            )
        },
        responses=_RESPONSES,
        description=f"One device message or an array of them, of either family; stored when this answers. {_REASONS}",
        examples=[
            OpenApiExample(
                "one",
                request_only=True,
                value={
                    "bizCode": "devicePropertyMessage",
                    "bizData": {
                        "devId": "bfadafebb608a154206aqu",
                        "productId": "ixhko1cls7lzpwsf",
                        "properties": [{"code": "instant_power", "dpId": 1, "time": 1732631573782, "value": 2500}],
                    },
                    "ts": 1732631573782,
                },
            ),
            OpenApiExample("stored", response_only=True, value={"status": "ok", "inserted": 1}),
        ],
    )
    def post(self, request: Request) -> Response:
        return receive(request, read_messages)


class ReceiveEnergyView(APIView):
    """Device samples in plain form."""

    permission_classes: Any = (MaySendMessages,)
    parser_classes = (BytesParser,)
    throttle_classes: Any = ()

    @extend_schema(
        operation_id="energy_create",
        tags=["devices"],
        request={
            "application/json": PolymorphicProxySerializer(
                "EnergySampleOrSamples",
                [EnergySampleIn, EnergySampleIn(many=True)],
                resource_type_field_name=None,
                many=False,
            )
        },
        responses=_RESPONSES,
        description=f"One sample in plain form or an array of them; stored when this answers. {_REASONS}",
        examples=[
            OpenApiExample(
                "one",
                request_only=True,
                value={"device_id": "plug-1", "time": "2025-01-01T08:00:00+08:00", "instant_power": 2500},
            ),
            OpenApiExample("stored", response_only=True, value={"status": "ok", "inserted": 1}),
        ],
    )
    def post(self, request: Request) -> Response:
        return receive(request, read_energy)


def receive(request: Request, decoder: Decoder) -> Response:
    """Take a request's messages, and answer once they are on disk.

    :raises Throttled: the source has sent as many messages as it may.
    """
    body: Any = request.data
    grant = Grant.of(request.auth) if isinstance(request.auth, SourceKey) and calling_source(request) else None
    decoded = decoder(body or b"", mappings(), grant.creator if grant else None)
    if grant is not None:
        limits.charge(grant, decoded.messages, now=time.time())
        limits.settle()
    outcomes = writer().submit_sync(decoded.samples) if decoded.samples else []
    return Response(conclude(decoded, outcomes).as_dict())
