from collections import Counter, defaultdict
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.devices.decoding import QUANTITIES, Mappings, Target, decode_energy, decode_messages
from meters.devices.simulation import Family, Fleet, Parcel, Reading, http_request, mqtt_message
from meters.devices.simulation.appliances import KINDS

START = 1_732_631_573_782
MINUTE = 60_000
MINUTES = 6
MAPPINGS = Mappings(
    {
        code: Target.of(quantity, factor)
        for code, quantity, factor in [
            ("instant_power", "power_w", 1.0),
            ("temp_interior", "temperature_c", 1.0),
            ("switch", "switch", 1.0),
            ("switch_1", "switch", 1.0),
            ("cur_power", "power_w", 0.1),
            ("cur_voltage", "voltage_v", 0.1),
            ("cur_current", "current_a", 0.001),
            ("add_ele", "energy_wh", 1.0),
        ]
    },
    {},
)
tenths = st.integers(0, 50_000).map(lambda number: number / 10)
readings = st.builds(
    Reading,
    st.integers(START, START + MINUTE),
    st.dictionaries(st.sampled_from(["power_w", "temperature_c"]), tenths, min_size=1),
)


def fleet(**changes):
    return Fleet(**{"count": 200, "rate": 100.0, "start_millis": START, "seed": 7, **changes})


@pytest.fixture(scope="module")
def some_minutes():
    return list(fleet().until(START + MINUTES * MINUTE))


class TestAnAppliance:
    @pytest.mark.parametrize(("name", "make"), KINDS)
    def test_rests_and_runs_in_a_believable_day(self, name, make):
        appliance, random = make(), Random(1)
        powers, warmths = [], []
        for _ in range(24 * 120):
            appliance.live(30, random)
            powers.append(appliance.power_w)
            warmths.append(appliance.temperature_c)

        assert 0 <= min(powers) < 15
        assert 8 < max(powers) < 3_200
        assert -30 < min(warmths) <= max(warmths) < 70

    def test_holds_its_temperature(self):
        fridge, random = KINDS[0][1](), Random(1)
        warmths = []
        for _ in range(24 * 120):
            fridge.live(30, random)
            warmths.append(fridge.temperature_c)

        assert 2.5 < min(warmths) < 3.5
        assert 5.5 < max(warmths) < 6.5

    @pytest.mark.parametrize(("name", "make"), KINDS)
    def test_draws_nothing_without_mains(self, name, make):
        appliance = make()
        appliance.live(15, Random(1))

        appliance.lose_power()

        assert appliance.power_w == 0


class TestAFleet:
    def test_says_the_same_again_however_it_is_asked(self, some_minutes):
        again = fleet()

        assert [parcel for step in range(MINUTES + 1) for parcel in again.until(START + step * MINUTE)] == some_minutes

    def test_says_something_else_by_another_seed(self, some_minutes):
        assert next(fleet(seed=8).until(START + MINUTE)) != some_minutes[0]

    def test_speaks_in_order_and_about_as_often_as_told(self, some_minutes):
        departures = [parcel.millis for parcel in some_minutes]
        messages = sum(len(parcel.readings) for parcel in some_minutes)

        assert departures == sorted(departures)
        assert 0.9 < messages / (100 * MINUTES * 60) < 1.1

    def test_measures_nothing_twice_in_one_instant(self, some_minutes):
        seen = Counter(
            (parcel.device, reading.millis)
            for parcel in some_minutes
            if not parcel.is_repeat
            for reading in parcel.readings
        )

        assert max(seen.values()) == 1

    def test_tells_mostly_what_changed(self, some_minutes):
        told = defaultdict(list)
        for parcel in some_minutes:
            if not parcel.is_repeat and not parcel.is_late:
                told[parcel.device] += [reading.values.get("power_w") for reading in parcel.readings]
        pairs = [
            (before, after)
            for powers in told.values()
            for before, after in pairwise(powers)
            if before is not None and after is not None
        ]

        assert sum(before != after for before, after in pairs) > len(pairs) / 3

    def test_repeats_some_messages_as_they_were(self, some_minutes):
        first = {mqtt_message(parcel) for parcel in some_minutes if not parcel.is_repeat}
        repeats = [parcel for parcel in some_minutes if parcel.is_repeat]

        assert 0.01 < len(repeats) / len(some_minutes) < 0.03
        assert all(mqtt_message(parcel) in first for parcel in repeats)

    def test_goes_offline_and_back_and_catches_up(self, some_minutes):
        away, bursts = {}, 0
        for parcel in some_minutes:
            if parcel.is_online is not None:
                assert away.get(parcel.device, False) is parcel.is_online
                away[parcel.device] = not parcel.is_online
            elif not parcel.is_repeat:
                assert not away.get(parcel.device)
                bursts += len(parcel.readings) > 1

        assert len(away) > 20
        assert bursts > 5

    def test_has_every_family(self, some_minutes):
        assert {parcel.family for parcel in some_minutes} == set(Family)


class TestTheWire:
    def test_says_what_is_decoded_again(self, some_minutes):
        for parcel in some_minutes[:2_000]:
            if parcel.readings:
                path, body = http_request(parcel)
                decode = decode_messages if path == "/message" else decode_energy
                topic, payload = mqtt_message(parcel)
                assert topic == f"{parcel.device}/energy"
                plain = decode_energy(payload, MAPPINGS, limit=1_000, device=parcel.device)
                for decoded in (decode(body, MAPPINGS, limit=1_000), plain):
                    assert not decoded.rejected
                    assert not decoded.unknown
                    assert told(decoded.samples) == meant(parcel)

    @given(st.sampled_from(Family), st.lists(readings, min_size=1, max_size=5, unique_by=lambda each: each.millis))
    def test_loses_nothing_of_a_burst(self, family, kept):
        if family is Family.LEGACY:
            kept = [Reading(each.millis, {"power_w": 12.5}) for each in kept]
        parcel = Parcel("sim-1", family, START + MINUTE, tuple(kept))
        path, body = http_request(parcel)

        decoded = (decode_messages if path == "/message" else decode_energy)(body, MAPPINGS, limit=10)

        assert told(decoded.samples) == meant(parcel)

    def test_says_who_went_and_who_came(self):
        assert mqtt_message(Parcel("sim-1", Family.PLAIN, START, is_online=False)) == ("sim-1/status", b"offline")
        assert mqtt_message(Parcel("sim-1", Family.PLAIN, START, is_online=True)) == ("sim-1/status", b"online")


def told(samples):
    return {
        sample.time_us // 1_000: {
            name: pytest.approx(getattr(sample, name), abs=1e-3)
            for name in QUANTITIES
            if getattr(sample, name) is not None
        }
        for sample in samples
    }


def meant(parcel):
    return {reading.millis: dict(reading.values) for reading in parcel.readings}
