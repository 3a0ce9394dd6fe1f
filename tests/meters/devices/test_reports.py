from base64 import urlsafe_b64encode
from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.roles import Role, Scope
from meters.devices.models import Device, DeviceGroup
from meters.devices.services.retention import archive_days
from meters.models import Region
from tests.factories import AccountAccessFactory, AdminFactory, CustomerAccountFactory, UserFactory
from tests.meters.devices.helpers import EIGHT, HOUR, device, powers, roll_up, send
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

NOW = EIGHT + 6 * HOUR
REPORT, STATS, ENERGY = "/report", "/api/v1/energy/stats", "/api/v1/energy"


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def machine():
    return client_of(scopes=[Scope.QUERIES])


@pytest.fixture
def street():
    return DeviceGroup.objects.create(name="street")


@pytest.fixture
def north():
    return Region.objects.create(name="north", latitude=1, longitude=103, radius_m=1000)


def running(name, watts, *, hours=2, **fields):
    """Return a device that ran at one power for some hours from 08:00; then it is held for 5 minutes more."""
    made = device(name, **fields)
    send(*powers(made, *((minute, watts) for minute in range(0, 60 * hours, 10))))
    return made


class TestReport:
    def test_tells_watt_hours_by_local_day_and_hour(self, machine):
        running("a", 100)
        running("b", 23, hours=1)
        roll_up(NOW)

        answer = machine.get(REPORT)

        assert answer.json() == {"2025-03-01": {"08:00": 123, "09:00": 102, "10:00": 8}}
        assert answer["X-Complete-Until"] == "2025-03-01T13:00:00+08:00"

    def test_leaves_out_hours_without_data(self, machine):
        plug = device()
        send(*powers(plug, (0, 60)), *powers(plug, (180, 60)))
        roll_up(NOW)

        assert machine.get(REPORT).json() == {"2025-03-01": {"08:00": 15, "11:00": 15}}

    def test_knows_nothing_before_the_first_hour(self, machine):
        answer = machine.get(REPORT)

        assert answer.json() == {}
        assert "X-Complete-Until" not in answer

    def test_is_of_one_device(self, machine):
        running("a", 100)
        running("b", 60, hours=1)
        roll_up(NOW)

        assert machine.get(REPORT, {"device": "b"}).json()["2025-03-01"]["08:00"] == 60

    def test_is_of_a_group(self, machine, street):
        running("a", 100, group=street)
        running("b", 60)
        roll_up(NOW)

        by_name, by_number = (machine.get(REPORT, {"group": each}).json() for each in ("street", str(street.pk)))

        assert by_name["2025-03-01"]["08:00"] == 100
        assert by_number == by_name

    def test_is_of_a_region(self, machine, street, north):
        running("a", 100, group=street, region=north)
        running("b", 60, region=north)
        running("c", 1, group=street)
        roll_up(NOW)

        by_name, by_id = (machine.get(REPORT, {"region": each}).json() for each in ("north", str(north.pk)))
        both = machine.get(REPORT, {"region": "north", "group": "street"}).json()

        assert by_name["2025-03-01"]["08:00"] == 160
        assert by_id == by_name
        assert both["2025-03-01"]["08:00"] == 100

    def test_is_of_a_device_only_where_it_is_in_the_group(self, machine, street):
        running("a", 100)
        roll_up(NOW)

        assert machine.get(REPORT, {"device": "a", "group": "street"}).json() == {}

    def test_keeps_to_a_period_whose_end_is_not_included(self, machine):
        running("a", 60, hours=4)
        roll_up(NOW)

        asked = {"from": "2025-03-01T09:00", "to": "2025-03-01T11:00:00+08:00"}

        assert machine.get(REPORT, asked).json() == {"2025-03-01": {"09:00": 60, "10:00": 60}}

    def test_goes_back_thirty_local_days_unless_told(self, machine):
        early, earlier = (datetime(2025, 1, 30, hour, tzinfo=UTC) for hour in (16, 15))
        plug = device()
        send(*powers(plug, (0, 60), start=earlier), *powers(plug, (0, 60), start=early), *powers(plug, (0, 60)))
        roll_up(NOW)

        assert list(machine.get(REPORT).json()) == ["2025-01-31", "2025-03-01"]

    def test_tells_days_on_another_clock(self, machine):
        running("a", 60, hours=1)
        roll_up(NOW)

        answer = machine.get(REPORT, {"tz": "America/New_York"})

        assert answer.json()["2025-02-28"]["19:00"] == 60
        assert answer["X-Complete-Until"] == "2025-03-01T00:00:00-05:00"

    def test_tells_a_device_on_its_own_clock(self, machine):
        running("a", 60, hours=1, zone="Asia/Tokyo")
        roll_up(NOW)

        assert machine.get(REPORT, {"device": "a"}).json()["2025-03-01"]["09:00"] == 60
        assert machine.get(REPORT).json()["2025-03-01"]["08:00"] == 60

    @pytest.mark.parametrize(
        ("day", "hours", "twice"),
        [(date(2025, 10, 26), 25, {"02:00": 120}), (date(2025, 3, 30), 23, {})],
    )
    def test_sums_an_hour_that_the_clock_repeats(self, machine, time_machine, day, hours, twice):
        midnight = datetime(day.year, day.month, day.day - 1, 23 if hours == 23 else 22, tzinfo=UTC)
        time_machine.move_to(midnight + 30 * HOUR, tick=False)
        plug = device(zone="Europe/Berlin", hold_seconds=7200)
        send(*powers(plug, *((60 * hour, 60) for hour in range(hours + 1)), start=midnight))
        roll_up(midnight + 30 * HOUR)

        answer = machine.get(REPORT, {"device": "plug", "from": str(day), "to": f"{day:%Y-%m}-{day.day + 1}"}).json()

        assert sum(answer[str(day)].values()) == 60 * hours
        assert {label: energy for label, energy in answer[str(day)].items() if energy != 60} == twice

    @pytest.mark.parametrize(
        ("asked", "status", "code"),
        [
            ({"device": "nobody"}, 404, "no_such_device"),
            ({"group": "nobody"}, 404, "no_such_group"),
            ({"group": "77"}, 404, "no_such_group"),
            ({"region": "nowhere"}, 404, "no_such_region"),
            ({"region": "00000000-0000-4000-8000-000000000000"}, 404, "no_such_region"),
            ({"tz": "Mars/Olympus"}, 422, "unknown_zone"),
            ({"from": "2025-03-02", "to": "2025-03-01"}, 422, "invalid_period"),
            ({"from": "0001-01-01", "to": "2025-03-01"}, 422, "invalid_period"),
            ({"to": "9999-12-31"}, 422, "invalid_period"),
            ({"from": "2020-01-01"}, 422, "period_too_long"),
            ({"from": "yesterday"}, 400, "invalid"),
        ],
    )
    def test_refuses_what_it_cannot_answer(self, machine, asked, status, code):
        answer = machine.get(REPORT, asked)

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    def test_costs_the_same_queries_however_many_devices(self, machine, django_assert_num_queries):
        for number in range(3):
            running(f"plug{number}", 60, hours=1)
            roll_up(NOW)
            with django_assert_num_queries(3):
                machine.get(REPORT)


