import numpy as np
import pytest

from meters.insights.appliances import Fault, diagnose, examine, learn
from tests.benchmarks import breaking
from tests.meters.insights.plugs import DAY, HOUR, MINUTE, NIGHT, STEP, healthy_days, power, washing


def boiling(*, seed=0, watts=1800.0, count=3):
    rng = np.random.default_rng(seed)
    seconds = np.arange(0.0, DAY, STEP)
    drawn = np.full(len(seconds), 0.4)
    for hour in rng.choice(np.arange(6, 22), size=count, replace=False):
        begin = hour * HOUR
        drawn[(seconds >= begin) & (seconds < begin + rng.uniform(90, 200))] = watts * rng.uniform(0.98, 1.02)
    return seconds, drawn


@pytest.fixture(scope="module")
def washes():
    return learn("washing_machine", healthy_days(washing, 4))


@pytest.fixture(scope="module")
def boils():
    return learn("kettle", healthy_days(boiling, 3))


def found(kind, learnt, seconds, watts):
    laid = power(seconds, watts)
    return {finding.kind: finding for finding in diagnose(kind, learnt, laid, now=laid.end)}


class TestProgrammes:
    @pytest.mark.parametrize("seed", range(10, 14))
    def test_raise_nothing_when_healthy(self, washes, seed):
        assert not found("washing_machine", washes, *washing(seed=seed))

    def test_are_learnt_with_their_phases(self, washes):
        assert washes.get("heating_seconds").median == pytest.approx(8 * MINUTE, rel=0.1)
        assert washes.get("pump_seconds").median == pytest.approx(9 * MINUTE, rel=0.2)
        assert washes.get("heater_w").median == pytest.approx(2000, rel=0.03)

    def test_without_heating_are_told(self, washes):
        seconds, watts = washing(seed=21)

        told = found("washing_machine", washes, seconds, breaking.cold(seconds, watts, 0.0, instead_watts=100.0))

        assert set(told) == {Fault.NO_HEATING}
        assert told[Fault.NO_HEATING].figures["heating_minutes"] == 0

    def test_of_which_some_are_cold_are_not_told(self):
        days = [*healthy_days(washing, 2), *healthy_days(washing, 4, heating=0.0)[2:]]
        learnt = learn("washing_machine", days)
        laid = power(*washing(seed=22, heating=0.0))

        seen = examine("washing_machine", learnt, laid, now=laid.end)

        assert not seen.findings
        assert seen.not_judged[Fault.NO_HEATING] == "Not all of its programmes heat."

    def test_without_pumping_are_told(self, washes):
        seconds, watts = washing(seed=23)

        told = found("washing_machine", washes, seconds, breaking.unpumped(seconds, watts, 0.0, (15, 60)))

        assert set(told) == {Fault.NO_PUMPING}
        assert told[Fault.NO_PUMPING].severity == "critical"

    def test_that_are_shorter_but_whole_are_not_told(self, washes):
        seconds, watts = washing(seed=24)
        shorter = np.where(seconds % 600 < 60, np.nan, watts)
        kept = np.isfinite(shorter)

        assert not found("washing_machine", washes, seconds[kept], watts[kept])

    def test_that_do_not_end_are_told(self, washes):
        seconds, watts = washing(seed=25)
        hung = np.where(seconds > 11 * HOUR, 60.0, watts)

        assert Fault.STUCK_ON in found("washing_machine", washes, seconds, hung)

    def test_of_a_weak_heater_are_told(self, washes):
        told = found("washing_machine", washes, *washing(seed=26, heater=1350.0))

        assert told[Fault.POWER_DRIFT].figures["power_w"] == pytest.approx(1350, rel=0.03)

    def test_are_told_to_cost_more_at_rest(self, washes):
        seconds, watts = washing(seed=27)

        assert set(found("washing_machine", washes, seconds, watts + 10)) == {Fault.STANDBY_CREEP}

    def test_are_not_judged_before_they_are_over(self, washes):
        seconds, watts = washing(seed=28)
        laid = power(seconds, breaking.cold(seconds, watts, 0.0, instead_watts=100.0))
        begun = NIGHT + float(seconds[np.flatnonzero(watts)[0]])

        seen = examine("washing_machine", washes, laid, now=begun + 30 * MINUTE)

        assert "beginning to end" in seen.not_judged[Fault.NO_HEATING]

    def test_are_not_judged_by_a_single_one(self):
        once = learn("washing_machine", healthy_days(washing, 1))

        assert once.missing == "1 whole uses were seen, 2 are needed."
        assert not found("washing_machine", once, *washing(seed=29, heating=0.0))

    def test_of_a_dishwasher_always_heat(self):
        seconds, watts = washing(seed=30, heating=20.0)
        cold = breaking.cold(seconds, watts, 0.0, instead_watts=100.0)

        assert set(found("dishwasher", learn("dishwasher", []), seconds, cold)) == {Fault.NO_HEATING}

    def test_say_that_nobody_can_tell_whether_they_will_start(self, washes):
        laid = power(np.arange(0, DAY, STEP), np.zeros(2880))

        seen = examine("washing_machine", washes, laid, now=laid.end)

        assert not seen.findings
        assert seen.not_judged[Fault.DEAD] == "It only runs when somebody starts it."


class TestKettles:
    @pytest.mark.parametrize("seed", range(10, 13))
    def test_raise_nothing_when_healthy(self, boils, seed):
        assert not found("kettle", boils, *boiling(seed=seed))

    def test_that_boil_on_are_told_within_minutes(self, boils):
        seconds, watts = boiling(seed=21)

        finding = found("kettle", boils, seconds, breaking.boiling_on(seconds, watts, 0.0))[Fault.STUCK_ON]

        assert finding.detected_at - finding.began_at <= 15 * MINUTE
        assert finding.severity == "critical"

    def test_with_another_power_are_told(self, boils):
        told = found("kettle", boils, *boiling(seed=22, watts=1350.0))

        assert set(told) == {Fault.POWER_DRIFT}


class TestUnknownAppliances:
    def test_are_judged_by_their_rest_only(self):
        seconds = np.arange(0.0, 2 * DAY, STEP)
        learnt = learn("other", [power(seconds, np.full(len(seconds), 2.0))])
        laid = power(seconds, np.full(len(seconds), 14.0))

        seen = examine("other", learnt, laid, now=laid.end)

        assert [finding.kind for finding in seen.findings] == [Fault.STANDBY_CREEP]
        assert set(seen.judged) == {Fault.STANDBY_CREEP}
