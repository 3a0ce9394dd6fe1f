from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared.clock import zone
from meters.devices.rollup import Hour, Standing, Told, hour_edges, hour_of

MINUTE = 60_000_000
HOUR = 60 * MINUTE
HOLD = 15 * MINUTE
FOREVER = 24 * HOUR
START = 1_000 * HOUR
NOTHING = float("nan")
STEP = 5_000_000


def told(*rows) -> Told:
    """Return rows of (device, minutes since the start, power[, increment])."""
    padded = [(*row, NOTHING)[:4] for row in rows]
    devices, minutes, powers, increments = zip(*padded, strict=True) if padded else ((), (), (), ())
    return Told(
        np.array(devices, np.int64),
        START + np.array([round(minute * MINUTE) for minute in minutes], np.int64),
        np.array([NOTHING if power is None else power for power in powers], float),
        np.array(increments, float),
    )


def hour(*rows, devices=(1,), hold=HOLD, before=None, slices=None):
    made = Hour(
        start=START,
        end=START + HOUR,
        device_ids=np.array(devices, np.int64),
        hold=np.full(len(devices), hold, np.int64),
        before=before or Standing.nothing(),
    )
    for part in slices or [rows]:
        made.add(told(*part))
    return made.close()


def stands(power, minutes_before, device=1) -> Standing:
    return Standing(np.array([device]), np.array([power], float), np.array([START - round(minutes_before * MINUTE)]))


GOLDEN = ((1, 0, 1000), (1, 10, 2000), (1, 30, 0))


class TestHour:
    def test_holds_each_power_until_the_next(self):
        made = hour(*GOLDEN, hold=FOREVER)

        assert made.energy_wh.tolist() == pytest.approx([833.33], abs=0.005)
        assert made.covered_seconds.tolist() == [3600]

    def test_ends_a_hold_after_silence(self):
        made = hour(*GOLDEN)

        assert made.energy_wh.tolist() == pytest.approx([666.67], abs=0.005)
        assert (made.covered_seconds / 3600).tolist() == pytest.approx([0.667], abs=0.0005)

    def test_does_not_call_a_device_silent_that_tells_its_temperature(self):
        made = hour(*GOLDEN, (1, 20, None), (1, 25, None), (1, 44, None), (1, 58, None))

        assert made.energy_wh.tolist() == pytest.approx([833.33], abs=0.005)
        assert made.covered_seconds.tolist() == [3600]

    def test_does_not_know_the_power_after_a_silence_until_it_is_told(self):
        made = hour((1, 0, 600), (1, 20, None), (1, 30, 1200))

        assert made.energy_wh.tolist() == [150 + 300]
        assert made.covered_seconds.tolist() == [1800]

    def test_takes_a_gap_of_exactly_the_hold_time_for_no_silence(self):
        made = hour((1, 0, 600), (1, 15, None), (1, 30, None), (1, 45, None))

        assert made.energy_wh.tolist() == [600]

    def test_starts_with_the_power_that_stood_before(self):
        made = hour((1, 10, 0), before=stands(600, 1), slices=None)

        assert made.energy_wh.tolist() == [100]
        assert made.covered_seconds.tolist() == [25 * 60]

    def test_knows_an_hour_without_a_word_as_far_as_the_hold_reaches(self):
        made = hour(before=stands(600, 5))

        assert made.energy_wh.tolist() == [100]
        assert made.covered_seconds.tolist() == [600]

    def test_leaves_out_devices_of_which_nothing_is_known(self):
        made = hour((2, 5, None), devices=(1, 2, 3), before=stands(600, 15, device=3))

        assert made.device_ids.tolist() == []

    def test_leaves_out_rows_of_other_devices(self):
        made = hour((1, 0, 60), (7, 0, 60), (9, 30, 60), devices=(1, 9))

        assert made.device_ids.tolist() == [1, 9]
        assert made.energy_wh.tolist() == [15, 15]

    def test_passes_on_what_stands_at_its_end(self):
        made = hour((1, 50, 600), (1, 55, None), (2, 40, 300), devices=(1, 2))

        assert made.standing.power_w.tolist() == pytest.approx([600, NOTHING], nan_ok=True)
        assert made.standing.heard.tolist() == [START + 55 * MINUTE, START + 40 * MINUTE]

    def test_counts_increments_where_no_power_stands(self):
        made = hour((1, 10, None, 5), (1, 20, None), (1, 30, None, 7))

        assert made.energy_wh.tolist() == [12]
        assert made.covered_seconds.tolist() == [(10 + 10 + 10 + 15) * 60]

    def test_does_not_count_increments_beside_powers(self):
        made = hour((1, 0, 600, 5), (1, 10, None, 50))

        assert made.energy_wh.tolist() == [250]
        assert made.covered_seconds.tolist() == [25 * 60]

    def test_knows_an_hour_that_used_nothing(self):
        made = hour((1, 0, 0), (2, 10, None, 0), devices=(1, 2))

        assert made.energy_wh.tolist() == [0, 0]

    def test_refuses_an_hour_that_is_none(self):
        with pytest.raises(ValueError, match="An hour of 0"):
            Hour(
                start=START,
                end=START,
                device_ids=np.zeros(0, np.int64),
                hold=np.zeros(0, np.int64),
                before=Standing.nothing(),
            )


