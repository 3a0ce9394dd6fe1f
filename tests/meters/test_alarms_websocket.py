"""Open pages hear of alarms: who may listen, and what they hear."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest
from asgiref.sync import sync_to_async

from accounts import consumers
from accounts.models import User
from accounts.roles import Role
from accounts.services.tickets import issue_ticket
from meters.consumers import AlarmsConsumer
from meters.services import alarms
from meters.tasks import tell_of_alarms
from tests.factories import AccountAccessFactory, AlarmFactory, ManagerFactory, UserFactory
from tests.meters.helpers import client_of
from tests.meters.sockets import listen_at

pytestmark = pytest.mark.django_db

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    monkeypatch.setattr(consumers, "SHORTEST_PAUSE_SECONDS", 0.01)
    # It closes the connection, and with it the transaction that the test lives in.
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)


listen = partial(listen_at, "/ws/alarms/")


def smoke(subject="plug-1", **more) -> None:
    alarms.raise_alarm(
        subject_kind="device", subject=subject, label="Plug", kind="smoke", text="It smokes.", now=NOON, **more
    )
    tell_of_alarms()


class TestWhoMayListen:
    @pytest.mark.parametrize(("role", "code"), [(None, 4401), (Role.AGENT, 4403)])
    def test_tells_others_why_not(self, role, code):
        async def scenario(socket):
            assert await socket.receive_close() == code

        listen(UserFactory(role=role) if role else None, scenario)

    @pytest.mark.parametrize("role", [Role.MANAGER, Role.OPERATOR])
    def test_lets_staff_hear_what_is_theirs(self, role):
        AlarmFactory(subject_kind="meter")
        AlarmFactory(subject_kind="device")

        async def scenario(socket):
            assert (await socket.receive_json())["open"] == (2 if role == Role.MANAGER else 1)

        listen(UserFactory(role=role), scenario)

    def test_ends_with_the_login(self):
        user = ManagerFactory()

        async def scenario(socket):
            await socket.receive_json()
            await sync_to_async(User.objects.filter(pk=user.pk).update)(login_epoch=1)
            await sync_to_async(smoke)()
            assert await socket.receive_close() == 4401

        listen(user, scenario)

    def test_ends_with_the_login_while_nothing_changes(self, monkeypatch):
        monkeypatch.setattr(consumers, "LOGIN_PAUSE_SECONDS", 0.01)
        user = ManagerFactory()

        async def scenario(socket):
            await socket.receive_json()
            await sync_to_async(User.objects.filter(pk=user.pk).update)(status=User.Status.SUSPENDED)
            assert await socket.receive_close() == 4401

        listen(user, scenario)

    def test_takes_a_ticket_once(self):
        ticket = client_of(ManagerFactory()).post("/api/v1/stream-tickets").json()["ticket"]

        async def let_in(socket):
            assert (await socket.receive_json())["type"] == "alarms"

        async def refused(socket):
            assert await socket.receive_close() == 4401

        listen(None, let_in, ticket=ticket)
        listen(None, refused, ticket=ticket)
        listen(None, refused, ticket="made-up")

    def test_takes_no_ticket_of_a_login_that_has_ended(self):
        user = ManagerFactory()
        ticket = issue_ticket(user=user)
        User.objects.filter(pk=user.pk).update(login_epoch=1)

        async def refused(socket):
            assert await socket.receive_close() == 4401

        listen(None, refused, ticket=ticket)


class TestWhatTheyHear:
    def test_is_the_state_at_once_and_whenever_it_changes(self):
        access = AccountAccessFactory()

        async def scenario(socket):
            assert await socket.receive_json() == {
                "type": "alarms",
                "open": 0,
                "waiting": 0,
                "worst": "",
                "alarms": [],
            }
            await sync_to_async(smoke)(account_id=access.account_id, severity="critical")
            heard = await socket.receive_json()
            assert (heard["open"], heard["worst"]) == (1, "critical")
            assert [(row["label"], row["text"], row["state"]) for row in heard["alarms"]] == [
                ("Plug", "It smokes.", "raised")
            ]

        listen(access.user, scenario)

    def test_is_nothing_about_somebody_elses(self):
        stranger, somebody = AccountAccessFactory.create_batch(2)

        async def scenario(socket):
            await socket.receive_json()
            await sync_to_async(smoke)(account_id=somebody.account_id)
            await sync_to_async(smoke)("plug-2", account_id=stranger.account_id)
            assert [row["subject"] for row in (await socket.receive_json())["alarms"]] == ["plug-2"]

        listen(stranger.user, scenario)

    def test_is_the_newest_state_to_who_reads_slowly(self, monkeypatch):
        sent, may_go_on = [], asyncio.Event()

        async def slow_send(self, content, close=False):
            sent.append(content["open"])
            await may_go_on.wait()

        monkeypatch.setattr(AlarmsConsumer, "send_json", slow_send)

        async def scenario(socket):
            await until(lambda: sent == [0])
            for n in range(5):
                await sync_to_async(smoke)(f"plug-{n}")
            assert sent == [0]
            may_go_on.set()
            await until(lambda: len(sent) > 1)
            assert sent == [0, 5]

        listen(ManagerFactory(), scenario)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)
