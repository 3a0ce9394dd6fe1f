"""Distances and boxes, against plain geodesics."""

import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import example, given
from hypothesis import strategies as st

from energy_portal.shared import geo
from energy_portal.shared.geo import Box, Circle, Spot, boxes_around, distance_m, nearest_first, nearest_holders

HALF_ROUND_M = 20_003_932.0
spots = st.builds(Spot, st.floats(-90, 90), st.floats(-180, 180))
radii = st.one_of(st.floats(0, 1_000), st.floats(0, 100_000), st.floats(0, 21_000_000))
bearings = st.floats(-180, 180)


def walk(spot, bearing, metres):
    """Return where somebody is who goes straight on, by geographiclib."""
    end = Geodesic.WGS84.Direct(spot.latitude, spot.longitude, bearing, metres)
    return Spot(end["lat2"], min(180.0, max(-180.0, end["lon2"])))


class TestSpot:
    @pytest.mark.parametrize("place", [(90.1, 0), (-90.1, 0), (0, 180.1), (0, -180.1), (float("nan"), 0)])
    def test_lies_on_the_globe(self, place):
        with pytest.raises(ValueError, match="latitude of -90 to 90"):
            Spot(*place)


class TestDistance:
    def test_is_that_of_published_examples(self):
        # Karney, GeodSolve's manual: JFK to Singapore Changi.
        jfk, changi = (
            Spot(40 + 38 / 60 + 23 / 3600, -(73 + 46 / 60 + 44 / 3600)),
            Spot(1 + 21 / 60 + 33 / 3600, 103 + 59 / 60 + 22 / 3600),
        )

        assert distance_m(jfk, changi) == pytest.approx(15_347_628, abs=1)
        assert distance_m(Spot(0, 0), Spot(0, 1)) == pytest.approx(111_319.4908, abs=1e-4)

    def test_is_short_across_the_antimeridian_and_the_poles(self):
        assert distance_m(Spot(0, 179.9999), Spot(0, -179.9999)) == pytest.approx(22.26, abs=0.01)
        assert distance_m(Spot(89.9999, 0), Spot(89.9999, 180)) == pytest.approx(22.34, abs=0.01)
        assert distance_m(Spot(10, 180), Spot(10, -180)) == 0

    @given(spots, spots)
    def test_is_the_same_there_and_back(self, a, b):
        assert distance_m(a, b) == pytest.approx(distance_m(b, a), abs=1e-6)
        assert 0 <= distance_m(a, b) <= HALF_ROUND_M


class TestBoxesAround:
    @given(spots, radii, bearings, st.floats(0, 1))
    @example(Spot(0, 180), 1_000, -90, 1)
    @example(Spot(0, -180), 1_000, 90, 1)
    @example(Spot(89.999, 0), 1_000, 0, 1)
    @example(Spot(0, -179.9955), 500, -90, 1)
    def test_hold_whatever_lies_within_the_radius(self, spot, radius_m, bearing, share):
        reached = walk(spot, bearing, radius_m * share)

        assert any(box.holds(reached) for box in boxes_around(spot, radius_m))

    @given(spots, radii)
    def test_lie_on_the_globe_and_never_overlap_backwards(self, spot, radius_m):
        for box in boxes_around(spot, radius_m):
            assert -90 <= box.south <= box.north <= 90
            assert -180 <= box.west <= box.east <= 180

    def test_are_little_larger_than_the_circle(self):
        (box,) = boxes_around(Spot(1.35, 103.8), 1_000)

        assert distance_m(Spot(box.south, 103.8), Spot(box.north, 103.8)) == pytest.approx(2_000, rel=0.01)
        assert distance_m(Spot(1.35, box.west), Spot(1.35, box.east)) == pytest.approx(2_000, rel=0.02)

    def test_reach_both_sides_of_the_antimeridian(self):
        here, there = boxes_around(Spot(0, 179.999), 1_000)

        assert here.holds(Spot(0, 180))
        assert not here.holds(Spot(0, -179.999))
        assert there.holds(Spot(0, -179.999))
        assert there.holds(Spot(0, -180))

    def test_hold_every_meridian_around_a_pole(self):
        (box,) = boxes_around(Spot(-89.999, 20), 1_000)

        assert box[:2] == (-90, -180)
        assert box.east == 180

    def test_tell_what_lies_on_their_edges(self):
        assert Box(0, 0, 1, 1).holds(Spot(1, 0))
        assert not Box(0, 0, 1, 1).holds(Spot(1.1, 0))


class TestNearestFirst:
    @given(
        spots,
        st.lists(st.tuples(bearings, st.floats(0, 3_000)), max_size=8),
        st.floats(0, 2_000),
        st.integers(0, 1_000_000),
    )
    @example(Spot(0, 0), [(0, 1_000), (90, 1_000), (90, 999.9999), (45, 1_005)], 1_001, 0)
    def test_agrees_with_plain_geodesics(self, spot, ways, radius_m, from_mm):
        others = [walk(spot, *way) for way in ways]
        plain = sorted((distance_m(spot, other), n) for n, other in enumerate(others))

        found = nearest_first(
            spot,
            [each.latitude for each in others],
            [each.longitude for each in others],
            radius_m=radius_m,
            from_mm=from_mm,
        )

        held = [(round(metres * 1_000), n) for metres, n in plain if metres <= radius_m]
        assert [(mm, n) for n, mm in found] == sorted(pair for pair in held if pair[0] >= from_mm)

    def test_measures_no_more_than_it_is_asked_for(self, monkeypatch):
        measured = []
        monkeypatch.setattr(geo, "distance_m", lambda a, b: measured.append(b) or distance_m(a, b))
        longitudes = [n / 1_000 for n in range(1_000)]

        near = nearest_first(Spot(0, 0), [0.0] * 1_000, longitudes, radius_m=1_000_000)

        assert [next(near)[0] for _ in range(3)] == [0, 1, 2]
        assert len(measured) < 10


class TestNearestHolders:
    @given(
        spots,
        st.lists(st.tuples(bearings, st.floats(0, 3_000)), max_size=5),
        st.lists(st.tuples(bearings, st.floats(0, 3_000), st.floats(0, 3_000)), max_size=5),
    )
    def test_agree_with_plain_geodesics(self, spot, ways, circles):
        places = [walk(spot, *way) for way in ways]
        regions = [Circle(walk(spot, bearing, metres), radius_m) for bearing, metres, radius_m in circles]

        found = nearest_holders([each.latitude for each in places], [each.longitude for each in places], regions)

        for place, number in zip(places, found, strict=True):
            distances = [(distance_m(place, each.centre), n) for n, each in enumerate(regions)]
            holders = [pair for pair in distances if pair[0] <= regions[pair[1]].radius_m]
            assert number == (min(holders)[1] if holders else None)

    def test_take_the_nearer_centre_not_the_smaller_circle(self):
        small, large = Circle(Spot(0, 0), 1_000), Circle(Spot(0, 0.01), 50_000)

        assert nearest_holders([0, 0, 0, 5], [0.001, 0.008, -0.02, 5], [small, large]) == [0, 1, 1, None]
