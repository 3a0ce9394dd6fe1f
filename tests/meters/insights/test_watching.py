"""Half-hours scored as they arrive, and what becomes of those that do not fit."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from meters.insights.models import Anomaly, Baseline
from meters.insights.services import prices, verdicts
from meters.insights.services.settling import REPLACED, end_silent
from meters.insights.services.watching import score_arrivals
from meters.models import Alarm, ReadingWork
from meters.services.worklog import log_work
from tests.meters.insights.living import HALF_HOUR, TODAY, home, learn, place_of, usual_day, write

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
AT_NIGHT = slice(6, 10)


@pytest.fixture
def register():
    register = home()
    learn(register)
    return register


def day_with_use_at_night(kwh=4.0) -> np.ndarray:
    day = usual_day()
    day[AT_NIGHT] += kwh
    return day


def day_after(night) -> np.ndarray:
    """Return a day and the three after it, on which all was usual: what looks back a day has forgotten it then."""
    return np.concatenate([night, usual_day(3 * 48)])


def arrive(register, energies, *, start=TODAY, at=None):
    """Let energies arrive at once and be scored at their end."""
    end = write(register, start, energies)
    score(at or end)
    return end


def score(at):
    while score_arrivals(now=at):
        pass


def told():
    return [(row.state, row.start, row.end) for row in Anomaly.objects.order_by("start")]


class TestScoreArrivals:
    def test_says_nothing_of_an_ordinary_day(self, register):
        end = arrive(register, usual_day())

        assert told() == []
        assert Baseline.objects.get().scored_until == end
        assert not ReadingWork.objects.filter(purpose="scoring").exists()

    def test_opens_one_anomaly_with_its_alarm_while_it_lasts(self, register):
        day = day_with_use_at_night()
        for place in range(9):
            at = TODAY + place * HALF_HOUR
            arrive(register, day[place : place + 1], start=at)

        anomaly = Anomaly.objects.get()
        assert (anomaly.state, anomaly.subject, anomaly.start) == ("open", place_of(register), TODAY + 6 * HALF_HOUR)
        assert anomaly.end == TODAY + 9 * HALF_HOUR
        assert 10 < anomaly.energy_kwh < 13
        assert anomaly.cohort == "service_point:residential"
        assert Alarm.objects.get() == anomaly.alarm
        assert (anomaly.alarm.state, anomaly.alarm.subject, anomaly.alarm.account) == (
            "raised",
            anomaly.subject,
            anomaly.account,
        )
        assert anomaly.account is not None

    def test_ends_it_with_its_alarm_once_all_is_usual_again(self, register):
        day = day_after(day_with_use_at_night())
        arrive(register, day[:9])
        end = arrive(register, day[9:], start=TODAY + 9 * HALF_HOUR)

        anomaly = Anomaly.objects.get()
        assert (anomaly.state, anomaly.closed_at) == ("closed", end)
        assert (anomaly.alarm.state, anomaly.alarm.cleared_at) == ("cleared", end)

    def test_alarms_nobody_of_what_came_and_went_before_it_arrived(self, register):
        arrive(register, day_after(day_with_use_at_night()))

        assert [state for state, *_ in told()] == ["closed"]
        assert not Alarm.objects.exists()

    def test_changes_nothing_when_the_same_is_logged_again(self, register):
        end = arrive(register, day_with_use_at_night()[:9])
        before = Anomaly.objects.values().get()

        write(register, TODAY, day_with_use_at_night()[:9])
        score(end)

        assert Anomaly.objects.values().get() == before
        assert Alarm.objects.count() == 1

    def test_finds_the_same_by_the_half_hour_as_by_the_day(self, register):
        other = home()
        learn(other)
        day = day_with_use_at_night()
        arrive(other, day)

        for place in range(48):
            arrive(register, day[place : place + 1], start=TODAY + place * HALF_HOUR)

        first, second = Anomaly.objects.all()
        assert (first.start, first.end, first.state) == (second.start, second.end, second.state)
        assert first.energy_kwh == pytest.approx(second.energy_kwh, rel=Decimal("0.01"))

    def test_takes_back_what_readings_that_were_replaced_told(self, register):
        end = arrive(register, day_with_use_at_night()[:9])

        write(register, TODAY, usual_day()[:9])
        score(end)

        anomaly = Anomaly.objects.get()
        assert (anomaly.state, anomaly.reason, anomaly.alarm.state) == ("closed", REPLACED, "cleared")

    def test_tells_what_late_readings_say(self, register):
        day = day_after(day_with_use_at_night())
        late = day.copy()
        late[AT_NIGHT] = np.nan
        end = arrive(register, late)
        assert told() == []

        arrive(register, day, at=end)

        assert [(start, state) for state, start, _ in told()] == [(TODAY + 6 * HALF_HOUR, "closed")]

    def test_leaves_alone_what_arrives_weeks_late(self, register):
        write(register, TODAY, day_with_use_at_night())

        score(TODAY + 30 * DAY)

        assert told() == []
        assert not ReadingWork.objects.filter(purpose="scoring").exists()

    def test_needs_to_know_what_is_usual(self):
        arrive(home(), day_with_use_at_night())

        assert told() == []

    def test_asks_no_more_of_the_database_for_more_places(self, register):
        write(register, TODAY, usual_day()[:4])
        with CaptureQueriesContext(connection) as one:
            score_arrivals(now=TODAY + DAY / 4)
        others = [home(seed) for seed in (2, 3, 4)]
        learn(*others)
        for each in (register, *others):
            write(each, TODAY + 4 * HALF_HOUR if each == register else TODAY, usual_day()[:4])

        with CaptureQueriesContext(connection) as many:
            score_arrivals(now=TODAY + DAY / 4)

        assert len(many) == len(one)

    def test_parts_work_that_is_too_much_at_once(self, register):
        other = home(2)
        learn(other)
        for each in (register, other):
            write(each, TODAY, day_with_use_at_night(), log=False)
        log_work(register_ids=[register.pk, other.pk], low=TODAY, high=TODAY + DAY, now=TODAY + DAY)

        assert score_arrivals(now=TODAY + DAY, limit=1) == 1
        assert Anomaly.objects.count() == 1
        assert score_arrivals(now=TODAY + DAY, limit=1) == 1
        assert Anomaly.objects.count() == 2


class TestWhatWasNormal:
    def judge(self, verdict, at):
        verdicts.judge(anomaly_id=Anomaly.objects.get().pk, verdict=verdict, note="", actor=PORTAL, now=at)

    def test_stays_over_while_it_goes_on(self, register):
        day = day_with_use_at_night()
        end = arrive(register, day[:8])
        self.judge("normal", end)

        arrive(register, day[8:9], start=end)

        assert [state for state, *_ in told()] == ["closed"]
        assert Alarm.objects.open().count() == 0

    def test_alerts_nobody_at_the_same_hours_of_the_week_after(self, register):
        day = day_with_use_at_night()
        end = arrive(register, day_after(day))
        self.judge("normal", end)

        arrive(register, np.concatenate([usual_day(3 * 48), day[:9]]), start=end)

        assert len(told()) == 1

    def test_alerts_at_other_hours(self, register):
        day = day_with_use_at_night()
        end = arrive(register, day_after(day))
        self.judge("normal", end)
        other = usual_day()
        other[30:34] += 4

        arrive(register, other[:33], start=end)

        assert len(told()) == 2

    def test_is_remembered_for_weeks_and_no_longer_once_taken_back(self, register):
        day = day_with_use_at_night()
        end = arrive(register, day_after(day))
        self.judge("normal", end)
        self.judge("real", end)

        arrive(register, np.concatenate([usual_day(3 * 48), day[:9]]), start=end)

        assert len(told()) == 2


class TestMoney:
    def test_is_what_the_energy_costs(self, register, monkeypatch):
        monkeypatch.setattr(prices, "_PRICES", [lambda account, code, kwh, at: (kwh * 2, "SGD")])

        arrive(register, day_with_use_at_night())

        anomaly = Anomaly.objects.get()
        assert anomaly.currency == "SGD"
        assert abs(anomaly.money - 2 * anomaly.energy_kwh) < 0.01

    def test_is_not_told_where_nobody_knows_a_price(self, register, monkeypatch):
        monkeypatch.setattr(prices, "_PRICES", [])

        arrive(register, day_with_use_at_night())

        assert Anomaly.objects.get().money is None


class TestEndSilent:
    def test_ends_what_nobody_heard_of_any_more(self, register):
        end = arrive(register, day_with_use_at_night()[:9])

        assert end_silent(now=end + 13 * DAY) == 0
        assert end_silent(now=end + 15 * DAY) == 1

        anomaly = Anomaly.objects.get()
        assert (anomaly.state, anomaly.alarm.state) == ("closed", "cleared")
