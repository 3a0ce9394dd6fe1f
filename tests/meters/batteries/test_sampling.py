import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from meters.batteries.sampling import sample

NAN = np.nan


class TestSample:
    def test_keeps_the_extremes_and_the_mean_of_each_span(self):
        found = sample(np.array([0, 4, 9, 10, 31]), {"v": np.array([1.0, 3.0, 2.0, 7.0, 5.0])}, every=10)

        assert found.starts.tolist() == [0, 10, 30]
        assert found.rows.tolist() == [3, 1, 1]
        assert (found.means["v"].tolist(), found.lows["v"].tolist()) == ([2.0, 7.0, 5.0], [1.0, 7.0, 5.0])
        assert found.highs["v"].tolist() == [3.0, 7.0, 5.0]

    def test_never_takes_what_is_missing_for_a_number(self):
        found = sample(np.array([0, 1, 10]), {"v": np.array([NAN, 4.0, NAN])}, every=10)

        assert found.means["v"][0] == found.lows["v"][0] == found.highs["v"][0] == 4.0
        assert np.isnan([found.means["v"][1], found.lows["v"][1], found.highs["v"][1]]).all()

    def test_has_nothing_of_nothing(self):
        found = sample(np.empty(0, dtype=np.int64), {"v": np.empty(0)}, every=10)

        assert (found.starts.size, found.rows.size, found.means["v"].size) == (0, 0, 0)

    @given(
        times=st.lists(st.integers(0, 1_000), min_size=1, max_size=50).map(sorted),
        every=st.integers(1, 400),
        data=st.data(),
    )
    def test_agrees_with_a_loop_over_the_spans(self, times, every, data):
        numbers = data.draw(arrays.arrays(float, len(times), elements=st.floats(-1e6, 1e6) | st.just(NAN)))

        found = sample(np.array(times), {"v": numbers}, every=every)

        spans: dict[int, list[float]] = {}
        for time, number in zip(times, numbers, strict=True):
            spans.setdefault(time // every * every, []).append(number)
        assert found.starts.tolist() == sorted(spans)
        for place, start in enumerate(sorted(spans)):
            there = [number for number in spans[start] if not np.isnan(number)]
            assert found.rows[place] == len(spans[start])
            if there:
                np.testing.assert_allclose(found.means["v"][place], np.mean(there), rtol=1e-9, atol=1e-6)
                assert (found.lows["v"][place], found.highs["v"][place]) == (min(there), max(there))
            else:
                assert np.isnan(found.means["v"][place])
