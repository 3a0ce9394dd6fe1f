from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from meters.batteries.models import BatteryState
from meters.batteries.pages.standing import Direction, Hearing, standing_of
from tests.factories import AccountAccessFactory, AlarmFactory, BatteryFactory, UserFactory
from tests.meters.batteries.helpers import put

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FLEET = "/batteries/"


def state(battery, *, heard_at=None, at=NOW, bms=None, pcs=None):
    return BatteryState.objects.create(
        battery=battery,
        bms_at=at,
        bms={"soc": 63.4, "cell_voltage_diff": 0.012} if bms is None else bms,
        pcs_at=at,
        pcs={"apparent_power": 82.3} if pcs is None else pcs,
        heard_at=heard_at,
    )


def alarm(battery, **values):
    return AlarmFactory(
        **{"kind": "cell_spread", "text": "Its cells are 180 mV apart.", **values},
        subject_kind="battery",
        subject=battery.battery_id,
        account=battery.account,
    )


@pytest.fixture
def operator(client):
    user = UserFactory(role=Role.OPERATOR)
    client.force_login(user)
    return user


@pytest.fixture
def customer(client):
    user = UserFactory(role=Role.CUSTOMER)
    client.force_login(user)
    return user


class TestStanding:
    @pytest.mark.parametrize(
        ("pcs", "bms", "power", "direction"),
        [
            ({"apparent_power": 82.3}, {}, 82.3, Direction.DISCHARGES),
            ({"apparent_power": -20.0}, {}, -20.0, Direction.CHARGES),
            ({"apparent_power": 0.1}, {}, 0.1, Direction.RESTS),
            ({}, {"voltage": 840.0, "current": -100.0}, -84.0, Direction.CHARGES),
            ({}, {"voltage": 840.0}, None, None),
        ],
    )
    def test_tells_where_the_energy_flows(self, pcs, bms, power, direction):
        battery = BatteryFactory.build()
        battery.state = BatteryState(bms=bms, bms_at=NOW, pcs=pcs, pcs_at=NOW)

        standing = standing_of(battery, now=NOW)

        assert (standing.power_kw, standing.direction) == (power, direction)

    @pytest.mark.parametrize(
        ("told_at", "heard_at", "hearing"),
        [
            (None, None, Hearing.NEVER),
            (NOW, None, Hearing.FILED),
            (NOW, NOW - timedelta(seconds=59), Hearing.LIVE),
            (NOW, NOW - timedelta(seconds=61), Hearing.SILENT),
        ],
    )
    def test_tells_how_lately_it_was_heard(self, told_at, heard_at, hearing):
        battery = BatteryFactory.build()
        battery.state = BatteryState(bms_at=told_at, heard_at=heard_at)

        assert standing_of(battery, now=NOW).hearing is hearing

    def test_says_nothing_of_what_nobody_told(self):
        standing = standing_of(BatteryFactory.build(), now=NOW)

        assert (standing.power_kw, standing.spread_mv, standing.held_kwh, standing.at) == (None, None, None, None)


@pytest.mark.django_db
class TestFleet:
    def test_lists_those_first_that_need_somebody(self, client, operator):
        now = timezone.now()
        well, silent, warned, critical = (BatteryFactory(battery_id=f"B{number}") for number in range(4))
        for battery in (well, warned, critical):
            state(battery, heard_at=now)
        state(silent, heard_at=now - timedelta(hours=1))
        alarm(warned, kind="a")
        alarm(warned, kind="b")
        alarm(critical, severity="critical")
        alarm(well, state="cleared", cleared_at=now)

        page = client.get(FLEET)

        assert [each.battery for each in page.context["standings"]] == [critical, warned, silent, well]
        assert "82.3 kW" in page.text
        assert "discharging" in page.text
        assert "12 mV" in page.text

    def test_asks_as_often_for_many_as_for_few(self, client, operator, django_assert_num_queries):
        state(BatteryFactory())
        client.get(FLEET)
        with CaptureQueriesContext(connection) as few:
            client.get(FLEET)
        for _ in range(7):
            battery = BatteryFactory()
            state(battery)
            alarm(battery)

        with django_assert_num_queries(len(few)):
            client.get(FLEET)

    def test_is_paged_and_leaves_out_what_is_retired(self, client, operator):
        BatteryFactory.create_batch(25)
        BatteryFactory(status="retired", retired_at=NOW)

        assert len(client.get(FLEET, {"page": 2}).context["standings"]) == 1

    def test_says_what_to_do_where_there_is_none(self, client, operator):
        assert "simulate_battery" in client.get(FLEET).text

    def test_sends_htmx_the_list_alone(self, client, operator):
        BatteryFactory()

        assert client.get(FLEET, headers={"HX-Request": "true"}).text.lstrip().startswith('<div id="fleet"')

    def test_leads_a_customer_to_the_only_one_that_is_theirs(self, client, customer):
        access = AccountAccessFactory(user=customer)
        mine = BatteryFactory(account=access.account)
        BatteryFactory()

        assert client.get(FLEET).headers["Location"] == reverse("batteries:battery", args=[mine.battery_id])
        assert 'href="/batteries/"' in client.get("/home").text

    def test_shows_a_customer_theirs_alone(self, client, customer):
        access = AccountAccessFactory(user=customer)
        mine = BatteryFactory.create_batch(2, account=access.account)
        BatteryFactory()

        assert {each.battery for each in client.get(FLEET).context["standings"]} == set(mine)

    @pytest.mark.parametrize(("role", "status"), [(Role.AGENT, 403), (Role.MANAGER, 200), (Role.ADMIN, 200)])
    def test_is_for_whoever_has_to_do_with_batteries(self, client, role, status):
        client.force_login(UserFactory(role=role))

        assert client.get(FLEET).status_code == status

    def test_asks_a_stranger_to_log_in(self, client):
        assert client.get(FLEET).headers["Location"].startswith("/login")


