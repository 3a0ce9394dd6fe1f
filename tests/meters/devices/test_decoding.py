import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared.errors import Invalid
from meters.devices.decoding import (
    MalformedBody,
    Mappings,
    Sample,
    Target,
    TooManyMessages,
    decode_energy,
    decode_messages,
)

DEFAULT = {
    "instant_power": Target.of("power_w", 1.0),
    "cur_power": Target.of("power_w", 0.1),
    "temp_interior": Target.of("temperature_c", 1.0),
    "switch": Target.of("switch", 1.0),
}
MAPPINGS = Mappings(DEFAULT, {"p2": {**DEFAULT, "cur_power": Target.of("power_w", 1.0)}})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
properties = st.fixed_dictionaries(
    {"code": st.sampled_from([*DEFAULT, "foo"]), "time": json_values, "value": json_values}
)
messages = st.fixed_dictionaries(
    {
        "bizCode": st.just("devicePropertyMessage"),
        "bizData": st.fixed_dictionaries({"devId": json_values, "properties": st.lists(properties, max_size=3)}),
    }
)


def message(*told, device="plug", product="p1"):
    listed = [{"code": code, "time": time, "value": value} for code, time, value in told]
    data = {"devId": device, "productId": product, "properties": listed}
    return {"bizCode": "devicePropertyMessage", "bizData": data}


def decode(document, **more):
    return decode_messages(json.dumps(document).encode(), MAPPINGS, limit=10, **more)


class TestDecodeMessages:
    def test_joins_properties_of_one_time_and_parts_those_of_others(self):
        decoded = decode(message(("instant_power", 5, 7), ("temp_interior", 6, 20), ("switch", 5, True)), creator=3)

        assert decoded.samples == [
            Sample("plug", 5_000, power_w=7.0, switch=True, creator=3, product="p1"),
            Sample("plug", 6_000, temperature_c=20.0, creator=3, product="p1"),
        ]
        assert [sample.properties for sample in decoded.samples] == [2, 1]
        assert decoded.places == [0, 0]

    def test_keeps_a_quantity_that_is_told_twice_at_one_time_for_the_store_to_judge(self):
        decoded = decode(message(("instant_power", 5, 7), ("cur_power", 5, 70), ("temp_interior", 5, 1)))

        assert [(sample.power_w, sample.temperature_c) for sample in decoded.samples] == [(7.0, None), (7.0, 1.0)]

    def test_scales_by_the_mapping_of_the_product_before_that_of_all(self):
        decoded = decode([message(("cur_power", 5, 70)), message(("cur_power", 5, 70), product="p2")])

        assert [sample.power_w for sample in decoded.samples] == [7.0, 70.0]

    @pytest.mark.parametrize(
        ("given_", "expected"),
        [
            *[("12.5", 12.5), (" 7 ", 7.0), (-3, -3.0), (0, 0.0)],
            *((bad, None) for bad in ("x", "nan", "inf", "", None, True, [1], 10**400, 1e39)),
        ],
    )
    def test_takes_numbers_and_texts_of_them_and_nothing_else(self, given_, expected):
        decoded = decode(message(("instant_power", 5, given_)))

        assert [sample.power_w for sample in decoded.samples] == ([] if expected is None else [expected])
        assert [item.code for item in decoded.rejected] == (["malformed"] if expected is None else [])

    @pytest.mark.parametrize(
        ("given_", "expected"),
        [(True, True), ("OFF", False), ("on", True), (0, False), ("1", True), (2, None), ("maybe", None), ({}, None)],
    )
    def test_takes_what_says_on_or_off(self, given_, expected):
        decoded = decode(message(("switch", 5, given_)))

        assert [sample.switch for sample in decoded.samples] == ([] if expected is None else [expected])

    def test_goes_on_after_a_bad_property_and_a_bad_message(self):
        broken = message(("instant_power", "soon", 7), ("temp_interior", 6, 20), ("foo", 6, 1))

        decoded = decode([broken, None, message(("instant_power", 5, 1), device=""), {"x": 1}, message(("foo", 5, 1))])

        assert [
            (sample.temperature_c, place) for sample, place in zip(decoded.samples, decoded.places, strict=True)
        ] == [(20.0, 0)]
        assert [item.index for item in decoded.rejected] == [0, 1, 2, 3]
        assert decoded.unknown == [("p1", "foo"), ("p1", "foo")]
        assert decoded.messages == 5

    def test_counts_another_kind_of_message_whatever_it_holds(self):
        decoded = decode([{"bizCode": "online", "bizData": {"devId": "x"}}, {"bizCode": "bind", "bizData": 7}])

        assert (decoded.unknown, decoded.rejected) == ([("", "online"), ("", "bind")], [])

    @pytest.mark.parametrize("body", [b"", b"{", b"[1,", b"\xff", b"[" * 100_000, b'{"bizCode":"\xff"}'])
    def test_refuses_what_is_no_json(self, body):
        with pytest.raises(MalformedBody):
            decode_messages(body, MAPPINGS, limit=10)

    def test_refuses_more_messages_than_it_may_take(self):
        with pytest.raises(TooManyMessages):
            decode([message()] * 11)
        with pytest.raises(TooManyMessages):
            decode([None] * 11)

    @given(st.lists(messages | json_values, max_size=4) | messages)
    def test_answers_for_every_message_whatever_it_is(self, document):
        try:
            decoded = decode(document)
        except Invalid:
            return
        counted = len(decoded.samples) + len(decoded.unknown) + len(decoded.rejected)
        told = [each for each in (document if isinstance(document, list) else [document]) if is_empty(each)]
        assert counted + len(told) >= decoded.messages
        assert all(abs(sample.time_us) <= 10**17 for sample in decoded.samples)