class TestWhoMayAsk:
    @pytest.fixture
    def customer(self):
        account = CustomerAccountFactory()
        running("mine", 60, hours=1, account=account)
        running("theirs", 1000, hours=1, account=CustomerAccountFactory())
        roll_up(NOW)
        return AccountAccessFactory(account=account).user

    @pytest.mark.parametrize("role", [Role.MANAGER, Role.OPERATOR, Role.ADMIN])
    def test_staff_sees_all(self, customer, role):
        answer = client_of(UserFactory(role=role)).get(REPORT).json()

        assert answer["2025-03-01"]["08:00"] == 1060

    def test_a_customer_sees_the_own_devices(self, customer):
        client = client_of(customer)

        assert client.get(REPORT).json()["2025-03-01"]["08:00"] == 60
        assert client.get(REPORT, {"device": "mine"}).json()["2025-03-01"]["08:00"] == 60
        assert client.get(STATS).json()["energy_wh"] == 65

    @pytest.mark.parametrize("path", [REPORT, STATS, ENERGY])
    def test_a_customer_does_not_see_the_device_of_somebody_else(self, customer, path):
        answer = client_of(customer).get(path, {"device": "theirs"})

        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_device")

    def test_a_customers_group_holds_the_own_devices_only(self, customer, street):
        Device.objects.update(group=street)

        assert client_of(customer).get(REPORT, {"group": "street"}).json()["2025-03-01"]["08:00"] == 60

    def test_an_agent_sees_nothing(self, customer):
        assert client_of(UserFactory(role=Role.AGENT)).get(REPORT).json() == {}

    @pytest.mark.parametrize("path", [REPORT, STATS, ENERGY])
    def test_nobody_sees_nothing(self, path):
        assert client_of().get(path).status_code == 401

    @pytest.mark.parametrize(("scope", "status"), [(Scope.QUERIES, 200), (Scope.DEVICES, 200), (Scope.READINGS, 403)])
    def test_a_key_needs_a_scope(self, customer, scope, status):
        client = client_of(scopes=[scope])

        assert [client.get(path, {"device": "mine"}).status_code for path in (REPORT, STATS, ENERGY)] == [status] * 3

    def test_a_customers_report_costs_the_same_queries_however_many_devices(self):
        account = CustomerAccountFactory()
        client = client_of(AccountAccessFactory(account=account).user)
        counts = set()
        for number in range(3):
            running(f"plug{number}", 60, hours=1, account=account)
            roll_up(NOW)
            with CaptureQueriesContext(connection) as queries:
                client.get(REPORT)
            counts.add(len(queries))

        assert len(counts) == 1