rows = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(0, 719),
        st.none() | st.integers(-500, 3000),
        st.just(NOTHING) | st.integers(0, 50).map(float),
    ),
    max_size=30,
    unique_by=lambda row: row[:2],
).map(lambda found: [(device, twelfth / 12, power, wh) for device, twelfth, power, wh in found])
standings = st.dictionaries(st.integers(1, 4), st.tuples(st.integers(0, 3000), st.integers(1, 360)), max_size=4)


def slow_model(found, before, hold):
    """Return (energy, seconds) by device, in steps of five seconds."""
    answer = {}
    for device in (1, 2, 3):
        words = {round(minute * MINUTE): (power, wh) for of, minute, power, wh in found if of == device}
        energy, covered = held_slowly(words, before.get(device), hold)
        increments = [wh for _, wh in words.values() if not isnan(wh)]
        if covered:
            answer[device] = (energy / HOUR, covered / 1e6)
        elif increments:
            answer[device] = (sum(increments), awake_slowly(words, hold) / 1e6)
    return answer


def held_slowly(words, before, hold):
    """Return W·µs and the µs in which a power stood."""
    power, heard = before or (None, 0)
    heard *= -STEP
    energy = covered = 0
    for at in range(0, HOUR, STEP):
        if at in words:
            power = None if at - heard > hold else power
            power = power if words[at][0] is None else words[at][0]
            heard = at
        if power is not None and at - heard < hold:
            energy += power * STEP
            covered += STEP
    return energy, covered


def awake_slowly(words, hold):
    """Return the µs in which no silence was longer than the hold."""
    first = min(words)
    awake = first if first <= hold else 0
    for at in range(0, HOUR, STEP):
        awake += STEP * any(word <= at < word + hold for word in words)
    return awake


