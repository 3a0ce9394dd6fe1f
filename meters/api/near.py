"""Lists of what lies near a place: ``?near=latitude,longitude&radius_m=``."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from energy_portal.shared.geo import Circle, Spot
from meters.selectors.nearby import NearbyList

MOST_METRES = 20_000
_METRES = 1_000
NEAR = [
    OpenApiParameter(
        "near", str, description="`latitude,longitude` in degrees: the nearest come first, with their `distance_m`."
    ),
    OpenApiParameter(
        "radius_m",
        float,
        description=f"With `near`: how far at most, metres; {_METRES} unless told, {MOST_METRES} at most.",
    ),
]


class NearQuery(serializers.Serializer[Any]):
    """Around which place, and how far."""

    near = serializers.CharField(required=False)
    radius_m = serializers.FloatField(required=False, min_value=1, max_value=MOST_METRES)

    def validate_near(self, text: str) -> Spot:
        """Read a place."""
        latitude, _, longitude = text.partition(",")
        try:
            return Spot(float(latitude), float(longitude))
        except ValueError as error:
            raise serializers.ValidationError("It is `latitude,longitude` in degrees, as 1.35,103.8.") from error

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a distance from nowhere."""
        if "radius_m" in attrs and "near" not in attrs:
            raise serializers.ValidationError({"near": "A radius is around a place."}, code="required")
        return attrs


class NearbyListMixin(GenericAPIView[Any]):
    """A list that comes nearest first where a place is named."""

    def paginate_queryset(self, queryset: QuerySet[Any] | Sequence[Any]) -> Any:
        circle = asked_circle(self.request)
        rows: Any = NearbyList(queryset, circle) if circle and isinstance(queryset, QuerySet) else queryset
        return super().paginate_queryset(rows)


def asked_circle(request: Request) -> Circle | None:
    """Return the circle that a list is asked for; None where it is not."""
    query = NearQuery(
        data={name: request.query_params[name] for name in ("near", "radius_m") if name in request.query_params}
    )
    query.is_valid(raise_exception=True)
    spot = query.validated_data.get("near")
    return Circle(spot, query.validated_data.get("radius_m", _METRES)) if spot else None


def distance_of(row: Any) -> float | None:
    """Return how far a row of such a list is, metres; None where no place was named."""
    distance_mm: int | None = getattr(row, "distance_mm", None)
    return None if distance_mm is None else distance_mm / 1_000
