"""Agents: who they are, whether they are on shift, and where they were last."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import HasRole, IsPerson, actor_of, person_of
from accounts.roles import Role
from energy_portal.shared.errors import Invalid
from field_ops.models import Agent
from field_ops.selectors.agents import agent_for, agent_of, agents_for
from field_ops.services.agents import change_agent, create_agent, set_status
from field_ops.services.shifts import MOST_FIXES, Fix, end_shift, record_positions, start_shift
from meters.api.near import NEAR, NearbyListMixin, distance_of
from meters.selectors.regions import is_bound_to_regions, region_for

_NOT_AN_AGENT: dict[int, Any] = {403: OpenApiResponse(description="`not_an_agent`.")}
_NOT_ON_SHIFT: dict[int, Any] = {409: OpenApiResponse(description="`not_on_shift`.")}
_LONGEST_ERROR_M = 1_000_000


class RegionNeeded(Invalid):
    """A manager of some regions leaves an agent without one."""

    code = "region_needed"


class AgentOut(serializers.ModelSerializer[Agent]):
    """Somebody who reads meters in the street."""

    user_id = serializers.UUIDField()
    name = serializers.CharField(source="user.name")
    phone = serializers.CharField(source="user.phone")
    region = serializers.CharField(source="region.name", default=None, allow_null=True)
    region_id = serializers.UUIDField(allow_null=True)
    is_on_shift = serializers.BooleanField()
    latitude = serializers.FloatField(allow_null=True, help_text="Last known, degrees, WGS84.")
    longitude = serializers.FloatField(allow_null=True)
    accuracy_m = serializers.FloatField(allow_null=True)
    distance_m = serializers.SerializerMethodField(help_text="Metres; null where the list is not near a place.")

    class Meta:
        model = Agent
        fields = (
            "id",
            "user_id",
            "name",
            "phone",
            "region",
            "region_id",
            "location_id",
            "status",
            "is_on_shift",
            "current_load",
            "max_load",
            "latitude",
            "longitude",
            "accuracy_m",
            "located_at",
            "distance_m",
            "created_at",
        )
        read_only_fields = fields

    def get_distance_m(self, agent: Agent) -> float | None:
        """Return how far they are."""
        return distance_of(agent)


class AgentIn(serializers.ModelSerializer[Agent]):
    """Where an agent works, and how much they take."""

    region_id = serializers.UUIDField(allow_null=True, required=False, help_text="One that you look after.")

    class Meta:
        model = Agent
        fields: tuple[str, ...] = ("region_id", "max_load", "location_id")


class NewAgentIn(AgentIn):
    """A login that may take work from now on."""

    user_id = serializers.UUIDField(help_text="Of a login with the role agent.")

    class Meta(AgentIn.Meta):
        fields = ("user_id", *AgentIn.Meta.fields)


class ShiftIn(serializers.Serializer[Any]):
    """Whether one works."""

    on = serializers.BooleanField()


class AgentStatusIn(serializers.Serializer[Any]):
    """What one does on shift."""

    status = serializers.ChoiceField(choices=[Agent.Status.AVAILABLE, Agent.Status.BUSY, Agent.Status.ON_BREAK])


class PositionIn(serializers.Serializer[Any]):
    """Where a phone was."""

    at = serializers.DateTimeField()
    latitude = serializers.FloatField(min_value=-90, max_value=90, help_text="Degrees, WGS84.")
    longitude = serializers.FloatField(min_value=-180, max_value=180)
    accuracy_m = serializers.FloatField(min_value=0, max_value=_LONGEST_ERROR_M, required=False, allow_null=True)


class PositionsOut(serializers.Serializer[Any]):
    """What became of positions."""

    received = serializers.IntegerField()
    stored = serializers.IntegerField(help_text="New ones of this shift.")


class AgentFilter(filters.FilterSet):  # type: ignore[misc]
    """By region, status, and whether they are on shift."""

    region = filters.CharFilter(field_name="region__name", help_text="Name.")
    region_id = filters.UUIDFilter(field_name="region")
    on_shift = filters.BooleanFilter(field_name="is_on_shift")

    class Meta:
        model = Agent
        fields = ("status",)


class _Agents(APIView):
    """What agents may read of themselves, managers and admins of all in their regions, and change."""

    def get_permissions(self) -> list[Any]:
        readers = HasRole(Role.AGENT, Role.MANAGER, Role.ADMIN)
        rule = readers if self.request.method in SAFE_METHODS else HasRole(Role.MANAGER, Role.ADMIN)
        return [rule()]


class AgentListView(_Agents, NearbyListMixin, IdempotentCreate, ListAPIView[Agent]):
    """Agents, by name, or those last seen nearest to a place first."""

    queryset = Agent.objects.none()
    serializer_class = AgentOut
    filterset_class = AgentFilter

    def get_queryset(self) -> QuerySet[Agent]:
        return agents_for(person_of(self.request)).order_by("user__name")

    @extend_schema(operation_id="agents_list", tags=["field work"], parameters=NEAR)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="agents_create",
        tags=["field work"],
        parameters=[IDEMPOTENCY_KEY],
        request=NewAgentIn,
        responses={
            201: AgentOut,
            409: OpenApiResponse(description="`agent_exists`."),
            422: OpenApiResponse(description="`not_an_agents_login`."),
        },
    )
    def post(self, request: Request) -> Response:
        """Let somebody take work."""
        asked = NewAgentIn(data=request.data)
        asked.is_valid(raise_exception=True)
        values = {"region_id": None, "max_load": Agent._meta.get_field("max_load").default, "location_id": ""}
        values.update(asked.validated_data)
        _require_own_region(request, values)
        made = create_agent(**values, actor=actor_of(request), now=timezone.now())
        where = reverse("field_ops:api_agent", args=[made.pk])
        return Response(_shown(request, made.pk), status=status.HTTP_201_CREATED, headers={"Location": where})


class AgentDetailView(_Agents):
    """One agent."""

    @extend_schema(operation_id="agents_retrieve", tags=["field work"], responses=AgentOut)
    def get(self, request: Request, agent_id: UUID) -> Response:
        return Response(_shown(request, agent_id))

    @extend_schema(operation_id="agents_update", tags=["field work"], request=AgentIn, responses=AgentOut)
    def patch(self, request: Request, agent_id: UUID) -> Response:
        """Change what is named; what an agent has to do stays with them."""
        agent = agent_for(agent_id=agent_id, user=person_of(request))
        asked = AgentIn(agent, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        _require_own_region(request, asked.validated_data)
        change_agent(agent_id=agent_id, changes=asked.validated_data, actor=actor_of(request), now=timezone.now())
        return Response(_shown(request, agent_id))


class _Own(APIView):
    permission_classes = (IsPerson,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Turn away who is no agent before looking at what they sent."""
        super().initial(request, *args, **kwargs)
        self.own()

    def own(self) -> Agent:
        """Return the agent who asks."""
        return agent_of(person_of(self.request))

    def shown(self) -> Response:
        """Answer with the agent as they are now."""
        return Response(_shown(self.request, self.own().pk))


