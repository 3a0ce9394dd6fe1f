"""Proposals of who reads what: asked for, looked at, and confirmed."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import actor_of, person_of
from field_ops.api.assignments import MadeOut, MayGiveOut, made_of
from field_ops.selectors.assignments import meters_by_serial
from field_ops.services import proposals
from field_ops.services.proposals import MOST_METERS, Chosen

_SERIAL = serializers.CharField(max_length=64)


class ProposalIn(serializers.Serializer[Any]):
    """Which meters, or a region of them, and of whom to think."""

    meters = serializers.ListField(
        child=_SERIAL, required=False, allow_null=True, default=None, max_length=MOST_METERS, help_text="Serials."
    )
    region_id = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="All of its meters that nobody has."
    )
    agents = serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_null=True, default=None, help_text="Null: everybody."
    )
    waiting_only = serializers.BooleanField(default=False, help_text="Of a region what waits for an agent already.")


class WayStopOut(serializers.Serializer[Any]):
    """A meter on somebody's way."""

    meter_id = serializers.CharField(source="serial", help_text="Serial.")
    address = serializers.CharField()
    latitude = serializers.FloatField(allow_null=True)
    longitude = serializers.FloatField(allow_null=True)
    priority = serializers.CharField()
    estimated_time = serializers.IntegerField(help_text="Minutes.")


class WayOut(serializers.Serializer[Any]):
    """What an agent might take, in the order of their way."""

    agent_id = serializers.UUIDField(source="agent.pk")
    agent = serializers.CharField(source="agent.user.name")
    load = serializers.IntegerField(help_text="What they would have to do then.")
    max_load = serializers.IntegerField(source="agent.max_load")
    length_m = serializers.FloatField()
    minutes = serializers.FloatField(help_text="Of reading and of the way.")
    meters = WayStopOut(many=True)


class LeftOverOut(serializers.Serializer[Any]):
    """A meter that is proposed to nobody, and why."""

    meter_id = serializers.CharField(help_text="Serial.")
    reason = serializers.CharField(
        help_text="`no_agent`, `too_far`, `no_room`, `assignment_open`, `meter_not_in_service`, `no_such_meter`."
    )


class ProposalOut(serializers.Serializer[Any]):
    """Who might take what; nothing is written yet."""

    ways = WayOut(many=True)
    left = LeftOverOut(many=True)


class LineIn(serializers.Serializer[Any]):
    """A meter for an agent, as the so-manieth of their way."""

    meter_id = serializers.CharField(max_length=64, help_text="Serial.")
    agent_id = serializers.UUIDField()
    sequence = serializers.IntegerField(default=0, min_value=0)


class ConfirmIn(serializers.Serializer[Any]):
    """A proposal as a manager left it."""

    lines = LineIn(many=True, allow_empty=False, max_length=MOST_METERS)  # type: ignore[call-arg]
    due_at = serializers.DateTimeField(allow_null=True, default=None, help_text="Null: after the usual days.")
    beyond_max_load = serializers.BooleanField(default=False)


class ProposalView(APIView):
    """A proposal."""

    permission_classes = (MayGiveOut,)

    @extend_schema(
        operation_id="assignments_propose",
        tags=["field work"],
        request=ProposalIn,
        responses={
            200: ProposalOut,
            422: OpenApiResponse(description="`wrong_question`."),
        },
        description="Balanced over what agents have to do and the minutes it takes, near to them and to each other; "
        "what matters most goes first where there is not room for all. Writes nothing.",
        examples=[OpenApiExample("meters", request_only=True, value={"meters": ["SG-000123", "SG-000124"]})],
    )
    def post(self, request: Request) -> Response:
        asked = ProposalIn(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        known: dict[UUID, str] = {}
        unknown: list[str] = []
        if wanted["meters"] is not None:
            known, unknown = meters_by_serial(serials=wanted["meters"], user=person_of(request))
        proposal = proposals.propose(
            meter_ids=None if wanted["meters"] is None else list(known),
            region_id=wanted["region_id"],
            agent_ids=wanted["agents"],
            waiting_only=wanted["waiting_only"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        left = [{"meter_id": each.meter.serial, "reason": each.reason} for each in proposal.left if each.meter]
        left += [{"meter_id": serial, "reason": proposals.UNKNOWN} for serial in unknown]
        return Response(ProposalOut({"ways": proposal.ways, "left": left}).data)


class ProposalConfirmView(IdempotentCreate):
    """A proposal becomes work."""

    permission_classes = (MayGiveOut,)

    @extend_schema(
        operation_id="assignments_confirm",
        tags=["field work"],
        parameters=[IDEMPOTENCY_KEY],
        request=ConfirmIn,
        responses={
            201: MadeOut,
            422: OpenApiResponse(description="`due_in_the_past`."),
        },
        description="What changed since it was proposed is skipped with its code: `assignment_open`, `agent_full`, "
        "`agent_not_active`, `no_such_agent`, `meter_not_in_service`, `no_such_meter`. The rest is given out at once.",
    )
    def post(self, request: Request) -> Response:
        asked = ConfirmIn(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        asked_for = [line["meter_id"] for line in wanted["lines"]]
        serials, unknown = meters_by_serial(serials=asked_for, user=person_of(request))
        keys = {serial: key for key, serial in serials.items()}
        made = proposals.confirm(
            lines=[
                Chosen(keys[line["meter_id"]], line["agent_id"], line["sequence"])
                for line in wanted["lines"]
                if line["meter_id"] in keys
            ],
            due_at=wanted["due_at"],
            actor=actor_of(request),
            now=timezone.now(),
            beyond_max_load=wanted["beyond_max_load"],
        )
        return Response(made_of(made, serials, unknown), status=status.HTTP_201_CREATED)
