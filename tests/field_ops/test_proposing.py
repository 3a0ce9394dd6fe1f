"""Who should read what, and on what way: pure geometry and arithmetic."""

from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from field_ops import proposing
from field_ops.proposing import Reason, Stop, Walker, propose, way_of

NORTH, SOUTH = UUID(int=901), UUID(int=902)
HERE = (1.30, 103.80)
A_KILOMETRE = 0.009


def stop(number, east_km=0.0, north_km=0.0, **fields):
    place = {"latitude": HERE[0] + north_km * A_KILOMETRE, "longitude": HERE[1] + east_km * A_KILOMETRE}
    return Stop(UUID(int=number), **{**place, **fields})


def walker(number, east_km=0.0, north_km=0.0, **fields):
    place = {"latitude": HERE[0] + north_km * A_KILOMETRE, "longitude": HERE[1] + east_km * A_KILOMETRE}
    return Walker(UUID(int=number), **{**place, **fields})


def taken(plan):
    return {walk.agent.int: [key.int for key in walk.stops] for walk in plan.walks}


def left(plan):
    return {key.int: reason for key, reason in plan.left}


def length_of(stops, start):
    """Measure a way as it stands, by haversines."""
    places = [start] * (start is not None) + [(each.latitude, each.longitude) for each in stops]
    places = [place for place in places if place[0] is not None]
    total = 0.0
    for one, other in pairwise(np.radians(places).tolist()):
        half = np.sin((other[0] - one[0]) / 2) ** 2
        half += np.cos(one[0]) * np.cos(other[0]) * np.sin((other[1] - one[1]) / 2) ** 2
        total += 2 * proposing.EARTH_RADIUS_M * np.arcsin(np.sqrt(half))
    return total


