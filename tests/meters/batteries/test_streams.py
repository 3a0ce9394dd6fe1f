from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.utils import timezone

from accounts.models import AccountAccess, SourceKey, User
from accounts.roles import Role, Scope
from accounts.services.tickets import issue_ticket
from meters.batteries.models import Battery
from meters.batteries.quantities import NAMES, System
from meters.batteries.streams import feed, hub, hub_here
from tests.factories import AccountAccessFactory, BatteryFactory, CustomerAccountFactory, UserFactory
from tests.meters.batteries.streaming import NOON, remember, scenario, stream, tell, told
from tests.meters.helpers import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_streams")]

BACKEND = "django.contrib.auth.backends.ModelBackend"


def second(n: float):
    return NOON + timedelta(seconds=n)


def ms(at) -> int:
    return round(at.timestamp() * 1000)


@pytest.fixture
def battery() -> Battery:
    return BatteryFactory.create()


@pytest.fixture
def operator():
    return client_of(UserFactory(role=Role.OPERATOR))


@pytest.fixture
def past(battery):
    """Three readings of a BMS, long ago."""
    remember(battery, *((second(n), {"soc_percent": 50.0 + n}) for n in range(3)))


class TestAReplay:
    def test_goes_round_and_round_marked_as_such(self, battery, past, operator):
        async def play():
            async with stream(operator, f"/bms/{battery.battery_id}/stream?interval=0.1") as events:
                assert await events.ids(4) == [
                    f"replay-1-{ms(second(0))}",
                    f"replay-1-{ms(second(1))}",
                    f"replay-1-{ms(second(2))}",
                    f"replay-2-{ms(second(0))}",
                ]

        scenario(play)

    def test_tells_exactly_the_published_reading(self, battery, operator):
        remember(battery, (second(0), {"soc_percent": 50.1, "voltage_v": 832.0, "current_a": -12.5}))

        async def play():
            async with stream(operator, f"/bms/{battery.battery_id}/stream") as events:
                assert await events.block() == "retry: 2000\n: open\n\n"
                assert await events.block() == (
                    f"id: replay-1-{ms(NOON)}\n"
                    'data: {"timestamp":"2025-03-01T12:00:00Z","soc":50.1,"soh":null,"voltage":832.0,"current":-12.5,'
                    '"cell_avg_voltage":null,"cell_avg_temp":null,"cell_max_voltage":null,"cell_min_voltage":null,'
                    '"cell_voltage_diff":null,"cell_temp_diff":null}\n\n'
                )

        scenario(play)

    def test_of_the_pcs_has_its_fields(self, battery, operator):
        remember(battery, (second(0), {"apparent_power_kw": 80.5}), system=System.PCS)

        async def play():
            async with stream(operator, f"/pcs/{battery.battery_id}/stream") as events:
                _, reading = await events.event()
                assert list(reading) == [
                    *("timestamp", "apparent_power", "dc_current", "dc_voltage"),
                    *("ac_current_a", "ac_current_b", "ac_current_c"),
                    *("ac_voltage_ab", "ac_voltage_bc", "ac_voltage_ca"),
                    *("temp_environment", "temp_ambient", "temp_igbt"),
                ]

        scenario(play)

    def test_goes_on_where_a_client_was(self, battery, past, operator):
        async def play():
            last = f"replay-3-{ms(second(1))}"
            path = f"/bms/{battery.battery_id}/stream?interval=0.1"
            async with stream(operator, path, **{"Last-Event-ID": last}) as events:
                assert await events.ids(2) == [f"replay-3-{ms(second(2))}", f"replay-4-{ms(second(0))}"]
            async with stream(operator, f"{path}&last_event_id={last}") as events:
                assert await events.ids(1) == [f"replay-3-{ms(second(2))}"]

        scenario(play)

    def test_is_read_page_by_page(self, battery, past, operator, monkeypatch):
        monkeypatch.setattr("meters.batteries.selectors.history.PAGE_ROWS", 2)
        monkeypatch.setattr(feed, "PAGE_ROWS", 2)

        async def play():
            async with stream(operator, f"/bms/{battery.battery_id}/stream?interval=0.1") as events:
                assert [name.split("-")[1] for name in await events.ids(5)] == ["1", "1", "1", "2", "2"]

        scenario(play)

    def test_gives_way_to_what_comes_in_and_goes_on_after_silence(self, battery, past, operator, monkeypatch):
        monkeypatch.setattr(feed, "patience_seconds", lambda _: 0.3)

        async def play():
            async with stream(operator, f"/bms/{battery.battery_id}/stream?interval=0.1") as events:
                assert await events.ids(1) == [f"replay-1-{ms(second(0))}"]
                now = timezone.now()
                await tell(told(battery, now, 61.0))
                found = await events.ids(3)
                assert f"live-{ms_floor(now)}" in found[:2]
                assert found[-1].startswith("replay-1-")

        scenario(play)

    def test_stays_one_where_it_is_forced(self, battery, past, operator):
        async def play():
            path = f"/bms/{battery.battery_id}/stream?interval=0.1&mode=replay"
            async with stream(operator, path) as events:
                await events.ids(1)
                await tell(told(battery, timezone.now(), 61.0))
                assert all(name.startswith("replay-") for name in await events.ids(3))

        scenario(play)

    def test_waits_with_heartbeats_where_there_is_no_history(self, battery, operator, monkeypatch):
        monkeypatch.setattr(feed, "HEARTBEAT_SECONDS", 0.05)

        async def play():
            async with stream(operator, f"/bms/{battery.battery_id}/stream") as events:
                await events.block()
                assert [await events.block() for _ in range(2)] == [": heartbeat\n\n"] * 2
                await sync_to_async(remember)(battery, (second(0), {"soc_percent": 50.0}))
                assert await events.ids(1) == [f"replay-1-{ms(NOON)}"]

        scenario(play)