def is_empty(each):
    return isinstance(each, dict) and each.get("bizData", {}).get("properties") == []


class TestDecodeEnergy:
    def plain(self, document, **more):
        return decode_energy(json.dumps(document).encode(), MAPPINGS, limit=10, **more)

    @pytest.mark.parametrize(
        "time", [1735732800000, 1735732800000.0, "2025-01-01T12:00:00Z", "2025-01-01T20:00:00.000+08:00"]
    )
    def test_takes_milliseconds_and_iso_8601(self, time):
        decoded = self.plain({"device_id": "plug", "time": time, "instant_power": 5, "temp_interior": 20})

        assert decoded.samples == [Sample("plug", 1735732800000000, power_w=5.0, temperature_c=20.0)]

    @pytest.mark.parametrize("time", [None, True, "soon", "2025-01-01T12:00:00", 0.5, 10**15, [1]])
    def test_refuses_times_that_name_no_instant(self, time):
        decoded = self.plain([{"device_id": "plug", "time": time, "instant_power": 5}])

        assert [(item.index, item.code) for item in decoded.rejected] == [(0, "malformed")]

    def test_takes_the_device_of_a_topic_and_refuses_another(self):
        decoded = self.plain([{"time": 5, "instant_power": 5}, {"device_id": "x", "time": 5}, 7], device="plug")

        assert [sample.device for sample in decoded.samples] == ["plug"]
        assert [item.index for item in decoded.rejected] == [1, 2]

    def test_counts_members_that_no_mapping_knows(self):
        decoded = self.plain({"device_id": "plug", "time": 5, "product_id": "p9", "foo": 1})

        assert (decoded.samples, decoded.unknown) == ([], [("p9", "foo")])

    @pytest.mark.parametrize("body", [b"", b"7", b"[", b"\xff", b'"x"'])
    def test_refuses_what_is_neither_an_object_nor_an_array(self, body):
        with pytest.raises(MalformedBody):
            decode_energy(body, MAPPINGS, limit=10)
