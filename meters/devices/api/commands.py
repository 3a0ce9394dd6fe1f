"""Switching devices, and what became of it."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import actor_of
from meters.devices.api.callers import MayUseDevices
from meters.devices.models import Command, CommandStep
from meters.devices.selectors.commands import commands_of, device_for
from meters.devices.services.commands import LONGEST_EXPIRY, send_command

_REFUSALS = {
    403: OpenApiResponse(description="`not_administrator`: sees the device, but may not switch it."),
    404: OpenApiResponse(description="`unknown_device`"),
    409: OpenApiResponse(description="`critical_load`: on the list of those that nobody switches. `retired_device`."),
}


class CommandIn(serializers.Serializer[Any]):
    """What a device is to do."""

    switch = serializers.BooleanField(help_text="On or off.")
    expires_seconds = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=int(LONGEST_EXPIRY.total_seconds()),
        help_text="After so long the device must not obey any more; unless told, the portal's default.",
    )


class SendIn(serializers.Serializer[Any]):
    """What a device is to do, on the published path."""

    device_id = serializers.CharField(max_length=64)
    switch = serializers.BooleanField(help_text="On or off.")


class SendOut(serializers.Serializer[Any]):
    """That a command is on its way."""

    status = serializers.CharField(help_text="Always `command sent`.")
    id = serializers.UUIDField(help_text="The command's; what became of it stands among the device's commands.")


class CommandStepOut(serializers.ModelSerializer[CommandStep]):
    """A change of a command's status."""

    class Meta:
        model = CommandStep
        fields = ("status", "at", "detail")
        read_only_fields = fields


class CommandOut(serializers.ModelSerializer[Command]):
    """A command, who asked for it, and what became of it."""

    device_id = serializers.CharField(source="device.device_id")
    asked_by = serializers.SerializerMethodField(help_text="A person's address, or a data source's name.")
    steps = CommandStepOut(many=True, read_only=True)

    class Meta:
        model = Command
        fields = (
            "id",
            "device_id",
            "switch",
            "status",
            "reason",
            "asked_by",
            "attempts",
            "created_at",
            "expires_at",
            "sent_at",
            "delivered_at",
            "settled_at",
            "steps",
        )
        read_only_fields = fields

    def get_asked_by(self, command: Command) -> str | None:
        """Return who asked."""
        if command.user is not None:
            return command.user.email
        return command.source.name if command.source is not None else None


class SendView(IdempotentCreate):
    """Switch a device: the published path."""

    permission_classes = (MayUseDevices,)

    @extend_schema(
        operation_id="send",
        tags=["published paths"],
        parameters=[IDEMPOTENCY_KEY],
        request=SendIn,
        responses={200: SendOut, **_REFUSALS},
        description=(
            "Puts the command into the outbox, from which a gateway sends it; an open command of the same device gives "
            "way to it. Follow it by its id at `/api/v1/devices/{id}/commands`."
        ),
        examples=[OpenApiExample("on", request_only=True, value={"device_id": "plug-17", "switch": True})],
    )
    def post(self, request: Request) -> Response:
        wanted = SendIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        command = send_command(**wanted.validated_data, actor=actor_of(request), now=timezone.now())
        return Response(SendOut({"status": "command sent", "id": command.pk}).data)


@extend_schema_view(
    get=extend_schema(
        operation_id="device_commands_list",
        tags=["devices"],
        description=(
            "Newest first, each with its ledger. `effective` is said only once telemetry shows it: the device's "
            "switch, or else its power."
        ),
    )
)
class DeviceCommandsView(IdempotentCreate, ListAPIView[Command]):
    """The commands of a device, and another one."""

    queryset = Command.objects.none()
    permission_classes = (MayUseDevices,)
    serializer_class = CommandOut
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Command]:
        return commands_of(device=device_for(device_id=self.kwargs["device_id"], actor=actor_of(self.request)))

    @extend_schema(
        operation_id="device_commands_create",
        tags=["devices"],
        parameters=[IDEMPOTENCY_KEY],
        request=CommandIn,
        responses={201: CommandOut, **_REFUSALS},
        description="Switches the device; an open command of the same device gives way to this one.",
    )
    def post(self, request: Request, device_id: str) -> Response:
        wanted = CommandIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        seconds = wanted.validated_data.get("expires_seconds")
        command = send_command(
            device_id=device_id,
            switch=wanted.validated_data["switch"],
            expires_in=None if seconds is None else timedelta(seconds=seconds),
            actor=actor_of(request),
            now=timezone.now(),
        )
        url = str(request.build_absolute_uri(reverse("devices:api_device_commands", args=[device_id])))
        return Response(CommandOut(command).data, status=status.HTTP_201_CREATED, headers={"Location": url})
