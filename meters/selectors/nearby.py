"""What lies near a place: an index finds what may, geodesics decide."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from energy_portal.shared.geo import Circle, Spot, boxes_around, nearest_first
from meters.models import Meter
from meters.querysets import in_boxes

_MM = 1_000


@dataclass(frozen=True)
class Near:
    """A meter, and how far it is."""

    meter: Meter
    distance_m: float


class NearbyList:
    """Rows with a ``latitude`` and a ``longitude`` within a circle, nearest first; each gets its ``distance_mm``.

    A page is two queries: where everything lies that may be near, and the rows themselves.
    """

    ordering: ClassVar[tuple[str, ...]] = ("distance_mm", "pk")

    def __init__(self, rows: QuerySet[Any], circle: Circle) -> None:
        self._rows = rows
        self._circle = circle

    def page(self, *, limit: int, backwards: bool = False, beyond: Sequence[Any] | None = None) -> list[Any]:
        """Return the next rows beyond a distance and a key, against the order when backwards.

        :raises ValueError: no row has such values.
        """
        edge = None if beyond is None else (int(beyond[0]), UUID(str(beyond[1])))
        if backwards:
            before = (each for each in self._found(0) if edge is None or each < edge)
            found = list(deque(before, maxlen=limit))[::-1]
        else:
            after = (each for each in self._found(edge[0] if edge else 0) if edge is None or each > edge)
            found = list(islice(after, limit))
        rows = {row.pk: row for row in self._rows.filter(pk__in=[key for _, key in found])}
        for distance_mm, key in found:
            if key in rows:
                rows[key].distance_mm = distance_mm
        return [rows[key] for _, key in found if key in rows]

    def _found(self, from_mm: int) -> Iterator[tuple[int, UUID]]:
        centre, radius_m = self._circle.centre, self._circle.radius_m
        may_be = self._rows.filter(in_boxes(boxes_around(centre, radius_m))).order_by("pk")
        places = list(may_be.values_list("pk", "latitude", "longitude"))
        near = nearest_first(
            centre,
            [latitude for _, latitude, _ in places],
            [longitude for *_, longitude in places],
            radius_m=radius_m,
            from_mm=from_mm,
        )
        return ((distance_mm, places[number][0]) for number, distance_mm in near)


def meters_within(*, spot: Spot, radius_m: float, user: User | None, limit: int) -> list[Near]:
    """Return the nearest meters within a distance that somebody may see; ``user`` None may see all. Two queries."""
    meters = Meter.objects.all() if user is None else Meter.objects.visible_to(user)
    found = NearbyList(meters.select_related("region"), Circle(spot, radius_m)).page(limit=limit)
    return [Near(meter, meter.distance_mm / _MM) for meter in found]