def ms_floor(at) -> int:
    return int(at.timestamp() * 1_000_000) // 1000


class TestALiveStream:
    @pytest.fixture
    def heard(self, battery):
        """A battery that was heard just now."""
        remember(battery, *((second(n), {"soc_percent": 50.0 + n}) for n in range(3)), is_live=True)

    def test_begins_with_the_newest_and_goes_on_with_what_comes_in(self, battery, heard, operator):
        async def play():
            async with stream(operator, f"/bms/{battery.battery_id}/stream?interval=0.1") as events:
                assert await events.ids(1) == [f"live-{ms(second(2))}"]
                await tell(told(battery, second(3), 53.5))
                assert await events.event() == (
                    f"live-{ms(second(3))}",
                    {"timestamp": "2025-03-01T12:00:03Z"} | dict.fromkeys(NAMES[System.BMS]) | {"soc": 53.5},
                )

        scenario(play)

    def test_hears_its_own_system_of_its_own_battery(self, battery, heard, operator):
        other = BatteryFactory()

        async def play():
            async with stream(operator, f"/bms/{battery.battery_id}/stream?interval=0.1") as events:
                await events.ids(1)
                await tell(
                    told(battery, second(3), 1.0, System.PCS),
                    told(other, second(4), 2.0),
                    told(battery, second(5), 3.0),
                )
                assert await events.ids(1) == [f"live-{ms(second(5))}"]

        scenario(play)

    def test_tells_the_newest_an_interval_apart(self, battery, heard, operator):
        async def play():
            async with stream(operator, f"/bms/{battery.battery_id}/stream?interval=0.4") as events:
                await events.ids(1)
                await tell(told(battery, second(3), 1.0))
                assert await events.ids(1) == [f"live-{ms(second(3))}"]
                await tell(*(told(battery, second(n), 1.0) for n in range(4, 8)))
                assert await events.ids(1) == [f"live-{ms(second(7))}"]

        scenario(play)

    def test_makes_up_for_what_a_client_missed(self, battery, heard, operator, monkeypatch):
        path = f"/bms/{battery.battery_id}/stream"

        async def play():
            async with stream(operator, path, **{"Last-Event-ID": f"live-{ms(second(0))}"}) as events:
                assert await events.ids(2) == [f"live-{ms(second(1))}", f"live-{ms(second(2))}"]

        scenario(play)
        monkeypatch.setattr("meters.batteries.selectors.history.MOST_MISSED", 1)

        async def play_bounded():
            async with stream(operator, path, **{"Last-Event-ID": f"live-{ms(second(-9))}"}) as events:
                assert await events.ids(1) == [f"live-{ms(second(2))}"]

        scenario(play_bounded)

    def test_finds_by_itself_what_nobody_told_of(self, battery, heard, operator, monkeypatch):
        monkeypatch.setattr(feed, "patience_seconds", lambda _: 0.4)

        async def play():
            async with stream(operator, f"/bms/{battery.battery_id}/stream?interval=0.1") as events:
                await events.ids(1)
                await sync_to_async(remember)(battery, (second(3), {"soc_percent": 1.0}), is_live=True)
                assert await events.ids(1) == [f"live-{ms(second(3))}"]

        scenario(play)

    def test_stays_one_where_it_is_forced(self, battery, past, operator, monkeypatch):
        monkeypatch.setattr(feed, "HEARTBEAT_SECONDS", 0.05)

        async def play():
            async with stream(operator, f"/bms/{battery.battery_id}/stream?interval=0.1&mode=live") as events:
                await events.block()
                assert [await events.block() for _ in range(4)] == [": heartbeat\n\n"] * 4
                await tell(told(battery, second(9), 1.0))
                assert await events.ids(1) == [f"live-{ms(second(9))}"]

        scenario(play)