class TestPropose:
    def test_gives_meters_to_who_is_near(self):
        east, west = [stop(n, east_km=5 + n / 10) for n in range(4)], [stop(n, east_km=-n / 10) for n in range(4, 8)]

        plan = propose(east + west, [walker(11, east_km=5), walker(12)])

        assert {agent: sorted(stops) for agent, stops in taken(plan).items()} == {11: [0, 1, 2, 3], 12: [4, 5, 6, 7]}

    def test_gives_those_who_share_a_place_like_work(self):
        stops = [stop(n, east_km=n % 10, north_km=n // 10) for n in range(60)]

        plan = propose(stops, [walker(101 + n, max_load=60) for n in range(3)])

        assert all(18 <= len(walk.stops) <= 22 for walk in plan.walks)

    def test_shares_the_meters_of_one_house(self):
        plan = propose([stop(n) for n in range(30)], [walker(101 + n, max_load=30) for n in range(3)])

        assert [len(walk.stops) for walk in plan.walks] == [10, 10, 10]

    def test_counts_the_minutes_that_somebody_has_already(self):
        plan = propose([stop(n) for n in range(10)], [walker(101, minutes=60.0), walker(102)])

        assert {walk.agent.int: len(walk.stops) for walk in plan.walks} == {101: 2, 102: 8}

    def test_leaves_what_matters_least_where_there_is_not_room_for_all(self):
        early, late = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 9, tzinfo=UTC)
        stops = [
            stop(1, rank=2),
            stop(2, rank=1, due_at=late),
            stop(3, rank=0),
            stop(4, rank=1, due_at=early),
            stop(5, rank=1),
        ]

        plan = propose(stops, [walker(11, load=3, max_load=5)])

        assert sorted(taken(plan)[11]) == [3, 4]
        assert left(plan) == dict.fromkeys((1, 2, 5), Reason.NO_ROOM)

    def test_keeps_to_regions_but_for_who_goes_anywhere(self):
        stops = [stop(1, region=NORTH), stop(2, region=SOUTH)]

        assert left(propose(stops, [walker(11, region=NORTH)])) == {2: Reason.NO_AGENT}
        assert taken(propose(stops, [walker(11)])) == {11: [1, 2]}

    def test_leaves_what_is_too_far(self):
        plan = propose([stop(1), stop(2, east_km=60)], [walker(11)])

        assert left(plan) == {2: Reason.TOO_FAR}
        assert not propose([stop(2, east_km=60)], [walker(11)], furthest_m=70_000.0).left

    def test_gives_out_what_hangs_nobody_knows_where(self):
        lost = stop(1, latitude=None, longitude=None)

        plan = propose([lost, stop(2)], [walker(11)])

        assert taken(plan) == {11: [2, 1]}

    def test_works_without_knowing_where_agents_are(self):
        stops = [stop(n, east_km=n) for n in range(10)]

        plan = propose(stops, [walker(n, latitude=None, longitude=None) for n in (11, 12)])

        assert {frozenset(stops) for stops in taken(plan).values()} == {frozenset(range(5)), frozenset(range(5, 10))}

    def test_says_so_where_there_is_nobody_or_nothing(self):
        assert left(propose([stop(1)], [])) == {1: Reason.NO_AGENT}
        assert propose([], [walker(11)]) == propose([], [])

    def test_tells_how_long_a_way_is(self):
        (walk,) = propose([stop(1, east_km=1), stop(2, east_km=2, minutes=5.0)], [walker(11)]).walks

        assert walk.length_m == pytest.approx(2_001, abs=3)
        assert walk.minutes == pytest.approx(15 + 2_001 / proposing.METRES_A_MINUTE, abs=0.1)


class TestWayOf:
    def test_goes_along_a_street(self):
        street = [3, 1, 4, 0, 2]

        way, length_m = way_of([stop(n, east_km=n) for n in street], HERE)

        assert [street[index] for index in way] == [0, 1, 2, 3, 4]
        assert length_m == pytest.approx(4_002, abs=3)

    def test_crosses_no_way_of_its_own_in_a_square(self):
        corners = [stop(0), stop(1, 1, 1), stop(2, 1, 0), stop(3, 0, 1)]

        _, length_m = way_of(corners, HERE)

        assert length_m == pytest.approx(3_002, abs=3)

    def test_crosses_the_date_line(self):
        _, length_m = way_of([stop(1, latitude=0.0, longitude=-179.995)], (0.0, 179.995))

        assert length_m == pytest.approx(1_112, abs=1)


degrees = st.tuples(st.floats(1.2, 1.5), st.floats(103.6, 104.0))
places = st.one_of(st.tuples(st.none(), st.none()), degrees, st.sampled_from([(1.3, 103.8), (1.4, 103.9)]))
regions = st.sampled_from([None, NORTH, SOUTH])


@st.composite
def questions(draw):
    stops = [
        Stop(UUID(int=n), *draw(places), draw(st.integers(0, 3)), draw(st.integers(1, 60)), None, draw(regions))
        for n in range(draw(st.integers(0, 25)))
    ]
    walkers = [
        Walker(UUID(int=100 + n), *draw(places), draw(st.integers(0, 8)), draw(st.integers(0, 8)), 0.0, draw(regions))
        for n in range(draw(st.integers(0, 4)))
    ]
    return stops, walkers


class TestProperties:
    @given(questions())
    @settings(max_examples=150, deadline=None)
    def test_every_meter_is_taken_once_or_left_and_nobody_has_too_many(self, question):
        stops, walkers = question

        plan = propose(stops, walkers)

        keys = [key for walk in plan.walks for key in walk.stops] + [key for key, _ in plan.left]
        assert sorted(keys) == sorted(each.key for each in stops)
        by_key = {each.key: each for each in walkers}
        for walk in plan.walks:
            assert by_key[walk.agent].load + len(walk.stops) <= by_key[walk.agent].max_load

    @given(questions())
    @settings(max_examples=100, deadline=None)
    def test_nothing_waits_for_room_that_something_lesser_has(self, question):
        stops, walkers = question
        by_key = {each.key: each for each in (*stops, *walkers)}

        plan = propose(stops, walkers)

        for key, reason in plan.left:
            waits = by_key[key]
            for walk in plan.walks:
                regions = {waits.region, by_key[walk.agent].region}
                if reason == Reason.NO_ROOM and (None in regions or len(regions) == 1):
                    assert max(by_key[each].rank for each in walk.stops) <= waits.rank

    @given(questions(), st.randoms(use_true_random=False))
    @settings(max_examples=60, deadline=None)
    def test_who_takes_what_does_not_hang_on_the_order_of_the_question(self, question, random):
        stops, walkers = question
        first = propose(stops, walkers)
        assert propose(stops, walkers) == first
        random.shuffle(stops)
        random.shuffle(walkers)

        again = propose(stops, walkers)

        assert {walk.agent: set(walk.stops) for walk in again.walks} == {
            walk.agent: set(walk.stops) for walk in first.walks
        }

    @given(questions())
    @settings(max_examples=100, deadline=None)
    def test_no_way_is_longer_than_in_the_order_given(self, question):
        stops, walkers = question
        by_key = {each.key: each for each in (*stops, *walkers)}

        for walk in propose(stops, walkers).walks:
            agent = by_key[walk.agent]
            start = None if agent.latitude is None else (agent.latitude, agent.longitude)
            asked = [each for each in stops if each.key in walk.stops]
            assert walk.length_m <= length_of(asked, start) * 1.0001 + 0.01
            assert walk.length_m == pytest.approx(
                length_of([by_key[key] for key in walk.stops], start), rel=1e-4, abs=0.01
            )