class OwnAgentView(_Own):
    """The agent who asks."""

    @extend_schema(operation_id="agents_me", tags=["field work"], responses={200: AgentOut, **_NOT_AN_AGENT})
    def get(self, request: Request) -> Response:
        return self.shown()


class OwnShiftView(_Own):
    """Whether the agent who asks works."""

    @extend_schema(
        operation_id="agents_me_shift",
        tags=["field work"],
        request=ShiftIn,
        responses={200: AgentOut, **_NOT_AN_AGENT},
        description="Said again it changes nothing. A shift begins with the status available and ends with offline.",
    )
    def post(self, request: Request) -> Response:
        """Begin or end a shift."""
        asked = ShiftIn(data=request.data)
        asked.is_valid(raise_exception=True)
        act = start_shift if asked.validated_data["on"] else end_shift
        act(agent_id=self.own().pk, now=timezone.now())
        return self.shown()


class OwnStatusView(_Own):
    """What the agent who asks does on shift."""

    @extend_schema(
        operation_id="agents_me_status",
        tags=["field work"],
        request=AgentStatusIn,
        responses={200: AgentOut, **_NOT_AN_AGENT, **_NOT_ON_SHIFT},
    )
    def post(self, request: Request) -> Response:
        """Say that one is available, busy or on a break."""
        asked = AgentStatusIn(data=request.data)
        asked.is_valid(raise_exception=True)
        set_status(agent_id=self.own().pk, status=asked.validated_data["status"], now=timezone.now())
        return self.shown()


class OwnLocationView(_Own):
    """Where the agent who asks is."""

    @extend_schema(
        operation_id="agents_me_location",
        tags=["field work"],
        request=PolymorphicProxySerializer(
            "PositionOrPositions", [PositionIn, PositionIn(many=True)], resource_type_field_name=None, many=False
        ),
        responses={
            200: PositionsOut,
            **_NOT_AN_AGENT,
            **_NOT_ON_SHIFT,
            422: OpenApiResponse(description="`not_of_this_shift`, `too_many_positions`."),
        },
        description=f"One position or up to {MOST_FIXES}, on shift alone. What is sent twice is kept once; what is of "
        "before the shift or more than 5 minutes ahead of the clock is not kept.",
        examples=[
            OpenApiExample(
                "one",
                request_only=True,
                value={"at": "2026-03-15T12:10:00+08:00", "latitude": 1.3521, "longitude": 103.8198, "accuracy_m": 8},
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Tell where one is, or was since last told."""
        rows = request.data if isinstance(request.data, list) else [request.data]
        asked: serializers.ListSerializer[Any] = serializers.ListSerializer(
            data=rows, child=PositionIn(), max_length=MOST_FIXES
        )
        asked.is_valid(raise_exception=True)
        fixes = [Fix(**row) for row in asked.validated_data]
        stored = record_positions(agent_id=self.own().pk, fixes=fixes, now=timezone.now())
        return Response(PositionsOut({"received": len(fixes), "stored": stored}).data)


def _shown(request: Request, agent_id: UUID) -> Any:
    return AgentOut(agent_for(agent_id=agent_id, user=person_of(request))).data


def _require_own_region(request: Request, values: dict[str, Any]) -> None:
    """Refuse a region that the one who asks does not look after.

    :raises NoSuchRegion: there is none, or not for them.
    :raises RegionNeeded: none is given, by somebody who looks after some alone.
    """
    user = person_of(request)
    if values.get("region_id") is not None:
        region_for(region_id=values["region_id"], user=user)
    elif "region_id" in values and is_bound_to_regions(user):
        raise RegionNeeded("Name a region that you look after.")
