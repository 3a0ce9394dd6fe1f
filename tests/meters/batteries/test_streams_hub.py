import asyncio
import threading
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from accounts.models import AccountAccess, SourceKey, User
from accounts.roles import Role, Scope
from accounts.selectors.standing import Caller, people_behind
from meters.batteries.models import Battery
from meters.batteries.quantities import System
from meters.batteries.selectors.listening import Listening, Refused, alarms_heard, refusals
from meters.batteries.services import news
from meters.batteries.streams import broadcasting
from meters.batteries.streams.broadcasting import Broadcast, message_of
from meters.batteries.streams.events import live
from meters.batteries.streams.hub import Hub
from meters.batteries.streams.listener import LONGEST_WAIT_SECONDS, MOST_WAITING, Listener
from tests.factories import AccountAccessFactory, AlarmFactory, BatteryFactory, DataSourceFactory, UserFactory
from tests.meters.batteries.streaming import NOON, told

SOMEBODY = Listening(Caller(session_key="s"), 7)


def reading(n: int, system: System = System.BMS):
    return live(system, n, f'{{"soc":{n}}}')


class TestAListener:
    def listener(self) -> Listener:
        return Listener(SOMEBODY, System)

    def test_keeps_every_reading_for_who_keeps_up(self):
        listener = self.listener()

        taken = []
        for n in range(500):
            listener.offer(reading(n), now=n / 10)
            if n % 10 == 9:
                taken += listener.take()

        assert [event.at_ms for event in taken] == list(range(500))

    def test_keeps_the_newest_of_each_system_once_too_much_waits(self):
        listener = self.listener()
        for n in range(10_000):
            listener.offer(reading(n, System.PCS if n % 3 == 0 else System.BMS), now=n / 1e6)
            assert len(listener._waiting) <= MOST_WAITING

        assert [event.at_ms for event in listener.take()] == [9_998, 9_999]

    def test_keeps_the_newest_once_it_has_waited_for_long(self):
        listener = self.listener()
        for n, now in ((1, 0.0), (2, 1.0), (3, LONGEST_WAIT_SECONDS + 0.1)):
            listener.offer(reading(n), now=now)

        assert [event.at_ms for event in listener.take()] == [3]

    def test_keeps_every_reading_again_once_it_has_caught_up(self):
        listener = self.listener()
        for n in range(MOST_WAITING + 5):
            listener.offer(reading(n), now=0.0)
        listener.take()

        listener.offer(reading(1), now=1.0)
        listener.offer(reading(2), now=1.0)

        assert [event.at_ms for event in listener.take()] == [1, 2]

    def test_ends_for_the_first_reason(self):
        listener = self.listener()

        listener.end(4401)
        listener.end(1012)

        assert listener.code == 4401

    def test_wakes_for_what_is_worth_it(self):
        async def play():
            listener = self.listener()
            loop = asyncio.get_running_loop()
            loop.call_later(0.01, listener.offer, reading(1), 0.0)
            await asyncio.wait_for(listener.wait(60.0), 5)
            loop.call_later(0.01, listener.end, 4401)
            await asyncio.wait_for(listener.wait(60.0, for_readings=False), 5)
            assert listener.code == 4401

        asyncio.run(play())

    def test_wakes_when_its_time_has_come(self):
        async def play():
            await asyncio.wait_for(self.listener().wait(0.01), 5)

        asyncio.run(play())


class TestHandingOut:
    def test_makes_a_message_once_for_all_who_hear_it(self):
        async def play():
            hub = Hub()
            listeners = [Listener(SOMEBODY, System) for _ in range(3)]
            hub._listeners[7].update(listeners)
            hub.hand_out({"readings": [[7, "bms", 5, "{}"], [8, "bms", 6, "{}"]]})
            (first,), (second,), (third,) = (listener.take() for listener in listeners)
            assert first is second is third
            assert first.frame["text"] == '{"type":"bms","mode":"live","id":"live-5","reading":{}}'
            assert first.chunk == b"id: live-5\ndata: {}\n\n"

        asyncio.run(play())


class Layer:
    """A channel layer that takes what it is sent, once it may."""

    def __init__(self) -> None:
        self.sent: list[list[tuple]] = []
        self.asked = threading.Event()
        self.may_take = threading.Event()
        self.took = threading.Semaphore(0)
        self.fails = 0

    async def group_send(self, _group, message):
        self.asked.set()
        await asyncio.to_thread(self.may_take.wait, 10)
        if self.fails:
            self.fails -= 1
            raise ConnectionError("no layer")
        self.sent.append(message["readings"])
        self.took.release()


@pytest.fixture
def layer(monkeypatch) -> Layer:
    layer = Layer()
    monkeypatch.setattr(broadcasting, "get_channel_layer", lambda: layer)
    return layer