class TestAgainstAStepwiseModel:
    @given(rows, standings, st.sampled_from([5, 15, 40, 24 * 60]), st.integers(1, 5))
    def test_agrees_however_the_rows_come(self, found, before, hold_minutes, parts):
        standing = Standing(
            np.array(sorted(before), np.int64),
            np.array([before[device][0] for device in sorted(before)], float),
            np.array([START - before[device][1] * STEP for device in sorted(before)], np.int64),
        )
        edges = [60 * part / parts for part in range(parts + 1)]
        slices = [[row for row in found if low <= row[1] < high] for low, high in pairwise(edges)]

        made = hour(devices=(1, 2, 3), hold=hold_minutes * MINUTE, before=standing, slices=slices)

        wanted = slow_model(found, before, hold_minutes * MINUTE)
        assert made.device_ids.tolist() == sorted(wanted)
        assert made.energy_wh.tolist() == pytest.approx([wanted[device][0] for device in sorted(wanted)])
        assert made.covered_seconds.tolist() == pytest.approx([wanted[device][1] for device in sorted(wanted)])

    @given(rows, st.integers(1, 59), st.sampled_from([5, 15, 40]))
    def test_passes_on_all_that_the_next_hour_needs(self, found, cut, hold_minutes):
        hold = hold_minutes * MINUTE
        early = [row for row in found if row[1] < cut]
        late = [row for row in found if row[1] >= cut]
        parts = []
        standing = Standing.nothing()
        for start, end, part in ((0, cut * MINUTE, early), (cut * MINUTE, HOUR, late)):
            piece = Hour(
                start=START + start,
                end=START + end,
                device_ids=np.arange(1, 4),
                hold=np.full(3, hold),
                before=standing,
            )
            piece.add(told(*((device, minute, power) for device, minute, power, _ in part)))
            closed = piece.close()
            standing = closed.standing
            parts.append(dict(zip(closed.device_ids.tolist(), closed.energy_wh.tolist(), strict=True)))

        whole = hour(*((*row[:3], NOTHING) for row in found), devices=(1, 2, 3), hold=hold)

        for device, energy in zip(whole.device_ids.tolist(), whole.energy_wh.tolist(), strict=True):
            assert parts[0].get(device, 0) + parts[1].get(device, 0) == pytest.approx(energy, abs=1e-9)


class TestHourEdges:
    @pytest.mark.parametrize(
        ("name", "minute"),
        [("Asia/Singapore", 0), ("Asia/Kolkata", 30), ("Asia/Kathmandu", 15), ("America/St_Johns", 30)],
    )
    def test_are_the_full_hours_of_the_local_clock(self, name, minute):
        low = datetime(2025, 1, 1, tzinfo=UTC)

        edges = hour_edges(zone(name), low, low + timedelta(hours=3))

        assert [edge.minute for edge in edges][:3] == [minute] * 3
        assert all(later - edge == timedelta(hours=1) for edge, later in pairwise(edges))

    @pytest.mark.parametrize("day", [datetime(2025, 3, 30, tzinfo=UTC), datetime(2025, 10, 26, tzinfo=UTC)])
    def test_stay_where_a_clock_changes_by_an_hour(self, day):
        edges = hour_edges(zone("Europe/Berlin"), day, day + timedelta(hours=4))

        assert edges == [day + timedelta(hours=n) for n in range(5)]

    def test_begin_anew_where_a_clock_changes_by_half_an_hour(self):
        noon = datetime(2025, 10, 4, 14, tzinfo=UTC)

        edges = hour_edges(zone("Australia/Lord_Howe"), noon, noon + timedelta(hours=3))

        assert [f"{edge:%H:%M}" for edge in edges] == ["14:30", "15:30", "16:00", "17:00"]


class TestHourOf:
    @pytest.mark.parametrize(
        ("name", "instant", "hour"),
        [
            ("Asia/Singapore", "2025-01-01T10:59:59.999999", ("10:00", "11:00")),
            ("Asia/Singapore", "2025-01-01T11:00", ("11:00", "12:00")),
            ("Asia/Kolkata", "2025-01-01T11:29:59", ("10:30", "11:30")),
            ("Asia/Kathmandu", "2025-01-01T11:14", ("10:15", "11:15")),
            ("Australia/Lord_Howe", "2025-10-04T15:59", ("15:30", "16:00")),
            ("Australia/Lord_Howe", "2025-10-04T16:00", ("16:00", "17:00")),
        ],
    )
    def test_holds_the_instant(self, name, instant, hour):
        at = datetime.fromisoformat(instant).replace(tzinfo=UTC)

        start, end = hour_of(zone(name), at)

        assert (f"{start:%H:%M}", f"{end:%H:%M}") == hour
