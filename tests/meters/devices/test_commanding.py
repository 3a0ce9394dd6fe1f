"""The life of a command, without a database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.devices import commanding
from meters.devices.commanding import Evidence, Publish, Settle, Standing, State, Wait, decide
from meters.devices.models import Command

NOW = datetime(2025, 3, 11, 4, tzinfo=UTC)
LATER = NOW + timedelta(hours=6)


def standing(state=State.QUEUED, *, switch=True, attempts=0, expires_at=LATER, delivered_at=None):
    return Standing(state, switch, attempts, expires_at, delivered_at)


class TestStates:
    def test_are_those_that_are_stored(self):
        assert {str(state) for state in State} == set(Command.Status.values)

    def test_end_where_nothing_follows(self):
        assert {State.QUEUED, State.SENT, State.DELIVERED} == commanding.OPEN

    @pytest.mark.parametrize(
        ("before", "after"), [("expired", "delivered"), ("queued", "effective"), ("failed", "sent")]
    )
    def test_never_follow_out_of_turn(self, before, after):
        assert not commanding.may_follow(before, after)


class TestSending:
    def test_is_tried_at_ever_longer_pauses_and_then_given_up(self):
        pauses = [decide(standing(attempts=attempts), None, NOW) for attempts in range(commanding.MOST_ATTEMPTS)]

        waits = [(step.again_at - NOW).total_seconds() for step in pauses if isinstance(step, Publish)]
        assert waits[:4] == [2, 4, 8, 16]
        assert waits[-1] == 300
        assert decide(standing(State.SENT, attempts=commanding.MOST_ATTEMPTS), None, NOW) == Settle(
            State.FAILED, "Sent 10 times, and never acknowledged."
        )

    @pytest.mark.parametrize("attempts", [0, 3])
    def test_ends_when_the_command_expires(self, attempts):
        step = decide(standing(attempts=attempts, expires_at=NOW), None, NOW)

        assert isinstance(step, Settle)
        assert step.state is State.EXPIRED

    def test_looks_again_no_later_than_the_command_expires(self):
        soon = NOW + timedelta(seconds=1)

        assert decide(standing(expires_at=soon), None, NOW) == Publish(soon)


class TestEffect:
    @pytest.mark.parametrize(
        ("switch", "evidence"),
        [
            (True, Evidence(switch=True)),
            (True, Evidence(power_w=60.0)),
            (False, Evidence(switch=False)),
            (False, Evidence(power_w=0.2)),
            (False, Evidence(switch=False, power_w=60.0)),
        ],
    )
    def test_is_proved_by_the_switch_or_else_by_the_power(self, switch, evidence):
        delivered = standing(State.DELIVERED, switch=switch, delivered_at=NOW)

        assert decide(delivered, evidence, NOW) == Settle(State.EFFECTIVE)

    @pytest.mark.parametrize("evidence", [None, Evidence(), Evidence(switch=False), Evidence(power_w=0.0)])
    def test_is_waited_for_while_its_window_is_open(self, evidence):
        assert isinstance(decide(standing(State.DELIVERED, delivered_at=NOW), evidence, NOW), Wait)

    @pytest.mark.parametrize(
        ("evidence", "reason"),
        [
            (Evidence(), "told nothing"),
            (Evidence(switch=False), "its switch is off"),
            (Evidence(power_w=0.04), "it draws 0.0 W"),
        ],
    )
    def test_is_missing_when_the_window_closes_without_proof(self, evidence, reason):
        delivered = standing(State.DELIVERED, delivered_at=NOW - commanding.EFFECT_WINDOW)

        step = decide(delivered, evidence, NOW)

        assert isinstance(step, Settle)
        assert step.state is State.NOT_EFFECTIVE
        assert reason in step.reason


class TestDecide:
    @given(
        state=st.sampled_from(sorted(commanding.OPEN)),
        attempts=st.integers(0, 20),
        left=st.timedeltas(timedelta(hours=-1), timedelta(hours=1)),
        evidence=st.none() | st.builds(Evidence, st.none() | st.booleans(), st.none() | st.floats(0, 5_000)),
    )
    def test_only_ever_takes_a_step_that_may_follow_and_never_looks_back(self, state, attempts, left, evidence):
        step = decide(standing(state, attempts=attempts, expires_at=NOW + left, delivered_at=NOW + left), evidence, NOW)

        if isinstance(step, Settle):
            assert commanding.may_follow(state, step.state)
        else:
            assert step.again_at > NOW
