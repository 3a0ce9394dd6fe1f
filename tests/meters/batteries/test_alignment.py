from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.batteries.alignment import Buckets, align, as_of, first_standing, held, tolerances_us, weighed
from meters.batteries.conventions import EPOCH
from meters.batteries.quantities import BMS_SIGNALS, Manner
from tests.meters.batteries.slow_alignment import aligned

SECOND = 1_000_000
TEN = (datetime(2025, 3, 1, 10, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
GAUGE = next(signal for signal in BMS_SIGNALS if signal.manner is Manner.GAUGE)
MEAN = next(signal for signal in BMS_SIGNALS if signal.manner is Manner.MEAN)

Told = list[tuple[int, float]]


def arrays(told: Told) -> tuple[np.ndarray, np.ndarray]:
    times, values = zip(*told, strict=True) if told else ((), ())
    return np.array(times, dtype=np.int64), np.array(values, dtype=np.float64)


tellings = st.lists(st.tuples(st.integers(-100, 400), st.floats(-1e3, 1e3) | st.just(np.nan)), max_size=40)


class TestGoldenCase:
    SOC = arrays([(TEN, 50.0), (TEN + 30 * SECOND, 50.1), (TEN + 90 * SECOND, 50.4)])

    def test_weighs_power_to_twelve_and_a_half(self) -> None:
        power = arrays([(TEN + 10 * place * SECOND, 12.0 + 0.2 * place) for place in range(6)])

        answer = weighed(*power, Buckets(TEN, 60 * SECOND, 1), tolerance=60 * SECOND)

        assert (answer.values[0], answer.ages[0]) == (pytest.approx(12.5), 10 * SECOND)

    def test_takes_the_state_of_charge_as_of_ten_past_one_minute(self) -> None:
        answer = as_of(*self.SOC, np.array([TEN + 60 * SECOND]), tolerance=60 * SECOND)

        assert (answer.values[0], answer.ages[0]) == (50.1, 30 * SECOND)

    def test_has_none_once_the_last_is_too_old(self) -> None:
        answer = as_of(*self.SOC, np.array([TEN + 150 * SECOND, TEN + 160 * SECOND]), tolerance=60 * SECOND)

        assert (answer.values[0], np.isnan(answer.values[1]), answer.ages[1]) == (50.4, True, -1)


class TestAsOf:
    def test_takes_what_is_told_at_the_very_instant(self) -> None:
        answer = as_of(*arrays([(5, 1.0), (7, 2.0)]), np.array([4, 5, 6, 7]), tolerance=10)

        assert answer.ages.tolist() == [-1, 0, 1, 0]


class TestHeld:
    def test_leaves_what_is_told_at_the_end_to_the_next_bucket(self) -> None:
        answer = held(*arrays([(0, 1.0), (10, 2.0)]), Buckets(0, 10, 2), tolerance=10)

        assert answer.values.tolist() == [1.0, 2.0]


class TestWeighed:
    def test_counts_what_stood_before_from_the_start_on(self) -> None:
        answer = weighed(*arrays([(-5, 1.0), (4, 2.0)]), Buckets(0, 10, 1), tolerance=100)

        assert answer.values[0] == pytest.approx(0.4 * 1.0 + 0.6 * 2.0)

    def test_is_the_mean_of_what_is_known_where_a_value_is_too_old(self) -> None:
        answer = weighed(*arrays([(0, 1.0), (8, 2.0)]), Buckets(0, 10, 3), tolerance=4)

        assert answer.values[:2].tolist() == [pytest.approx((4 * 1.0 + 2 * 2.0) / 6), 2.0]
        assert np.isnan(answer.values[2])


class TestFirstStanding:
    def test_orders_and_keeps_the_first_of_an_instant(self) -> None:
        times, values = first_standing(*arrays([(3, 1.0), (1, np.nan), (1, 2.0), (3, 9.0), (1, 8.0)]))

        assert (times.tolist(), values.tolist()) == ([1, 3], [2.0, 1.0])


class TestAlign:
    @given(
        told=tellings, signal=st.sampled_from([GAUGE, MEAN]), tolerance=st.integers(1, 120), every=st.integers(1, 60)
    )
    def test_is_what_the_slow_model_says(self, told: Told, signal: object, tolerance: int, every: int) -> None:
        buckets = Buckets(0, every, 8)

        answer = align(signal, *first_standing(*arrays(told)), buckets, tolerance=tolerance)

        for place, start in enumerate(buckets.starts.tolist()):
            value, age = aligned(told, start, start + every, signal.manner, tolerance)
            assert answer.values[place] == pytest.approx(value, nan_ok=True, rel=1e-9, abs=1e-9)
            assert answer.ages[place] == age

    @given(
        told=tellings, signal=st.sampled_from([GAUGE, MEAN]), tolerance=st.integers(1, 120), value=st.floats(-1e3, 1e3)
    )
    def test_knows_nothing_of_the_future(self, told: Told, signal: object, tolerance: int, value: float) -> None:
        end = 100
        changed = [(at, value if at >= end else was) for at, was in told] + [(end, value)]

        answers = [
            align(signal, *first_standing(*arrays(each)), Buckets(0, 10, end // 10), tolerance=tolerance)
            for each in (told, changed)
        ]

        assert answers[0].values.tobytes() == answers[1].values.tobytes()
        assert answers[0].ages.tolist() == answers[1].ages.tolist()


class TestTolerances:
    def test_are_changed_by_name(self) -> None:
        changed = tolerances_us({"soc": 1.5})

        assert (changed["soc"], changed["voltage"]) == (1_500_000, 60 * SECOND)
