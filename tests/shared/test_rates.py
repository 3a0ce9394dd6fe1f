from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as CacheIsDown

from energy_portal.shared import rates
from energy_portal.shared.rates import Rate, take

NOON = 1_700_000_040.0 - 1_700_000_040 % 60


@pytest.fixture(autouse=True)
def empty_cache():
    cache.clear()


class TestRate:
    @pytest.mark.parametrize(
        ("text", "rate"),
        [("60/min", Rate(60, 60)), ("10/s", Rate(10, 1)), ("5/15min", Rate(5, 900)), ("3/hour", Rate(3, 3600))],
    )
    def test_is_read_from_text(self, text, rate):
        assert Rate.parse(text) == rate

    @pytest.mark.parametrize("text", ["", "0/min", "min", "5", "5/year", "-5/min"])
    def test_refuses_other_text(self, text):
        with pytest.raises(ValueError, match="not a rate"):
            Rate.parse(text)


class TestTake:
    def test_lets_the_rate_pass_and_then_tells_when_to_come_again(self):
        rate = Rate(3, 60)

        assert [take("a", rate, now=NOON) for _ in range(3)] == [0, 0, 0]

        wait = take("a", rate, now=NOON)
        assert 0 < wait <= 120
        assert take("a", rate, now=NOON + wait) == 0

    def test_counts_each_caller_alone(self):
        assert take("a", Rate(1, 60), now=NOON) == 0
        assert take("b", Rate(1, 60), now=NOON) == 0

    def test_takes_nothing_for_a_refused_call(self):
        take("a", Rate(10, 60), cost=8, now=NOON)

        assert take("a", Rate(10, 60), cost=5, now=NOON) > 0
        assert take("a", Rate(10, 60), cost=2, now=NOON) == 0

    def test_does_not_forget_at_the_edge_of_a_minute(self):
        take("a", Rate(10, 60), cost=10, now=NOON - 1)

        assert take("a", Rate(10, 60), cost=5, now=NOON + 1) > 0

    def test_lets_a_batch_larger_than_the_rate_pass_on_an_idle_account(self):
        assert take("a", Rate(10, 60), cost=1_000, now=NOON) == 0
        assert take("a", Rate(10, 60), now=NOON) > 0

    def test_never_lets_two_at_once_take_the_last_place(self):
        with ThreadPoolExecutor(8) as pool:
            waits = list(pool.map(lambda _: take("a", Rate(25, 3600), now=NOON), range(200)))

        assert waits.count(0) == 25

    def test_lets_calls_pass_while_the_cache_is_down(self, monkeypatch, caplog):
        def refuse(*_args, **_options):
            raise CacheIsDown

        monkeypatch.setattr(rates.cache, "incr", refuse)

        assert [take("a", Rate(1, 60), now=NOON) for _ in range(3)] == [0, 0, 0]
        assert "passes uncounted" in caplog.text

    @given(
        amount=st.integers(1, 20),
        calls=st.lists(st.tuples(st.floats(0, 40), st.integers(1, 25)), max_size=30),
    )
    def test_promises_a_wait_after_which_the_call_passes(self, amount, calls):
        cache.clear()
        rate, now = Rate(amount, 60), NOON
        for pause, cost in calls:
            now += pause
            wait = take("a", rate, cost=cost, now=now)
            if wait:
                now += wait
                assert take("a", rate, cost=cost, now=now) == 0
