import numpy as np
import pytest

from tests.benchmarks.injecting import LENGTHS, RATES, inject

YEAR = 365 * 48


@pytest.fixture(scope="module")
def clean():
    return np.random.default_rng(1).uniform(0.1, 2.0, YEAR)


@pytest.fixture(scope="module")
def injected(clean):
    return inject(clean, seed=7, spare=2688)


class TestInject:
    def test_changes_nothing_but_what_it_names(self, clean, injected):
        assert (injected.values[~injected.anomalous] == clean[~injected.anomalous]).all()

    def test_leaves_the_beginning_alone(self, clean, injected):
        assert not injected.anomalous[:2688].any()

    @pytest.mark.parametrize("kind", RATES)
    def test_puts_each_kind_in_at_its_rate_and_length(self, injected, kind):
        edges = np.diff(injected.kinds[kind].astype(int), prepend=0, append=0)
        lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)

        assert len(lengths) == pytest.approx(RATES[kind] * (YEAR - 2688) / (365.25 * 48), abs=1)
        assert lengths.min() >= LENGTHS[kind][0]
        assert lengths.max() <= LENGTHS[kind][1]

    def test_is_the_same_for_a_seed(self, clean, injected):
        assert inject(clean, seed=7, spare=2688).values.tobytes() == injected.values.tobytes()
        assert inject(clean, seed=8, spare=2688).values.tobytes() != injected.values.tobytes()
