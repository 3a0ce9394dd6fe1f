"""Places on the globe: geodesic distances on WGS84, and boxes that an index can look into first.

Distances are geographiclib's (C. F. F. Karney, Algorithms for geodesics, J. Geodesy 87, 2013). They take tens of
microseconds each, so among many places a sphere decides what it can: nowhere does a metre of WGS84's surface differ
from that of the mean sphere by more than its radii of curvature do, so neither does the length of any way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import asin, cos, degrees, pi, radians, sin
from typing import NamedTuple

import numpy as np
from geographiclib.geodesic import Geodesic
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_MEAN_RADIUS_M = 6_371_008.8
# WGS84's radii of curvature: least along the meridian at the equator, greatest at the poles; rounded outwards.
_LEAST_RADIUS_M, _GREATEST_RADIUS_M = 6_335_439.0, 6_399_594.0
_LEAST_SHARE, _GREATEST_SHARE = _LEAST_RADIUS_M / _MEAN_RADIUS_M, _GREATEST_RADIUS_M / _MEAN_RADIUS_M
_ROUNDING_DEGREES = 1e-9
_ROUNDING_M = 0.001
_MM = 1_000


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on the globe, degrees, WGS84.

    :raises ValueError: it is not on the globe.
    """

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if not (-90 <= self.latitude <= 90 and -180 <= self.longitude <= 180):
            raise ValueError("A place is a latitude of -90 to 90 and a longitude of -180 to 180 degrees.")


@dataclass(frozen=True, slots=True)
class Circle:
    """All places within a distance of a centre, metres."""

    centre: Spot
    radius_m: float


class Box(NamedTuple):
    """Places between two parallels and two meridians, edges included, degrees; ``west`` is never east of ``east``."""

    south: float
    west: float
    north: float
    east: float

    def holds(self, spot: Spot) -> bool:
        """Tell whether a place lies in it."""
        return self.south <= spot.latitude <= self.north and self.west <= spot.longitude <= self.east


def distance_m(a: Spot, b: Spot) -> float:
    """Return the length of the shortest way between two places, metres."""
    found = Geodesic.WGS84.Inverse(a.latitude, a.longitude, b.latitude, b.longitude, Geodesic.DISTANCE)
    return float(found["s12"])


def boxes_around(spot: Spot, radius_m: float) -> tuple[Box, ...]:
    """Return boxes that together hold every place within a distance, and others; two where it spans 180 degrees.

    The box of a spherical cap (J. P. Matuschek, Finding points within a distance of a latitude/longitude), which is
    made on the least radius of curvature and so reaches too far anywhere.
    """
    angle = min(radius_m / _LEAST_RADIUS_M, pi)
    south = spot.latitude - degrees(angle) - _ROUNDING_DEGREES
    north = spot.latitude + degrees(angle) + _ROUNDING_DEGREES
    if south <= -90 or north >= 90:
        # A pole lies within: every meridian does.
        return (Box(max(south, -90.0), -180.0, min(north, 90.0), 180.0),)
    reach = degrees(asin(min(1.0, sin(angle) / cos(radians(spot.latitude))))) + _ROUNDING_DEGREES
    west, east = spot.longitude - reach, spot.longitude + reach
    boxes = [Box(south, max(west, -180.0), north, min(east, 180.0))]
    # What lies at 180 degrees may be written as -180 and the other way round.
    if west <= -180:
        boxes.append(Box(south, west + 360, north, 180.0))
    if east >= 180:
        boxes.append(Box(south, -180.0, north, east - 360))
    return tuple(boxes)


def nearest_first(
    spot: Spot, latitudes: ArrayLike, longitudes: ArrayLike, *, radius_m: float, from_mm: int = 0
) -> Iterator[tuple[int, int]]:
    """Tell the places within a distance as (number, millimetres), nearest first, by number where equally near.

    No more of them are measured than it takes to tell those that are asked for.

    :param latitudes: n degrees; ``longitudes`` likewise.
    :param from_mm: leave out what is nearer.
    """
    lat, lon = np.asarray(latitudes, dtype=np.float64), np.asarray(longitudes, dtype=np.float64)
    rough = _rough_m(spot, lat, lon)
    least, greatest = rough * _LEAST_SHARE - _ROUNDING_M, rough * _GREATEST_SHARE + _ROUNDING_M
    possible = np.flatnonzero((least <= radius_m) & (greatest * _MM >= from_mm))
    measured: list[tuple[int, int]] = []
    for n in possible[np.argsort(rough[possible], kind="stable")].tolist():
        while measured and measured[0][0] < int(least[n] * _MM):
            yield heappop(measured)[::-1]
        metres = distance_m(spot, Spot(float(lat[n]), float(lon[n])))
        if metres <= radius_m and round(metres * _MM) >= from_mm:
            heappush(measured, (round(metres * _MM), n))
    while measured:
        yield heappop(measured)[::-1]


def nearest_holders(latitudes: ArrayLike, longitudes: ArrayLike, circles: Sequence[Circle]) -> list[int | None]:
    """Return, for each place, the number of the circle that holds it and has the nearest centre; None without one.

    Of equally near ones the first counts.

    :param latitudes: n degrees; ``longitudes`` likewise.
    """
    lat, lon = np.asarray(latitudes, dtype=np.float64), np.asarray(longitudes, dtype=np.float64)
    if not circles:
        return [None] * lat.size
    rough = np.stack([_rough_m(circle.centre, lat, lon) for circle in circles])
    radii = np.array([circle.radius_m for circle in circles], dtype=np.float64)
    possible = rough * _LEAST_SHARE <= (radii + _ROUNDING_M)[:, np.newaxis]
    found: list[int | None] = [None] * lat.size
    for n in np.flatnonzero(possible.any(axis=0)).tolist():
        numbers = np.flatnonzero(possible[:, n])
        ordered = numbers[np.argsort(rough[numbers, n], kind="stable")].tolist()
        lone = len(ordered) == 1 and rough[ordered[0], n] * _GREATEST_SHARE < radii[ordered[0]] - _ROUNDING_M
        found[n] = (
            ordered[0] if lone else _nearest_of(Spot(float(lat[n]), float(lon[n])), ordered, rough[:, n], circles)
        )
    return found


def _nearest_of(spot: Spot, ordered: Sequence[int], rough: Floats, circles: Sequence[Circle]) -> int | None:
    best: tuple[float, int] | None = None
    for number in ordered:
        if best is not None and rough[number] * _LEAST_SHARE > best[0] + _ROUNDING_M:
            break
        metres = distance_m(spot, circles[number].centre)
        if metres <= circles[number].radius_m and (best is None or (metres, number) < best):
            best = metres, number
    return None if best is None else best[1]


def _rough_m(spot: Spot, latitudes: Floats, longitudes: Floats) -> Floats:
    """Return distances on the mean sphere, metres (haversine, which is exact for short ways)."""
    lat, lon = np.radians(latitudes), np.radians(longitudes)
    here, meridian = radians(spot.latitude), radians(spot.longitude)
    chord = np.sin((lat - here) / 2) ** 2 + cos(here) * np.cos(lat) * np.sin((lon - meridian) / 2) ** 2
    return np.asarray(2 * _MEAN_RADIUS_M * np.arcsin(np.sqrt(np.clip(chord, 0, 1))), dtype=np.float64)
