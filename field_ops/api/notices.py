"""What an agent is told."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import HasRole, person_of
from accounts.roles import Role
from field_ops.models import AgentNotice
from field_ops.selectors.agents import agent_of
from field_ops.selectors.notices import notices_of, unseen
from field_ops.services.notices import mark_seen

IsAgent = HasRole(Role.AGENT)


class NoticeOut(serializers.ModelSerializer[AgentNotice]):
    """Something that an agent should hear of."""

    assignment_id = serializers.UUIDField()
    meter_id = serializers.CharField(source="assignment.meter.serial", help_text="Serial, of the first if many.")

    class Meta:
        model = AgentNotice
        fields = ("id", "kind", "text", "assignment_id", "meter_id", "created_at", "seen_at")
        read_only_fields = fields


class SeenIn(serializers.Serializer[Any]):
    """Up to which notice they have seen."""

    up_to = serializers.IntegerField(min_value=0, max_value=2**63 - 1)


class SeenOut(serializers.Serializer[Any]):
    """How many were new to them, and how many they have not seen."""

    seen = serializers.IntegerField()
    unseen = serializers.IntegerField()


class NoticeFilter(filters.FilterSet):  # type: ignore[misc]
    """By whether they were seen."""

    unseen = filters.BooleanFilter(field_name="seen_at", lookup_expr="isnull")

    class Meta:
        model = AgentNotice
        fields = ("kind",)


@extend_schema_view(
    get=extend_schema(
        operation_id="own_notices_list",
        tags=["field work"],
    )
)
class OwnNoticesView(ListAPIView[AgentNotice]):
    """An agent's own notices, newest first."""

    queryset = AgentNotice.objects.none()
    permission_classes = (IsAgent,)
    serializer_class = NoticeOut
    filterset_class = NoticeFilter

    def get_queryset(self) -> QuerySet[AgentNotice]:
        return notices_of(person_of(self.request))


class OwnNoticesSeenView(APIView):
    """An agent has seen them."""

    permission_classes = (IsAgent,)

    @extend_schema(
        operation_id="own_notices_seen",
        tags=["field work"],
        request=SeenIn,
        responses={200: SeenOut, 403: OpenApiResponse(description="`not_an_agent`.")},
        description="Said again it changes nothing. What came after the last one shown stays new.",
        examples=[OpenApiExample("up to", request_only=True, value={"up_to": 418})],
    )
    def post(self, request: Request) -> Response:
        asked = SeenIn(data=request.data)
        asked.is_valid(raise_exception=True)
        agent = agent_of(person_of(request))
        seen = mark_seen(agent_id=agent.pk, up_to=asked.validated_data["up_to"], now=timezone.now())
        return Response(SeenOut({"seen": seen, "unseen": unseen(agent)}).data)
