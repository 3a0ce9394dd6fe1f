import json

import numpy as np
import pytest

from meters.insights.appliances import Fault, Learnt, diagnose, examine, learn
from tests.benchmarks import breaking
from tests.meters.insights.plugs import DAY, HOUR, MINUTE, NIGHT, healthy_days, power, refrigerator

RUNNING = 45.0


@pytest.fixture(scope="module")
def learnt():
    return learn("refrigerator", healthy_days(refrigerator, 4))


def found(learnt, seconds, watts):
    laid = power(seconds, watts)
    return {finding.kind: finding for finding in diagnose("refrigerator", learnt, laid, now=laid.end)}


class TestLearn:
    def test_knows_cycles_power_and_rest(self, learnt):
        assert learnt.is_enough
        assert learnt.get("on_seconds").median == pytest.approx(15 * MINUTE, rel=0.1)
        assert learnt.get("off_seconds").median == pytest.approx(35 * MINUTE, rel=0.1)
        assert learnt.get("level_w").median == pytest.approx(90, rel=0.03)
        assert learnt.get("duty").median == pytest.approx(0.3, rel=0.1)

    def test_survives_being_kept_as_json(self, learnt):
        assert Learnt.from_json(json.loads(json.dumps(learnt.to_json()))) == learnt

    def test_says_what_is_missing_of_a_few_hours(self):
        short = learn("refrigerator", healthy_days(refrigerator, 1, days=0.2))

        assert not short.is_enough
        assert "hours are known" in short.missing

    def test_says_that_it_never_ran(self):
        never = learn("refrigerator", [power(*refrigerator(watts=0.0))])

        assert never.missing == "The compressor was never seen running."

    def test_knows_nothing_of_nothing(self):
        assert not Learnt.from_json({}).is_enough
        assert not learn("refrigerator", []).is_enough


class TestHealthyDays:
    @pytest.mark.parametrize("seed", range(10, 15))
    def test_raise_nothing(self, learnt, seed):
        assert not found(learnt, *refrigerator(seed=seed))

    def test_raise_nothing_where_something_glows_all_day(self):
        learnt = learn("refrigerator", healthy_days(refrigerator, 3, idle=32.0))

        assert learnt.get("level_w").median == pytest.approx(90 - 32, rel=0.05)
        assert not found(learnt, *refrigerator(seed=19, idle=32.0))

    def test_raise_nothing_by_the_bounds_of_the_kind_alone(self):
        assert not found(learn("refrigerator", []), *refrigerator(seed=20))


class TestStuckOn:
    def test_is_told_within_two_hours_and_says_since_when(self, learnt):
        seconds, watts = refrigerator(seed=31)
        since = 12 * HOUR

        finding = found(learnt, seconds, breaking.never_off(seconds, watts, since, RUNNING))[Fault.STUCK_ON]

        assert since - 20 * MINUTE <= finding.began_at - NIGHT <= since + MINUTE
        assert finding.detected_at - NIGHT <= since + 2 * HOUR
        assert finding.kwh_a_day == pytest.approx(90 * 0.024 * 0.7, rel=0.2)
        assert finding.figures["running_hours"] == pytest.approx(12, abs=0.5)

    def test_shows_the_power_before_and_after(self, learnt):
        seconds, watts = refrigerator(seed=32)

        finding = found(learnt, seconds, breaking.never_off(seconds, watts, 12 * HOUR, RUNNING))[Fault.STUCK_ON]

        points = finding.chart["power_w"]
        assert points[0][0] < finding.began_at < points[-1][0]
        assert len(points) <= 240

    def test_is_told_by_the_bounds_of_the_kind_alone(self):
        seconds, watts = refrigerator(seed=33)

        assert Fault.STUCK_ON in found(
            learn("refrigerator", []), seconds, breaking.never_off(seconds, watts, 0.0, RUNNING)
        )

    def test_goes_over_a_silence_too_short_to_hide_a_pause(self, learnt):
        seconds, watts = refrigerator(seed=34)
        stuck = breaking.never_off(seconds, watts, 20 * HOUR, RUNNING)
        heard = (seconds < 22 * HOUR) | (seconds > 22 * HOUR + 20 * MINUTE)

        assert Fault.STUCK_ON in found(learnt, seconds[heard], stuck[heard])

    def test_is_not_told_any_more_once_it_stopped(self, learnt):
        seconds, watts = refrigerator(seed=35)
        stuck = breaking.never_off(seconds, watts, 4 * HOUR, RUNNING)

        assert Fault.STUCK_ON not in found(learnt, seconds, np.where(seconds > 8 * HOUR, watts, stuck))

    def test_leaves_out_what_it_explains(self, learnt):
        seconds, watts = refrigerator(seed=36)

        assert set(found(learnt, seconds, breaking.never_off(seconds, watts, 2 * HOUR, RUNNING))) == {Fault.STUCK_ON}


