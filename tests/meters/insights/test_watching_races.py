"""Several workers, and people, at the same subject at the same time."""

import threading

import pytest
from django.db import connections, transaction

from accounts.actors import Actor
from meters.insights.models import Anomaly
from meters.insights.services import settling, verdicts
from meters.insights.services.watching import score_arrivals
from meters.models import Alarm, ReadingWork
from tests.factories import ManagerFactory
from tests.meters.insights.living import HALF_HOUR, TODAY, home, learn, usual_day, write

pytestmark = pytest.mark.django_db(transaction=True)


def together(*acts) -> list[Exception]:
    """Do acts at the same time, each on a connection of its own; returns what went wrong."""
    wrong: list[Exception] = []
    start = threading.Barrier(len(acts))

    def run(act):
        try:
            start.wait()
            act()
        except Exception as error:  # noqa: BLE001
            wrong.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


@pytest.fixture
def register():
    register = home()
    learn(register)
    return register


def unusual_night(half_hours=9):
    day = usual_day()
    day[6:10] += 4
    return day[:half_hours]


class TestTwoWorkers:
    def test_make_one_anomaly_and_one_alarm_of_a_night(self, register):
        for place, energy in enumerate(unusual_night()):
            write(register, TODAY + place * HALF_HOUR, [energy])
        now = TODAY + 9 * HALF_HOUR

        def work():
            while score_arrivals(now=now, limit=1):
                pass

        assert together(work, work) == []

        assert Anomaly.objects.count() == Alarm.objects.count() == 1
        assert not ReadingWork.objects.filter(purpose="scoring").exists()

    def test_lose_nothing_when_one_dies_midway(self, register, monkeypatch):
        write(register, TODAY, unusual_night())
        now = TODAY + 9 * HALF_HOUR
        with monkeypatch.context() as broken:
            broken.setattr(settling.Anomaly.objects, "bulk_create", _die)
            with pytest.raises(RuntimeError):
                score_arrivals(now=now)

        assert Alarm.objects.count() == 0
        score_arrivals(now=now)

        assert Anomaly.objects.count() == Alarm.objects.count() == 1


class TestPeople:
    def test_are_not_overruled_by_a_worker_who_read_before_them(self, register):
        write(register, TODAY, unusual_night(8))
        score_arrivals(now=TODAY + 8 * HALF_HOUR)
        anomaly, mina = Anomaly.objects.get(), ManagerFactory()
        write(register, TODAY + 8 * HALF_HOUR, unusual_night(9)[8:])
        acknowledging = threading.Event()

        def acknowledge():
            with transaction.atomic():
                verdicts.acknowledge(anomaly_id=anomaly.pk, note="", actor=Actor(user=mina), now=TODAY + 9 * HALF_HOUR)
                acknowledging.set()
                # The worker waits for the alarm's row meanwhile.
                assert not scored.wait(0.5)

        scored = threading.Event()

        def score():
            assert acknowledging.wait(5)
            score_arrivals(now=TODAY + 9 * HALF_HOUR)
            scored.set()

        assert together(acknowledge, score) == []
        anomaly.refresh_from_db()
        assert (anomaly.state, anomaly.end) == ("acknowledged", TODAY + 9 * HALF_HOUR)

    def test_judge_and_workers_settle_without_waiting_in_a_ring(self, register):
        write(register, TODAY, unusual_night(8))
        score_arrivals(now=TODAY + 8 * HALF_HOUR)
        anomaly, mina = Anomaly.objects.get(), ManagerFactory()
        write(register, TODAY + 8 * HALF_HOUR, unusual_night(9)[8:])

        wrong = together(
            lambda: score_arrivals(now=TODAY + 9 * HALF_HOUR),
            lambda: verdicts.judge(
                anomaly_id=anomaly.pk,
                verdict="normal",
                note="",
                actor=Actor(user=mina),
                now=TODAY + 9 * HALF_HOUR,
            ),
        )

        assert wrong == []
        anomaly.refresh_from_db()
        assert (anomaly.state, Alarm.objects.open().count()) == ("closed", 0)


def _die(*_args, **_kwargs):
    raise RuntimeError("the worker was killed")
