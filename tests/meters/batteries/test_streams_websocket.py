import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.utils import timezone

from accounts.models import AccountAccess, User
from accounts.roles import Role
from accounts.services.tickets import issue_ticket
from meters.alarms import FLEET_GROUP
from meters.batteries.models import Battery
from meters.batteries.quantities import NAMES, System
from meters.batteries.streams import feed, hub, hub_here
from meters.models import RegionManager
from tests.factories import (
    AccountAccessFactory,
    AlarmFactory,
    BatteryFactory,
    ManagerFactory,
    RegionFactory,
    UserFactory,
)
from tests.meters.batteries.streaming import NOON, remember, tell, told
from tests.meters.sockets import Socket, listen_at

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_streams")]


@pytest.fixture
def battery() -> Battery:
    return BatteryFactory.create(name="Shed", is_simulated=True)


@pytest.fixture
def operator() -> User:
    return UserFactory.create(role=Role.OPERATOR)


def listen(battery: Battery, user: User | None, scenario, **more) -> None:
    listen_at(f"/ws/batteries/{battery.battery_id}/", user, scenario, **more)


async def of_type(socket: Socket, *types: str):
    """Return the next message of some types."""
    while True:
        message = await socket.receive_json()
        if message["type"] in types:
            return message


class TestWhoMayListen:
    @pytest.mark.parametrize(("role", "code"), [(None, 4401), (Role.AGENT, 4403), (Role.CUSTOMER, 4404)])
    def test_tells_others_why_not(self, battery, role, code):
        async def scenario(socket):
            assert await socket.receive_close() == code

        listen(battery, UserFactory(role=role) if role else None, scenario)

    @pytest.mark.parametrize("role", [Role.OPERATOR, Role.MANAGER, Role.ADMIN])
    def test_lets_staff_listen_to_all(self, battery, role):
        async def scenario(socket):
            assert (await socket.receive_json())["type"] == "hello"

        listen(battery, UserFactory(role=role), scenario)

    def test_lets_customers_listen_to_their_own(self, battery):
        access = AccountAccessFactory()
        Battery.objects.update(account=access.account)

        async def scenario(socket):
            assert (await socket.receive_json())["type"] == "hello"

        listen(battery, access.user, scenario)

    def test_takes_a_ticket_once(self, battery, operator):
        ticket = issue_ticket(user=operator)

        async def let_in(socket):
            assert (await socket.receive_json())["type"] == "hello"

        async def refused(socket):
            assert await socket.receive_close() == 4401

        listen(battery, None, let_in, ticket=ticket)
        listen(battery, None, refused, ticket=ticket)

    def test_closes_where_there_is_no_such_battery(self, operator):
        async def scenario(socket):
            assert await socket.receive_close() == 4404

        listen_at("/ws/batteries/nowhere/", operator, scenario)


class TestARevokedRight:
    @pytest.mark.parametrize(
        ("revoke", "code"),
        [
            (lambda: User.objects.update(login_epoch=1), 4401),
            (lambda: User.objects.update(status=User.Status.SUSPENDED), 4401),
            (lambda: User.objects.update(role=Role.AGENT), 4403),
            (lambda: AccountAccess.objects.all().delete(), 4404),
            (lambda: Battery.objects.update(account=None), 4404),
        ],
    )
    def test_closes_the_socket(self, battery, monkeypatch, revoke, code):
        monkeypatch.setattr(hub, "LOOK_SECONDS", 0.02)
        access = AccountAccessFactory()
        Battery.objects.update(account=access.account)

        async def scenario(socket):
            await of_type(socket, "alarms")
            await sync_to_async(revoke)()
            assert await socket.receive_close() == code

        listen(battery, access.user, scenario)

    def test_is_looked_for_within_four_seconds(self):
        assert hub.LOOK_SECONDS <= 4.0