class TestOtherFaults:
    def test_dead_is_told_after_some_hours_of_rest(self, learnt):
        seconds, watts = refrigerator(seed=41)

        finding = found(learnt, seconds, breaking.never_on(seconds, watts, 10 * HOUR, RUNNING))[Fault.DEAD]

        assert finding.severity == "critical"
        assert 2.5 * HOUR <= finding.detected_at - finding.began_at <= 4 * HOUR

    def test_dead_is_not_told_of_a_silent_plug(self, learnt):
        seconds, watts = refrigerator(seed=42)
        heard = seconds < 10 * HOUR
        laid = power(seconds[heard], watts[heard])

        seen = examine("refrigerator", learnt, laid, now=NIGHT + DAY)

        assert not seen.findings
        assert "not been reported" in seen.not_judged[Fault.DEAD]

    @pytest.mark.parametrize("seed", [51, 52])
    def test_short_cycling_is_told_of_three_times_as_many_starts(self, learnt, seed):
        seconds, watts = refrigerator(seed=seed)

        finding = found(learnt, seconds, breaking.hurried(seconds, watts, 6 * HOUR))[Fault.SHORT_CYCLING]

        assert finding.figures["starts_an_hour"] > 2 * finding.figures["usual_starts_an_hour"]
        assert finding.detected_at - NIGHT <= 13 * HOUR

    def test_power_drift_is_told_with_both_powers(self, learnt):
        seconds, watts = refrigerator(seed=61)

        finding = found(learnt, seconds, breaking.stronger(seconds, watts, 6 * HOUR, RUNNING))[Fault.POWER_DRIFT]

        assert finding.figures["power_w"] == pytest.approx(117, rel=0.03)
        assert finding.figures["usual_w"] == pytest.approx(90, rel=0.03)
        assert 5.5 * HOUR <= finding.began_at - NIGHT <= 7.5 * HOUR

    def test_a_fall_of_power_costs_nothing(self, learnt):
        seconds, watts = refrigerator(seed=62)

        finding = found(learnt, seconds, breaking.stronger(seconds, watts, 0.0, RUNNING, factor=0.7))[Fault.POWER_DRIFT]

        assert finding.kwh_a_day is None

    @pytest.mark.parametrize("factor", [1.35, 1.6])
    def test_a_seal_that_leaks_is_told_from_longer_runs_at_the_same_power(self, learnt, factor):
        seconds, watts = refrigerator(seed=71)

        told = found(learnt, seconds, breaking.leaking(seconds, watts, 0.0, RUNNING, factor=factor))

        assert set(told) == {Fault.SEAL_LEAK}
        assert told[Fault.SEAL_LEAK].figures["duty"] > 1.2 * told[Fault.SEAL_LEAK].figures["usual_duty"]
        assert told[Fault.SEAL_LEAK].kwh_a_day > 0.1

    def test_standby_creep_is_told_with_what_it_costs(self, learnt):
        seconds, watts = refrigerator(seed=81)

        told = found(learnt, seconds, breaking.standing_by(seconds, watts, 8 * HOUR))

        assert set(told) == {Fault.STANDBY_CREEP}
        assert told[Fault.STANDBY_CREEP].kwh_a_day == pytest.approx(0.24, rel=0.1)
        assert told[Fault.STANDBY_CREEP].began_at - NIGHT == pytest.approx(8 * HOUR, abs=HOUR)


class TestExamine:
    def test_says_what_it_cannot_judge_and_why(self):
        seconds, watts = refrigerator(seed=91)
        laid = power(seconds, watts)

        seen = examine("refrigerator", learn("refrigerator", []), laid, now=laid.end)

        assert {Fault.STUCK_ON, Fault.DEAD} <= set(seen.judged)
        assert {Fault.POWER_DRIFT, Fault.STANDBY_CREEP, Fault.NO_HEATING} <= set(seen.not_judged)

    def test_looks_at_nothing_from_now_on(self, learnt):
        seconds, watts = refrigerator(2, seed=92)
        other = np.where(seconds >= DAY, 3000.0, watts)

        told = [examine("refrigerator", learnt, power(seconds, one), now=NIGHT + DAY) for one in (watts, other)]

        assert told[0] == told[1]

    def test_needs_an_hour_of_power(self, learnt):
        seconds, watts = refrigerator(0.03, seed=93)
        laid = power(seconds, watts)

        assert "one is needed" in examine("refrigerator", learnt, laid, now=laid.end).not_judged[Fault.STUCK_ON]