class TestStatistics:
    def test_say_what_the_hours_come_to(self, machine):
        send(*powers(device("a"), (0, 60), (10, 120)), *powers(device("b"), (0, 0)))
        send(*powers(device("c"), (60, 600)))
        roll_up(NOW)

        answer = machine.get(STATS, {"from": "2025-03-01"}).json()

        assert answer == {
            "from": "2025-03-01T00:00:00+08:00",
            "to": "2025-03-02T00:00:00+08:00",
            "energy_wh": 10 + 30 + 150,
            "hours": 2,
            "devices": 2,
            "coverage": round((25 + 15 + 15) / 180, 4),
            "mean_power_w": round(190 / (55 / 60), 2),
            "highest": {"from": "2025-03-01T09:00:00+08:00", "energy_wh": 150},
            "lowest": {"from": "2025-03-01T08:00:00+08:00", "energy_wh": 40},
            "complete_until": "2025-03-01T13:00:00+08:00",
        }

    def test_of_nothing_are_empty(self, machine):
        answer = machine.get(STATS).json()

        assert (answer["energy_wh"], answer["hours"], answer["devices"]) == (0, 0, 0)
        assert [answer[name] for name in ("coverage", "mean_power_w", "highest", "lowest", "complete_until")] == [
            None
        ] * 5


class TestSamples:
    @pytest.fixture
    def plug(self):
        plug = device()
        send(*powers(plug, *((minute, minute) for minute in range(5))))
        send((plug, EIGHT + HOUR, {"temperature_c": 21.5, "switch": True}), *powers(device("other"), (0, 9)))
        return plug

    def test_are_told_newest_first_with_what_was_left_out(self, machine, plug):
        newest, *_, oldest = machine.get(ENERGY, {"device": "plug"}).json()["results"]

        assert newest == {
            "device_id": "plug",
            "time": "2025-03-01T09:00:00+08:00",
            "instant_power": None,
            "temp_interior": 21.5,
            "voltage_v": None,
            "current_a": None,
            "energy_wh": None,
            "switch": True,
            "received_at": "2025-03-01T09:00:00+08:00",
        }
        assert (oldest["time"], oldest["instant_power"]) == ("2025-03-01T08:00:00+08:00", 0)

    def test_come_in_pages(self, machine, plug):
        first = machine.get(ENERGY, {"device": "plug", "page_size": 4}).json()
        rest = machine.get(first["next"]).json()

        assert [each["instant_power"] for each in (*first["results"], *rest["results"])] == [None, 4, 3, 2, 1, 0]
        assert rest["next"] is None

    def test_keep_to_a_period(self, machine, plug):
        asked = {"device": "plug", "from": "2025-03-01T08:01", "to": "2025-03-01T00:03:00Z"}

        assert [each["instant_power"] for each in machine.get(ENERGY, asked).json()["results"]] == [2, 1]

    def test_of_archived_days_come_in_the_same_pages(self, machine, plug, settings, tmp_path, time_machine):
        settings.ARCHIVE_DIR = tmp_path
        now = EIGHT + 10 * 24 * HOUR
        roll_up(now)
        archive_days(actor=PORTAL, now=now, until=now.date(), wait_seconds=0)
        time_machine.move_to(now, tick=False)
        send(*powers(plug, (0, 77), start=now))

        first = machine.get(ENERGY, {"device": "plug", "page_size": 4}).json()
        rest = machine.get(first["next"]).json()
        back = machine.get(rest["previous"]).json()

        assert not plug.samples.filter(time__lt=now).exists()
        assert [each["instant_power"] for each in (*first["results"], *rest["results"])] == [77, None, 4, 3, 2, 1, 0]
        assert back["results"] == first["results"]

    def test_refuse_a_cursor_of_nobody(self, machine, plug):
        cursor = urlsafe_b64encode(b'[["-time"],["soon"],false]').decode()

        answer = machine.get(ENERGY, {"device": "plug", "cursor": cursor})

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")

    def test_need_a_device(self, machine):
        answer = machine.get(ENERGY)

        assert answer.status_code == 400

    def test_cost_the_same_queries_however_many(self, machine, plug, django_assert_num_queries):
        for size in (1, 5):
            with django_assert_num_queries(2):
                machine.get(ENERGY, {"device": "plug", "page_size": size})


class TestAdmin:
    def test_an_admin_sees_every_sample(self):
        send(*powers(device(), (0, 1)))

        assert len(client_of(AdminFactory()).get(ENERGY, {"device": "plug"}).json()["results"]) == 1