@pytest.mark.django_db
class TestBattery:
    def test_shows_what_it_told_last_without_scripts(self, client, operator):
        battery = BatteryFactory(name="Cellar", is_simulated=True)
        state(battery, heard_at=timezone.now() - timedelta(hours=2))
        alarm(battery)

        page = client.get(reverse("batteries:battery", args=[battery.battery_id]))

        assert "63.4" in page.text
        assert "82.3" in page.text
        assert "Discharging" in page.text
        assert "Silent: nothing has come in since" in page.text
        assert "No such battery stands anywhere" in page.text
        assert "Its cells are 180 mV apart." in page.text
        assert "/admin/meters/alarm/" in page.text

    def test_draws_its_last_hours_with_the_peaks_and_breaks_the_line_where_nothing_came(self, client, operator):
        battery = BatteryFactory()
        rows = [
            (NOW + timedelta(minutes=minute), {"cell_min_voltage_v": lowest, "soc_percent": 50.0})
            for minute, lowest in ((0, 3.1), (0.5, 3.3), (1, 3.3), (30, 3.3))
        ]
        put(battery, *rows, now=rows[-1][0])

        page = client.get(reverse("batteries:battery", args=[battery.battery_id]), {"hours": "6"})

        told = page.context["chart"]["points"]["cell_min_voltage"]
        assert [value for _, value in told] == pytest.approx([3.1, 3.3, None, 3.3], abs=1e-4)
        assert told[0][0] == NOW.timestamp() * 1_000
        assert len(page.context["history"].rows) == 3
        assert "cell_avg_voltage" in page.context["chart"]["points"]

    def test_falls_back_to_the_usual_hours(self, client, operator):
        battery = BatteryFactory()

        for hours in ("", "7", "x", "-1"):
            page = client.get(reverse("batteries:battery", args=[battery.battery_id]), {"hours": hours})
            assert page.context["hours"] == 6
            assert "Nothing was told in this time" in page.text

    def test_asks_as_often_for_many_readings_as_for_few(self, client, operator, django_assert_num_queries):
        battery = BatteryFactory()
        address = reverse("batteries:battery", args=[battery.battery_id])
        put(battery, (NOW, {"soc_percent": 50.0}), now=NOW)
        client.get(address)
        with CaptureQueriesContext(connection) as few:
            client.get(address)
        put(
            battery,
            *((NOW + timedelta(minutes=minute), {"soc_percent": 50.0}) for minute in range(20)),
            now=NOW + timedelta(hours=1),
        )
        for number in range(20):
            alarm(battery, kind=f"kind {number}")

        with django_assert_num_queries(len(few)):
            client.get(address)

    def test_is_there_for_its_owner_and_for_no_other_customer(self, client, customer):
        access = AccountAccessFactory(user=customer)
        mine, other = BatteryFactory(account=access.account), BatteryFactory()
        alarm(mine)

        page = client.get(reverse("batteries:battery", args=[mine.battery_id]))

        assert "Its cells are 180 mV apart." in page.text
        assert "/admin/" not in page.text
        assert "All batteries" not in page.text
        for strange in (other.battery_id, "nobody"):
            assert client.get(reverse("batteries:battery", args=[strange])).status_code == 404

    def test_is_not_for_agents(self, client):
        client.force_login(UserFactory(role=Role.AGENT))

        assert client.get(reverse("batteries:battery", args=[BatteryFactory().battery_id])).status_code == 403
