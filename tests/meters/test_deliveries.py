import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from meters.models import DomainEvent, EventDelivery, ServicePoint
from meters.selectors.events import outbox_lag
from meters.services import outbox
from meters.services.deliveries import deliver_events
from meters.services.outbox import NewEvent, publish, register_consumer
from tests.factories import ServicePointFactory
from tests.meters.helpers import start_script

NOW = datetime(2025, 3, 15, tzinfo=UTC)
KIND = DomainEvent.Kind.GAP_OPENED


@pytest.fixture(autouse=True)
def _nobody_else(monkeypatch):
    monkeypatch.setattr(outbox, "_consumers", {})


def listen(handle, name="listener", kinds=(KIND,)):
    register_consumer(name, kinds=kinds, handle=handle)


def tell(*service_points, now=NOW, kind=KIND):
    publish([NewEvent(kind, point.pk if point else None) for point in service_points], now=now)


class Listener:
    """Remembers what it heard, and fails where it is told to."""

    def __init__(self, *failing):
        self.heard = []
        self.failing = {point.pk for point in failing}

    def __call__(self, event, now):
        if event.service_point_id in self.failing:
            ServicePoint.objects.filter(pk=event.service_point_id).update(code="half done")
            raise RuntimeError("no room")
        self.heard.append((event.service_point_id, event.pk))

    def places(self):
        return [place for place, _ in self.heard]


@pytest.mark.django_db
class TestDeliverEvents:
    def test_hands_each_event_once_to_each_consumer_of_its_kind(self):
        first, second, deaf = Listener(), Listener(), Listener()
        listen(first, "first")
        listen(second, "second")
        listen(deaf, "deaf", kinds=[DomainEvent.Kind.CHAIN_CHANGED])
        point = ServicePointFactory()
        tell(point)

        handled = [deliver_events(now=NOW) for _ in range(2)]

        assert handled == [2, 0]
        assert first.places() == second.places() == [point.pk]
        assert deaf.heard == []

    def test_keeps_the_order_of_each_service_point(self):
        points = [ServicePointFactory() for _ in range(2)]
        listener = Listener()
        listen(listener)
        tell(points[0], points[1], None, points[0])
        tell(points[1], points[0])

        deliver_events(now=NOW)

        for point in points:
            keys = [key for place, key in listener.heard if place == point.pk]
            assert keys == sorted(keys)
        assert len(listener.heard) == 6

    def test_holds_back_only_the_service_point_of_an_event_that_fails(self):
        bad, good = ServicePointFactory(), ServicePointFactory()
        listener = Listener(bad)
        listen(listener)
        tell(bad, good, bad, None)

        handled = deliver_events(now=NOW)

        assert handled == 2
        assert set(listener.places()) == {good.pk, None}
        waiting = EventDelivery.objects.filter(handled_at=None).order_by("event")
        assert [(each.attempts, each.error) for each in waiting] == [(1, "RuntimeError: no room"), (0, "")]
        bad.refresh_from_db()
        assert bad.code != "half done"

    def test_tries_a_failed_event_again_before_what_follows_it(self):
        point = ServicePointFactory()
        listener = Listener(point)
        listen(listener)
        tell(point, point)
        deliver_events(now=NOW)
        listener.failing.clear()

        deliver_events(now=NOW + timedelta(minutes=1))

        keys = [key for _, key in listener.heard]
        assert len(keys) == 2
        assert keys == sorted(keys)
        assert list(EventDelivery.objects.order_by("event").values_list("attempts", "error")) == [(2, ""), (1, "")]

    def test_goes_on_past_more_failures_than_a_call_handles(self):
        bad, good = ServicePointFactory(), ServicePointFactory()
        listener = Listener(bad)
        listen(listener)
        tell(bad, bad, bad, good)

        assert deliver_events(now=NOW, limit=2) == 1
        assert listener.places() == [good.pk]

    def test_stops_at_its_limit(self):
        listen(Listener())
        tell(None, None, None)

        assert deliver_events(now=NOW, limit=2) == 2
        assert EventDelivery.objects.filter(handled_at=None).count() == 1


@pytest.mark.django_db
class TestOutboxLag:
    def test_tells_what_waits_and_since_when(self):
        point = ServicePointFactory()
        listen(Listener(point), "late")
        tell(point, point)
        deliver_events(now=NOW)

        late, idle = outbox_lag(now=NOW + timedelta(minutes=7), consumers=["late", "punctual"])

        assert (late.waiting, late.failing, late.oldest_at, late.age) == (2, 1, NOW, timedelta(minutes=7))
        assert (idle.consumer, idle.waiting, idle.oldest_at) == ("punctual", 0, None)


@pytest.mark.django_db(transaction=True)
class TestSeveralWorkers:
    def test_hand_each_event_over_once_and_in_order(self):
        points = [ServicePointFactory() for _ in range(4)]
        heard: list[tuple[object, int]] = []
        listen(lambda event, now: heard.append((event.service_point_id, event.pk)))
        for _ in range(20):
            tell(*points)
        start = threading.Barrier(2)

        def work():
            start.wait()
            while deliver_events(now=NOW, limit=7):
                pass
            connection.close()

        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        deliver_events(now=NOW)

        assert sorted(key for _, key in heard) == list(DomainEvent.objects.order_by("pk").values_list("pk", flat=True))
        for point in points:
            keys = [key for place, key in heard if place == point.pk]
            assert keys == sorted(keys)

    def test_leave_nothing_half_done_when_one_is_killed_between_deed_and_commit(self):
        point = ServicePointFactory(code="before")
        listen(lambda event, now: None, "renamer")
        tell(point)

        killed = start_script("tests.meters.renamer", database=connection.settings_dict["NAME"])
        assert killed.wait(timeout=120) == -9

        point.refresh_from_db()
        assert point.code == "before"
        assert EventDelivery.objects.get().handled_at is None
        listen(
            lambda event, now: ServicePoint.objects.filter(pk=event.service_point_id).update(code="after"), "renamer"
        )
        assert deliver_events(now=NOW) == 1
        point.refresh_from_db()
        assert point.code == "after"
