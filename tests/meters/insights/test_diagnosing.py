import numpy as np
import pytest

from meters.insights.appliances import Fault
from meters.insights.diagnosing import FAULT, HEALTHY, NOT_ENOUGH_DATA, diagnose_files
from tests.benchmarks import breaking
from tests.meters.insights.plugs import DAY, HOUR, NIGHT, healthy_days, power, refrigerator, washing

RUNNING = 45.0


def kinds_of(diagnosis):
    return {episode.finding.kind for episode in diagnosis.episodes}


class TestDiagnoseFiles:
    def test_learns_from_the_first_days_of_one_file(self):
        seconds, watts = refrigerator(4, seed=1)
        broken = breaking.stronger(seconds, watts, 2.5 * DAY, RUNNING)

        told = diagnose_files("refrigerator", [power(seconds, broken)])

        assert told.verdict == FAULT
        assert kinds_of(told) == {Fault.POWER_DRIFT}
        assert told.learnt.since == NIGHT
        assert told.learnt.until <= NIGHT + 2.6 * DAY

    def test_says_that_healthy_days_are_healthy(self):
        told = diagnose_files("refrigerator", [power(*refrigerator(3, seed=2))])

        assert told.verdict == HEALTHY
        assert not told.episodes
        assert Fault.SEAL_LEAK in told.judged

    def test_tells_of_one_day_only_what_the_kind_allows(self):
        told = diagnose_files("refrigerator", [power(*refrigerator(1, seed=3))])

        assert told.verdict == NOT_ENOUGH_DATA
        assert {Fault.STUCK_ON, Fault.DEAD} <= set(told.judged)
        assert "compared with itself" in told.not_judged[Fault.POWER_DRIFT]

    @pytest.mark.parametrize("breaks", [breaking.never_off, breaking.never_on])
    def test_finds_on_one_day_what_no_healthy_one_does(self, breaks):
        seconds, watts = refrigerator(1, seed=4)

        told = diagnose_files("refrigerator", [power(seconds, breaks(seconds, watts, 0.0, RUNNING))])

        assert told.verdict == FAULT

    def test_learns_from_other_files_when_they_are_given(self):
        told = diagnose_files(
            "refrigerator",
            [power(*refrigerator(1, seed=5, watts=120.0))],
            learning=healthy_days(refrigerator, 3),
        )

        assert kinds_of(told) == {Fault.POWER_DRIFT}
        assert told.learnt.hours == pytest.approx(72, abs=0.1)

    def test_gives_a_fault_that_passed_its_end(self):
        seconds, watts = refrigerator(3, seed=6)
        stuck = breaking.never_off(seconds, watts, 1.5 * DAY, RUNNING)

        told = diagnose_files("refrigerator", [power(seconds, np.where(seconds < 1.75 * DAY, stuck, watts))])

        stuck_on = next(one for one in told.episodes if one.finding.kind == Fault.STUCK_ON)
        assert stuck_on.ended_at == pytest.approx(NIGHT + 1.75 * DAY, abs=HOUR)

    def test_does_not_learn_from_days_on_which_something_was_wrong(self):
        seconds, watts = refrigerator(4, seed=7)
        stuck = breaking.never_off(seconds, watts, 1.2 * DAY, RUNNING)

        told = diagnose_files("refrigerator", [power(seconds, np.where(seconds < 1.9 * DAY, stuck, watts))])

        assert told.learnt.get("on_seconds").high < 2 * HOUR

    def test_says_the_same_of_the_past_whatever_comes_later(self):
        seconds, watts = refrigerator(3, seed=8)
        broken = breaking.leaking(seconds, watts, 1.2 * DAY, RUNNING, factor=1.7)
        later = np.where(seconds >= 2.5 * DAY, 2000.0, broken)

        told = [diagnose_files("refrigerator", [power(seconds, one)]) for one in (broken, later)]

        until = NIGHT + 2.4 * DAY
        seen = [
            [(one.finding.kind, one.finding.detected_at) for one in said.episodes if one.finding.detected_at < until]
            for said in told
        ]
        assert seen[0]
        assert seen[0] == seen[1]

    def test_goes_on_after_days_of_silence(self):
        days = [power(*washing(seed=seed), begin=4 * seed * DAY) for seed in range(4)]
        seconds, watts = washing(seed=9)
        last = power(seconds, breaking.cold(seconds, watts, 0.0, instead_watts=100.0), begin=20 * DAY)

        told = diagnose_files("washing_machine", [*days, last])

        assert kinds_of(told) == {Fault.NO_HEATING}
        assert told.episodes[0].finding.began_at > NIGHT + 20 * DAY

    def test_says_so_when_there_is_nothing(self):
        assert diagnose_files("refrigerator", []).verdict == NOT_ENOUGH_DATA
