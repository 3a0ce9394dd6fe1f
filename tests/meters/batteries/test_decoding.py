import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.batteries.conventions import Terms
from meters.batteries.decoding import Decoded, decode_readings
from meters.batteries.quantities import NAMES, System
from meters.devices.decoding import MalformedBody, TooManyMessages
from meters.series.columns import EPOCH

NOON = "2025-03-01T12:00:00Z"
NOON_US = (datetime(2025, 3, 1, 12, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
NOON_MS = 1740830400000
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@dataclass
class Written:
    """A stored convention."""

    charge_is_positive: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    time_column: str = ""
    zone: str = ""
    clock_offset_seconds: float = 0.0


def decode(document: Any, system: System = System.BMS, terms: Terms | None = None, limit: int = 100) -> Decoded:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return decode_readings(body, system=system, battery="B1", limit=limit, terms=terms)


def told(decoded: Decoded, place: int = 0) -> dict[str, float]:
    reading = decoded.readings[place]
    named = zip(NAMES[reading.system], reading.values, strict=True)
    return {name: value for name, value in named if value is not None}


class TestAPublishedReading:
    @pytest.mark.parametrize("time", [NOON, "2025-03-01T20:00:00+08:00", NOON_MS, float(NOON_MS)])
    def test_names_its_instant_with_an_offset_or_in_milliseconds(self, time):
        assert decode({"timestamp": time, "soc": 50}).readings[0].time_us == NOON_US

    def test_may_leave_out_what_it_likes_and_say_what_nobody_knows(self):
        decoded = decode({"timestamp": NOON, "soc": 50.1, "soh": None, "mood": "good"})

        assert (told(decoded), decoded.rejected, decoded.messages) == ({"soc": 50.1}, [], 1)

    @given(
        system=st.sampled_from(System),
        rows=st.lists(st.tuples(st.integers(-(10**12), 2 * 10**12), st.lists(FLOATS | st.none(), max_size=12))),
    )
    def test_comes_back_as_it_was_written(self, system, rows):
        documents = [{"timestamp": ms} | dict(zip(NAMES[system], values, strict=False)) for ms, values in rows]

        decoded = decode(documents, system)

        full = [
            place for place, document in enumerate(documents) if any(document.get(n) is not None for n in NAMES[system])
        ]
        assert decoded.places == full
        assert [item.index for item in decoded.rejected] == sorted(set(range(len(rows))) - set(full))
        assert {item.code for item in decoded.rejected} <= {"empty"}
        for reading, place in zip(decoded.readings, full, strict=True):
            assert reading.values == tuple(documents[place].get(name) for name in NAMES[system])
            assert EPOCH + timedelta(microseconds=reading.time_us) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
                milliseconds=documents[place]["timestamp"]
            )

    @given(
        moment=st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),
        minutes=st.integers(-1439, 1439),
    )
    def test_tells_the_same_instant_on_every_clock(self, moment, minutes):
        local = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))

        decoded = decode({"timestamp": local.isoformat(), "soc": 1})

        assert decoded.readings[0].time_us == (local - EPOCH) // timedelta(microseconds=1)


class TestABadReading:
    @pytest.mark.parametrize(
        "bad",
        [
            {"soc": 1},
            {"timestamp": "2025-03-01T12:00:00", "soc": 1},
            {"timestamp": "noon", "soc": 1},
            {"timestamp": True, "soc": 1},
            {"timestamp": NOON_MS + 0.5, "soc": 1},
            {"timestamp": 10**15, "soc": 1},
            {"timestamp": NOON, "soc": "50.1"},
            {"timestamp": NOON, "soc": True},
            {"timestamp": NOON, "soc": [1]},
            {"timestamp": NOON, "soc": 1e39},
            [],
            5,
            None,
        ],
    )
    def test_is_named_by_its_index_and_the_good_ones_are_kept(self, bad):
        good = {"timestamp": NOON, "soc": 1}

        decoded = decode([good, bad, good])
        by_convention = decode([good, bad, good], terms=Terms())

        expected = [] if isinstance(bad, dict) and bad.get("timestamp") == "2025-03-01T12:00:00" else [1]
        assert [item.index for item in decoded.rejected] == [1]
        assert decoded.places == [0, 2]
        assert [item.index for item in by_convention.rejected] == expected
        assert {item.code for item in decoded.rejected + by_convention.rejected} == {"malformed"}

    @pytest.mark.parametrize("empty", [{"timestamp": NOON}, {"timestamp": NOON, "soc": None, "mood": 5}])
    def test_without_any_value_is_empty(self, empty):
        assert [(item.index, item.code) for item in decode(empty).rejected] == [(0, "empty")]


class TestABody:
    @pytest.mark.parametrize(
        "body", [b"", b"{", b"5", b"null", b'"x"', b"\xff", b'{"timestamp": 1, "soc": NaN}', b'[{"soc": Infinity}]']
    )
    @pytest.mark.parametrize("terms", [None, Terms()])
    def test_that_is_no_json_or_neither_object_nor_array_is_refused(self, body, terms):
        with pytest.raises(MalformedBody):
            decode(body, terms=terms)

    @pytest.mark.parametrize("rows", [[{"timestamp": NOON, "soc": 1}] * 3, [5] * 3])
    def test_of_more_readings_than_may_be_is_refused(self, rows):
        with pytest.raises(TooManyMessages):
            decode(rows, limit=2)

    @given(
        body=st.binary()
        | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(
            lambda document: json.dumps(document).encode()
        )
    )
    def test_of_whatever_kind_is_read_or_refused(self, body):
        try:
            decoded = decode(body)
        except (MalformedBody, TooManyMessages):
            return
        assert len(decoded.places) + len({item.index for item in decoded.rejected}) == decoded.messages


class TestTerms:
    def test_give_names_units_signs_and_clocks_of_their_own(self):
        terms = Terms.of(
            Written(
                charge_is_positive=True,
                columns={"U": "voltage", "I": "current", "CellMax": "cell_max_voltage"},
                units={"cell_max_voltage": "mV"},
                time_column="t",
                zone="Asia/Singapore",
                clock_offset_seconds=2.0,
            )
        )

        decoded = decode({"t": "2025-03-01T20:00:02", "U": 832.3, "I": 15, "CellMax": 3250, "soc": 50}, terms=terms)

        assert decoded.readings[0].time_us == NOON_US
        assert told(decoded) == pytest.approx({"voltage": 832.3, "current": -15, "cell_max_voltage": 3.25, "soc": 50})

    @given(value=FLOATS, unit=st.sampled_from(["A", "mA", "kA"]), is_turned=st.booleans())
    def test_give_what_a_file_gives(self, value, unit, is_turned):
        terms = Terms.of(Written(charge_is_positive=is_turned, units={"current": unit}))

        decoded = decode({"timestamp": NOON, "current": value}, terms=terms)

        own = terms.to_own(System.BMS, "current", np.array([value]))[0]
        if abs(own) <= np.finfo(np.float32).max:
            assert decoded.readings[0].values[NAMES[System.BMS].index("current")] == own
        else:
            assert decoded.rejected[0].code == "malformed"
