"""What speaks against a submission adds up, and never the other way round."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared.geo import Spot
from field_ops.evidence import Claim, Facts, Range, Reason, Shot, Twin, assess, expected_range, photo_agrees

AT = datetime(2025, 3, 10, 2, tzinfo=UTC)
METER = Spot(1.3000, 103.8000)
MODULUS = Decimal(10) ** 6
CARRIES = Decimal("331.2")
EXPECTED = Range(AT - timedelta(days=10), Decimal(1000), Decimal(50), Decimal(200), MODULUS, Decimal(10))
FACTS = Facts(serial="SG-000123", spot=METER, expected=EXPECTED)
HONEST = Claim(
    is_read=True,
    value=Decimal(1100),
    read_at=AT,
    received_at=AT + timedelta(minutes=5),
    spot=Spot(1.3001, 103.8001),
    accuracy_m=8.0,
    serial="sg 000123",
    shot=Shot(taken_at=AT),
)


def reasons(claim=HONEST, facts=FACTS):
    return [reason.value for reason in assess(claim, facts, geofence_m=100).reasons]


class TestAssess:
    def test_has_nothing_against_an_honest_reading(self):
        found = assess(HONEST, FACTS, geofence_m=100)

        assert (found.reasons, found.is_high) == ((), False)
        assert found.numbers["position"] == {"distance_m": 15.7, "accuracy_m": 8.0, "allowed_m": 108.0}
        assert found.numbers["range"]["grown"] == "100"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"spot": Spot(1.3012, 103.8)}, "far_from_meter"),
            ({"spot": None}, "no_position"),
            ({"accuracy_m": 501.0}, "position_vague"),
            ({"serial": "SG-000124"}, "serial_differs"),
            ({"received_at": AT + timedelta(days=2, seconds=1)}, "arrived_late"),
            ({"value": Decimal(1201)}, "outside_expected_range"),
            ({"value": Decimal(999)}, "outside_expected_range"),
            ({"obstacle": "tamper"}, "tampered"),
            ({"obstacle": "damaged"}, "damaged"),
            ({"shot": None}, "no_photo"),
            ({"shot": Shot(taken_at=AT - timedelta(days=1, seconds=1))}, "photo_of_another_day"),
            ({"shot": Shot(spot=Spot(1.31, 103.8))}, "photo_taken_elsewhere"),
            ({"shot": Shot(twins=(Twin("SG-9", "x", 0, is_exact=True),))}, "photo_sent_before"),
            ({"shot": Shot(twins=(Twin("SG-9", "x", 3),))}, "photo_looks_like_another"),
            ({"shot": Shot(shows_something=False)}, "photo_shows_nothing"),
        ],
    )
    def test_raises_the_risk_by(self, change, reason):
        found = assess(replace(HONEST, **change), FACTS, geofence_m=100)

        assert ([each.value for each in found.reasons], found.is_high) == ([reason], True)

    def test_lets_a_position_be_as_far_off_as_its_accuracy_says(self):
        near = replace(HONEST, spot=Spot(1.3012, 103.8))

        assert reasons(replace(near, accuracy_m=40.0)) == []
        assert reasons(replace(near, accuracy_m=None)) == ["far_from_meter"]

    def test_takes_the_serial_of_another_known_meter_for_worse_than_an_unknown_one(self):
        assert reasons(replace(HONEST, serial="SG-7"), replace(FACTS, other_meter="SG-7")) == [
            "serial_of_another_meter"
        ]

    @pytest.mark.parametrize(
        ("claim", "facts", "reason"),
        [
            (HONEST, replace(FACTS, spot=None), "meter_not_placed"),
            (HONEST, replace(FACTS, expected=None), "no_history"),
            (replace(HONEST, serial=""), FACTS, "serial_not_given"),
            (
                replace(HONEST, is_read=False, value=None, obstacle="dog", shot=None, serial=""),
                FACTS,
                "obstacle_without_photo",
            ),
        ],
    )
    def test_only_names_what_is_no_fault_of_the_agent(self, claim, facts, reason):
        found = assess(claim, facts, geofence_m=100)

        assert ([each.value for each in found.reasons], found.is_high) == ([reason], False)

    def test_calls_a_step_large_where_too_little_is_known_to_expect_one(self):
        facts = replace(FACTS, expected=replace(EXPECTED, typical_per_day=None, least=Decimal(0)))

        assert reasons(replace(HONEST, value=Decimal(1201)), facts) == ["large_step"]
        assert reasons(HONEST, facts) == []


HARMS = {
    "farther": lambda claim, facts: (replace(claim, spot=Spot(-40.0, 10.0)), facts),
    "no position": lambda claim, facts: (replace(claim, spot=None, accuracy_m=None), facts),
    "no photo": lambda claim, facts: (replace(claim, shot=None), facts),
    "a twin": lambda claim, facts: (
        replace(claim, shot=replace(claim.shot or Shot(), twins=(Twin("m", "s", 0, is_exact=True),))),
        facts,
    ),
    "older": lambda claim, facts: (replace(claim, received_at=claim.received_at + timedelta(days=30)), facts),
    "tampered": lambda claim, facts: (replace(claim, obstacle="tamper"), facts),
    "another meter": lambda claim, facts: (replace(claim, serial="SG-7"), replace(facts, other_meter="SG-7")),
    "out of range": lambda claim, facts: (
        claim,
        replace(facts, expected=Range(AT, MODULUS - 1, *[Decimal(0)] * 2, MODULUS, Decimal(0))),
    ),
}
spots = st.builds(Spot, st.floats(-90, 90), st.floats(-180, 180))
twins = st.builds(Twin, st.just("m"), st.just("s"), st.integers(0, 6), st.booleans())
shots = st.builds(
    Shot,
    st.none() | st.just(AT) | st.just(AT - timedelta(days=9)),
    st.none() | spots,
    st.lists(twins, max_size=2).map(tuple),
)
claims = st.builds(
    Claim,
    is_read=st.just(True),
    read_at=st.just(AT),
    received_at=st.integers(0, 10**6).map(lambda seconds: AT + timedelta(seconds=seconds)),
    obstacle=st.sampled_from(["", "dog", "tamper"]),
    value=st.integers(0, 999_999).map(Decimal),
    spot=st.none() | st.just(METER) | spots,
    accuracy_m=st.none() | st.floats(0, 1_000),
    serial=st.sampled_from(["", "SG-000123", "SG-7"]),
    shot=st.none() | shots,
)
facts_known = st.builds(
    Facts,
    serial=st.just("SG-000123"),
    spot=st.none() | st.just(METER),
    other_meter=st.sampled_from(["", "SG-7"]),
    expected=st.none() | st.just(EXPECTED),
)


class TestMoreHarm:
    @given(claim=claims, facts=facts_known, harm=st.sampled_from(sorted(HARMS)))
    def test_never_lowers_the_risk(self, claim, facts, harm):
        worse = assess(*HARMS[harm](claim, facts), geofence_m=100)

        assert worse.is_high
        assert worse.is_high >= assess(claim, facts, geofence_m=100).is_high

    @given(claim=claims, facts=facts_known)
    def test_is_told_the_worst_first_and_each_once(self, claim, facts):
        told = assess(claim, facts, geofence_m=100).reasons

        assert list(told) == [reason for reason in Reason if reason in told]
        assert len(told) == len(set(told))

    @given(claim=claims, facts=facts_known, nearer=st.floats(0, 1_000), more=st.floats(0, 10_000))
    def test_counts_a_narrower_fence_as_no_less(self, claim, facts, nearer, more):
        wide = set(assess(claim, facts, geofence_m=nearer + more).reasons)

        assert wide <= set(assess(claim, facts, geofence_m=nearer).reasons)


def daily(per_day, days, *, start=Decimal(1000), until=AT - timedelta(days=1)):
    first = until - timedelta(days=days)
    return [(first + timedelta(days=n), (start + per_day * n) % MODULUS) for n in range(days + 1)]


class TestExpectedRange:
    def test_reaches_from_half_the_least_to_twice_the_greatest_use_and_a_day_more(self):
        found = expected_range(daily(Decimal(10), 30), at=AT, modulus=MODULUS, greatest_per_day=CARRIES)

        assert (found.start, found.typical_per_day) == (1300, 10)
        assert found.holds(Decimal(1300))
        assert found.holds(Decimal(1330))
        assert not found.holds(Decimal(1331))
        assert not found.holds(Decimal("1299.9"))

    def test_expects_use_where_there_always_was_some(self):
        reads = daily(Decimal(10), 30, until=AT - timedelta(days=60))

        found = expected_range(reads, at=AT, modulus=MODULUS, greatest_per_day=CARRIES)

        assert (found.least, found.most) == (295, 1210)

    def test_knows_visits_every_other_month(self):
        reads = [(AT - timedelta(days=60 * n), Decimal(6000 - 600 * n)) for n in range(5, 0, -1)]

        found = expected_range(reads, at=AT, modulus=MODULUS, greatest_per_day=CARRIES)

        assert found.is_known
        assert found.holds(Decimal(6000))
        assert not found.holds(Decimal(60000))

    def test_goes_over_the_top_with_the_dial(self):
        reads = daily(Decimal(10), 30, start=MODULUS - 305)

        found = expected_range(reads, at=AT, modulus=MODULUS, greatest_per_day=CARRIES)

        assert found.start == MODULUS - 5
        assert found.holds(Decimal(4))
        assert not found.holds(Decimal(100))
        assert not found.holds(MODULUS - 6)

    def test_rests_on_the_connection_where_less_than_a_week_is_known(self):
        found = expected_range(daily(Decimal(10), 5), at=AT, modulus=MODULUS, greatest_per_day=CARRIES)

        assert (found.is_known, found.least, found.most) == (False, 0, Decimal("82.8"))

    def test_is_unknown_without_a_reading(self):
        assert expected_range([], at=AT, modulus=MODULUS, greatest_per_day=CARRIES) is None

    @given(
        per_day=st.decimals(0, 300, places=3),
        days=st.integers(8, 60),
        start=st.integers(0, 999_999).map(Decimal),
        later=st.integers(1, 90),
    )
    def test_holds_what_goes_on_as_before(self, per_day, days, start, later):
        reads = daily(per_day, days, start=start, until=AT - timedelta(days=later))
        found = expected_range(reads, at=AT, modulus=MODULUS, greatest_per_day=CARRIES)

        assert found.holds((reads[-1][1] + per_day * later) % MODULUS)


class TestPhotoAgrees:
    @pytest.mark.parametrize(
        ("texts", "agrees"),
        [
            (["kWh", "001234.5"], True),
            (["001234"], True),
            (["0 0 1 2 3 4 5"], True),
            (["1234"], True),
            (["001284.5"], False),
            (["230 V 50 Hz 1600 imp/kWh", "2015"], None),
            (["SG-000123 230 V"], None),
            (["001 234.5"], None),
            (["SG-000123"], None),
            ([], None),
        ],
    )
    def test_looks_for_the_dial_among_other_numbers(self, texts, agrees):
        found = photo_agrees(texts, value=Decimal("1234.5"), digits=6, decimals=1, serial="SG-000123")

        assert found is agrees

    @pytest.mark.parametrize(("value", "agrees"), [("1234", True), ("123", False), ("12345", False), ("0", False)])
    def test_lets_decimals_be_left_out(self, value, agrees):
        found = photo_agrees(["001234.5"], value=Decimal(value), digits=6, decimals=1, serial="SG-000123")

        assert found is agrees