class TestWhoMayListen:
    @pytest.mark.parametrize(
        ("role", "status"),
        [(None, 401), (Role.AGENT, 403), (Role.CUSTOMER, 404)],
    )
    def test_tells_others_why_not(self, battery, role, status):
        answer = client_of(UserFactory(role=role) if role else None).get(f"/bms/{battery.battery_id}/stream")

        assert answer.status_code == status
        assert answer.json()["code"]

    @pytest.mark.parametrize("role", [Role.OPERATOR, Role.MANAGER, Role.ADMIN])
    def test_lets_staff_listen_to_all(self, battery, past, role):
        assert_hears(client_of(UserFactory(role=role)), battery)

    @pytest.mark.parametrize("scope", [Scope.QUERIES, Scope.BATTERIES])
    def test_lets_keys_of_a_scope_listen_to_all(self, battery, past, scope):
        assert_hears(client_of(scopes=[scope]), battery)

    def test_refuses_keys_of_other_scopes(self, battery):
        answer = client_of(scopes=[Scope.DEVICES]).get(f"/bms/{battery.battery_id}/stream")

        assert answer.status_code == 403

    def test_lets_customers_listen_to_their_own(self, battery, past):
        access = AccountAccessFactory()
        Battery.objects.update(account=access.account)

        assert_hears(client_of(access.user), battery)

    def test_takes_a_session_or_a_ticket_once(self, battery, past):
        user = UserFactory(role=Role.OPERATOR)
        client = Client()
        client.force_login(user, backend=BACKEND)
        path = f"/bms/{battery.battery_id}/stream?ticket={issue_ticket(user=user)}"

        assert_hears(client, battery)
        assert_hears(Client(), battery, path)
        assert Client().get(path).json()["code"] == "invalid_ticket"

    def test_knows_no_battery_of_another_name(self, operator):
        answer = operator.get("/pcs/nowhere/stream", headers={"Accept": "text/event-stream"})

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def assert_hears(client, battery: Battery, path: str = "") -> None:
    async def play():
        async with stream(client, path or f"/bms/{battery.battery_id}/stream") as events:
            assert await events.ids(1) == [f"replay-1-{ms(NOON)}"]

    scenario(play)


class TestWhatIsAskedFor:
    @pytest.mark.parametrize("interval", ["0.09", "3600.1", "0", "-1", "nan", "inf", "fast", ""])
    def test_has_an_interval_within_bounds(self, battery, operator, interval):
        answer = operator.get(f"/bms/{battery.battery_id}/stream?interval={interval}")

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_interval")

    def test_has_a_mode_that_there_is(self, battery, operator):
        answer = operator.get(f"/bms/{battery.battery_id}/stream?mode=dream")

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_mode")


class TestARevokedRight:
    @pytest.fixture(autouse=True)
    def impatience(self, monkeypatch):
        monkeypatch.setattr(hub, "LOOK_SECONDS", 0.02)

    def ends(self, client, battery, revoke) -> None:
        async def play():
            async with stream(client, f"/bms/{battery.battery_id}/stream") as events:
                await events.ids(1)
                await sync_to_async(revoke)()
                assert await events.is_over()

        scenario(play)

    def test_ends_the_stream_of_an_ended_login(self, battery, past):
        user = UserFactory(role=Role.OPERATOR)

        self.ends(client_of(user), battery, lambda: User.objects.update(login_epoch=1))

    def test_ends_the_stream_of_an_ended_session(self, battery, past):
        user = UserFactory(role=Role.OPERATOR)
        client = Client()
        client.force_login(user, backend=BACKEND)

        self.ends(client, battery, client.session.delete)

    def test_ends_the_stream_of_another_role(self, battery, past):
        user = UserFactory(role=Role.OPERATOR)

        self.ends(client_of(user), battery, lambda: User.objects.update(role=Role.AGENT))

    def test_ends_the_stream_of_an_access_that_is_over(self, battery, past):
        access = AccountAccessFactory()
        Battery.objects.update(account=access.account)

        self.ends(client_of(access.user), battery, AccountAccess.objects.all().delete)

    def test_ends_the_stream_of_a_battery_that_was_handed_on(self, battery, past):
        access = AccountAccessFactory()
        Battery.objects.update(account=access.account)
        other = CustomerAccountFactory()

        self.ends(client_of(access.user), battery, lambda: Battery.objects.update(account=other))

    def test_ends_the_stream_of_a_revoked_key(self, battery, past):
        client = client_of(scopes=[Scope.BATTERIES])

        self.ends(client, battery, lambda: SourceKey.objects.update(revoked_at=NOON))


class TestTheEndOfTheServer:
    def test_ends_every_stream(self, battery, past, operator):
        async def play():
            async with stream(operator, f"/bms/{battery.battery_id}/stream") as events:
                await events.ids(1)
                hub_here().end_all()
                assert await events.is_over()

        scenario(play)
