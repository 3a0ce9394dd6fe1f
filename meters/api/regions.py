"""Regions, what lies in them, and who looks after them."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import HasRole, actor_of, person_of
from accounts.roles import STAFF_ROLES, Role
from meters.models import Region
from meters.selectors.regions import region_for
from meters.services.regions import save_region, set_managers

_REFUSALS: dict[int, Any] = {
    403: OpenApiResponse(description="`regions_not_yours_to_draw`: managers of some regions cannot draw any."),
    409: OpenApiResponse(description="`region_exists`."),
}
_MOST_MANAGERS = 200


class RegionManagerOut(serializers.Serializer[Any]):
    """Who looks after a region."""

    id = serializers.UUIDField(source="user.id")
    name = serializers.CharField(source="user.name")


class RegionOut(serializers.ModelSerializer[Region]):
    """A circle on the map; its counts are of now."""

    meter_count = serializers.IntegerField(help_text="Meters for which it is the nearest region that holds them.")
    agent_count = serializers.IntegerField(help_text="Agents who work in it.")
    managers = serializers.SerializerMethodField(help_text="For managers and admins to see.")

    class Meta:
        model = Region
        fields = (
            "id",
            "name",
            "description",
            "latitude",
            "longitude",
            "radius_m",
            "status",
            "meter_count",
            "agent_count",
            "managers",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    @extend_schema_field(RegionManagerOut(many=True))
    def get_managers(self, region: Region) -> list[dict[str, Any]]:
        """Return who looks after it."""
        if person_of(self.context["request"]).role not in STAFF_ROLES:
            return []
        return list(RegionManagerOut(region.managers.all(), many=True).data)


class RegionIn(serializers.ModelSerializer[Region]):
    """A circle on the map."""

    name = serializers.CharField(max_length=100)

    class Meta:
        model = Region
        fields = ("name", "description", "latitude", "longitude", "radius_m", "status")


class RegionManagersIn(serializers.Serializer[Any]):
    """Who is to look after a region, and nobody else."""

    user_ids = serializers.ListField(child=serializers.UUIDField(), max_length=_MOST_MANAGERS)


class RegionFilter(filters.FilterSet):  # type: ignore[misc]
    """By status."""

    class Meta:
        model = Region
        fields = ("status",)


class _Regions(APIView):
    """What those may read who work in regions, and those may write who look after all."""

    def get_permissions(self) -> list[Any]:
        readers = HasRole(Role.AGENT, Role.OPERATOR, Role.MANAGER, Role.ADMIN)
        rule = readers if self.request.method in SAFE_METHODS else HasRole(Role.MANAGER, Role.ADMIN)
        return [rule()]


class RegionListView(_Regions, IdempotentCreate, ListAPIView[Region]):
    """Regions, by name: managers see those they look after, agents the one they work in."""

    queryset = Region.objects.none()
    serializer_class = RegionOut
    filterset_class = RegionFilter

    def get_queryset(self) -> QuerySet[Region]:
        regions = Region.objects.visible_to(person_of(self.request)).with_counts()
        return regions.prefetch_related("managers__user").order_by("name")

    @extend_schema(operation_id="regions_list", tags=["regions"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="regions_create",
        tags=["regions"],
        parameters=[IDEMPOTENCY_KEY],
        request=RegionIn,
        responses={201: RegionOut, **_REFUSALS},
        description="It takes the meters that lie in it and to whose centre they are nearest.",
        examples=[
            OpenApiExample(
                "a district",
                request_only=True,
                value={"name": "Tampines", "latitude": 1.353, "longitude": 103.944, "radius_m": 2500},
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Draw a region."""
        asked = RegionIn(data=request.data)
        asked.is_valid(raise_exception=True)
        made = save_region(region=None, values=asked.validated_data, actor=actor_of(request), now=timezone.now())
        where = reverse("meters:api_region", args=[made.pk])
        return Response(_shown(request, made.pk), status=status.HTTP_201_CREATED, headers={"Location": where})


class RegionDetailView(_Regions):
    """One region."""

    @extend_schema(operation_id="regions_retrieve", tags=["regions"], responses=RegionOut)
    def get(self, request: Request, region_id: UUID) -> Response:
        return Response(_shown(request, region_id))

    @extend_schema(
        operation_id="regions_update",
        tags=["regions"],
        request=RegionIn,
        responses={200: RegionOut, **_REFUSALS},
        description="Meters come and go with its place, its radius and its status.",
    )
    def patch(self, request: Request, region_id: UUID) -> Response:
        """Change what is named."""
        region = region_for(region_id=region_id, user=person_of(request))
        asked = RegionIn(region, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        save_region(region=region, values=asked.validated_data, actor=actor_of(request), now=timezone.now())
        return Response(_shown(request, region_id))


class RegionManagersView(APIView):
    """Who looks after a region."""

    permission_classes = (HasRole(Role.ADMIN),)

    @extend_schema(
        operation_id="regions_set_managers",
        tags=["regions"],
        request=RegionManagersIn,
        responses={200: RegionOut, 403: _REFUSALS[403], 422: OpenApiResponse(description="`not_a_manager`.")},
        description="Managers who look after a region see its work alone; those without any see all. For admins.",
    )
    def put(self, request: Request, region_id: UUID) -> Response:
        """Let these look after it, and nobody else."""
        asked = RegionManagersIn(data=request.data)
        asked.is_valid(raise_exception=True)
        region_for(region_id=region_id, user=person_of(request))
        set_managers(
            region_id=region_id,
            user_ids=asked.validated_data["user_ids"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        return Response(_shown(request, region_id))


def _shown(request: Request, region_id: UUID) -> Any:
    return RegionOut(region_for(region_id=region_id, user=person_of(request)), context={"request": request}).data