class TestWhatTheyHear:
    def test_begins_with_the_battery_and_its_alarms(self, battery, operator):
        async def scenario(socket):
            hello = await socket.receive_json()
            windows = hello.pop("windows")
            assert hello == {
                "type": "hello",
                "battery": battery.battery_id,
                "name": "Shed",
                "is_simulated": True,
                "mode": "replay",
            }
            assert (windows["soc_low_percent"], windows["igbt_temp_high_c"]) == (5.0, 85.0)
            assert await socket.receive_json() == {"type": "alarms", "open": 0, "alarms": []}

        listen(battery, operator, scenario)

    def test_is_every_reading_that_comes_in(self, battery, operator):
        remember(battery, (NOON, {"soc_percent": 50.0}), is_live=True)
        later = [NOON + timedelta(seconds=n) for n in (1, 2)]

        async def scenario(socket):
            assert (await of_type(socket, "hello"))["mode"] == "live"
            assert (await of_type(socket, "bms"))["reading"]["soc"] == 50.0
            await tell(*(told(battery, at, 51.0) for at in later), told(battery, later[0], 80.5, System.PCS))
            heard = [await of_type(socket, "bms", "pcs") for _ in range(3)]
            ids = [f"live-{int(at.timestamp() * 1000)}" for at in later]
            assert [(each["type"], each["mode"], each["id"]) for each in heard] == [
                ("bms", "live", ids[0]),
                ("bms", "live", ids[1]),
                ("pcs", "live", ids[0]),
            ]
            assert list(heard[2]["reading"]) == ["timestamp", *NAMES[System.PCS]]

        listen(battery, operator, scenario)

    def test_is_both_systems_in_step_while_nothing_comes_in(self, battery, operator):
        for system, column, offset in ((System.BMS, "soc_percent", 0), (System.PCS, "apparent_power_kw", 2)):
            rows = [(NOON + timedelta(seconds=5 * n + offset), {column: 1.0 + n}) for n in range(2)]
            remember(battery, *rows, system=system)

        async def scenario(socket):
            heard = [await of_type(socket, "bms", "pcs") for _ in range(6)]
            assert [(each["type"], each["mode"], each["id"].split("-")[1]) for each in heard] == [
                (system, "replay", lap) for lap in ("1", "1", "2") for system in ("bms", "pcs")
            ]

        listen_at(f"/ws/batteries/{battery.battery_id}/", operator, scenario, query="interval=0.1")

    def test_is_a_heartbeat_while_there_is_nothing_else(self, battery, operator, monkeypatch):
        monkeypatch.setattr(feed, "HEARTBEAT_SECONDS", 0.02)

        async def scenario(socket):
            assert (await of_type(socket, "heartbeat"))["at"].endswith("Z")

        listen(battery, operator, scenario)

    def test_is_why_the_query_was_not_understood(self, battery, operator):
        async def scenario(socket):
            assert await socket.receive_close() == 4400

        listen_at(f"/ws/batteries/{battery.battery_id}/", operator, scenario, query="interval=0")

    def test_ends_with_the_server(self, battery, operator):
        async def scenario(socket):
            await of_type(socket, "alarms")
            hub_here().end_all()
            assert await socket.receive_close() == 1012

        listen(battery, operator, scenario)


class TestAlarms:
    @pytest.fixture(autouse=True)
    def impatience(self, monkeypatch):
        monkeypatch.setattr(hub, "ALARMS_PAUSE_SECONDS", 0.01)

    async def change(self, **alarm) -> None:
        await sync_to_async(AlarmFactory)(**alarm)
        await get_channel_layer().group_send(FLEET_GROUP, {"type": "changed"})

    def test_are_told_when_they_change(self, battery, operator):
        async def scenario(socket):
            await of_type(socket, "alarms")
            await self.change(subject_kind="battery", subject="another")
            await self.change(subject_kind="battery", subject=battery.battery_id, text="Too hot.")
            heard = await of_type(socket, "alarms")
            assert (heard["open"], heard["alarms"][0]["text"]) == (1, "Too hot.")

        listen(battery, operator, scenario)

    def test_of_a_former_owner_are_not_told(self, battery):
        access = AccountAccessFactory()
        Battery.objects.update(account=access.account)
        AlarmFactory(subject_kind="battery", subject=battery.battery_id, account=AccountAccessFactory().account)
        AlarmFactory(subject_kind="battery", subject=battery.battery_id, account=access.account, kind="theirs")

        async def scenario(socket):
            heard = await of_type(socket, "alarms")
            assert [alarm["kind"] for alarm in heard["alarms"]] == ["theirs"]

        listen(battery, access.user, scenario)

    def test_of_other_regions_are_not_told_to_a_manager(self, battery):
        manager = ManagerFactory()
        mine, other = RegionFactory.create_batch(2)
        RegionManager.objects.create(user=manager, region=mine)
        AlarmFactory(subject_kind="battery", subject=battery.battery_id, region=other)
        AlarmFactory(subject_kind="battery", subject=battery.battery_id, region=mine, kind="mine")

        async def scenario(socket):
            heard = await of_type(socket, "alarms")
            assert [alarm["kind"] for alarm in heard["alarms"]] == ["mine"]

        listen(battery, manager, scenario)


class TestAClientThatStalls:
    def test_is_left_with_the_newest_and_nothing_piles_up(self, battery, operator):
        async def scenario(socket):
            await of_type(socket, "alarms")
            await tell(told(battery, timezone.now(), 0.0))
            await of_type(socket, "bms")
            # It takes nothing until it is told to: the queue of what it hears is full.
            socket.heard._maxsize = 1
            await socket.heard.put({"text": '{"type":"stuck"}'})
            start = timezone.now()
            for n in range(1, 301):
                await tell(told(battery, start + timedelta(seconds=n), float(n)))
                await asyncio.sleep(0)
            (listener,) = hub_here()._everybody()
            async with asyncio.timeout(10):
                while listener._waiting[-1].at_ms < int((start + timedelta(seconds=300)).timestamp() * 1000):
                    await asyncio.sleep(0.01)
            assert len(listener._waiting) <= 2
            socket.heard._maxsize = 0
            assert (await of_type(socket, "bms"))["reading"]["soc"] == 1.0
            assert (await of_type(socket, "bms"))["reading"]["soc"] == 300.0

        listen(battery, operator, scenario)