class TestBroadcast:
    battery = Battery(pk=7)

    def readings(self, *seconds: int):
        return [told(self.battery, NOON + timedelta(seconds=n), float(n)) for n in seconds]

    def test_sends_what_it_is_told_in_few_messages(self, layer):
        layer.may_take.set()
        news_of = self.readings(*range(20))

        Broadcast()(news_of)

        assert layer.took.acquire(timeout=10)
        assert layer.sent == [message_of(news_of)["readings"]]

    def test_keeps_the_newest_of_each_battery_while_the_layer_lags(self, layer, monkeypatch):
        monkeypatch.setattr(broadcasting, "MOST_WAITING", 10)
        monkeypatch.setattr(broadcasting, "_PATIENCE_SECONDS", 60.0)
        sends = Broadcast()
        sends(self.readings(0))
        assert layer.asked.wait(10)
        for n in range(1, 200):
            sends(self.readings(n))
            assert len(sends._waiting) <= 10

        layer.may_take.set()

        assert layer.took.acquire(timeout=10)
        assert layer.took.acquire(timeout=10)
        assert layer.sent[-1][-1][3] == self.readings(199)[0].text

    def test_goes_on_after_the_layer_failed(self, layer):
        layer.fails = 1
        layer.may_take.set()
        sends = Broadcast()
        sends(self.readings(1))
        while layer.fails:
            threading.Event().wait(0.01)

        sends(self.readings(2))

        assert layer.took.acquire(timeout=10)
        assert len(layer.sent) == 1

    def test_is_told_of_all_news(self):
        assert broadcasting.broadcast in news._listeners


@pytest.mark.django_db
class TestRefusals:
    def session(self, user: User) -> Caller:
        store = SessionStore()
        store.update(
            {
                "_auth_user_id": str(user.pk),
                "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
                "_auth_user_hash": user.get_session_auth_hash(),
            }
        )
        store.save()
        return Caller(session_key=store.session_key)

    def everybody(self, count: int) -> list[Listening]:
        found = []
        for _ in range(count):
            access = AccountAccessFactory()
            battery = BatteryFactory(account=access.account)
            key = SourceKey.objects.create(
                source=DataSourceFactory(scopes=[Scope.BATTERIES]), prefix=f"p{battery.pk}", key_hash=f"h{battery.pk}"
            )
            operator = UserFactory(role=Role.OPERATOR)
            callers = (Caller(user_id=access.user.pk), self.session(operator), Caller(key_id=key.pk))
            found += [Listening(caller, battery.pk) for caller in callers]
        return found

    def test_costs_as_many_queries_for_many_as_for_few(self, django_assert_num_queries):
        few, many = self.everybody(1), self.everybody(6)

        with django_assert_num_queries(4):
            assert refusals(few, now=timezone.now()) == {}
        with django_assert_num_queries(4):
            assert refusals(many, now=timezone.now()) == {}

    def test_of_alarms_cost_no_more_either(self, django_assert_num_queries):
        many = [each for each in self.everybody(4) if each.caller.key_id is None]
        for battery in Battery.objects.all():
            AlarmFactory(subject_kind="battery", subject=battery.battery_id, account=battery.account)

        with django_assert_num_queries(5):
            heard = alarms_heard(many, now=timezone.now())

        assert [heard[each].count for each in many] == [1] * len(many)

    def test_know_what_has_changed_since(self):
        customer, person, machine = self.everybody(1)
        AccountAccess.objects.all().delete()
        User.objects.filter(role=Role.OPERATOR).update(login_epoch=3)
        SourceKey.objects.update(revoked_at=NOON)

        assert refusals([customer, person, machine], now=timezone.now()) == {
            customer: Refused.NOT_THEIRS,
            person: Refused.NO_LOGIN,
            machine: Refused.NO_LOGIN,
        }

    def test_know_a_scope_that_was_taken_away(self):
        *_, machine = self.everybody(1)
        key = SourceKey.objects.select_related("source").get()
        key.source.scopes = [Scope.DEVICES]
        key.source.save()

        assert refusals([machine], now=timezone.now()) == {machine: Refused.NOT_ALLOWED}

    def test_know_a_session_that_has_lapsed_and_a_password_that_was_changed(self):
        users = UserFactory.create_batch(2, role=Role.OPERATOR)
        first, second = map(self.session, users)
        users[1].set_password("another-long-password")
        users[1].save()

        assert people_behind([first, second], now=timezone.now()) == {first: users[0]}
        assert people_behind([first], now=timezone.now() + timedelta(days=60)) == {}

    def test_know_nobody_by_a_session_that_was_made_up(self):
        callers = [Caller(session_key="made-up"), Caller()]

        assert people_behind(callers, now=timezone.now()) == {}
