import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role, Scope
from meters.batteries.quantities import System
from tests.factories import AccountAccessFactory, BatteryFactory, ManagerFactory, UserFactory
from tests.meters.batteries.helpers import NOON, put
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

BMS = {
    "soc_percent": 85.5,
    "soh_percent": 95.2,
    "voltage_v": 825.3,
    "current_a": -150.5,
    "cell_avg_voltage_v": 3.25,
    "cell_avg_temp_c": 25.8,
    "cell_max_voltage_v": 3.28,
    "cell_min_voltage_v": 3.22,
    "cell_voltage_diff_v": 0.06,
    "cell_temp_diff_c": 5.2,
}
PCS = {
    "apparent_power_kw": 150.5,
    "dc_current_a": 200.0,
    "dc_voltage_v": 800.0,
    "ac_current_a_a": 120.0,
    "ac_current_b_a": 118.5,
    "ac_current_c_a": 121.2,
    "ac_voltage_ab_v": 400.0,
    "ac_voltage_bc_v": 398.5,
    "ac_voltage_ca_v": 401.2,
    "temp_environment_c": 25.8,
    "temp_ambient_c": 24.5,
    "temp_igbt_c": 45.2,
}
SECOND = timedelta(seconds=1)


@pytest.fixture
def battery():
    return BatteryFactory(battery_id="ZHPESS232A230002")


@pytest.fixture
def operator():
    return client_of(UserFactory(role=Role.OPERATOR))


def soc(value):
    return {"soc_percent": value}


class TestPublishedPaths:
    def test_bms_answers_as_documented_byte_for_byte(self, battery, operator):
        put(battery, (NOON, BMS))

        answer = operator.get("/bms/ZHPESS232A230002")

        assert answer.content.decode() == (
            '{"device_id":"ZHPESS232A230002","batch_size":100,"skip":0,"total":1,"data":['
            '{"timestamp":"2025-03-01T12:00:00Z","soc":85.5,"soh":95.2,"voltage":825.3,"current":-150.5,'
            '"cell_avg_voltage":3.25,"cell_avg_temp":25.8,"cell_max_voltage":3.28,"cell_min_voltage":3.22,'
            '"cell_voltage_diff":0.06,"cell_temp_diff":5.2}]}'
        )

    def test_pcs_answers_as_documented_byte_for_byte(self, battery, operator):
        put(battery, (NOON, PCS), system=System.PCS)

        answer = operator.get("/pcs/ZHPESS232A230002?batch_size=10&skip=0")

        assert answer.content.decode() == (
            '{"device_id":"ZHPESS232A230002","batch_size":10,"skip":0,"total":1,"data":['
            '{"timestamp":"2025-03-01T12:00:00Z","apparent_power":150.5,"dc_current":200.0,"dc_voltage":800.0,'
            '"ac_current_a":120.0,"ac_current_b":118.5,"ac_current_c":121.2,"ac_voltage_ab":400.0,'
            '"ac_voltage_bc":398.5,"ac_voltage_ca":401.2,"temp_environment":25.8,"temp_ambient":24.5,"temp_igbt":45.2}]}'
        )

    def test_lists_the_batteries_that_told_anything(self, battery, operator):
        BatteryFactory(battery_id="silent")
        put(battery, (NOON, soc(50.0)))

        assert operator.get("/bms/devices").json() == {"devices": ["ZHPESS232A230002"], "count": 1}
        assert operator.get("/pcs/devices").json() == {"devices": [], "count": 0}

    def test_pages_the_oldest_first_and_tells_null_for_what_is_missing(self, battery, operator):
        put(battery, *((NOON + n * SECOND, soc(50.0 + n)) for n in range(5)))

        page = operator.get("/bms/ZHPESS232A230002?batch_size=2&skip=3").json()

        assert (page["total"], [row["soc"] for row in page["data"]]) == (5, [53.0, 54.0])
        assert page["data"][0]["current"] is None

    @pytest.mark.parametrize("query", ["batch_size=0", "batch_size=10001", "skip=-1", "skip=x"])
    def test_refuses_what_is_no_page(self, battery, operator, query):
        assert operator.get(f"/bms/ZHPESS232A230002?{query}").status_code == 400

    def test_shows_customers_only_what_is_theirs(self, battery):
        access = AccountAccessFactory()
        mine = BatteryFactory(account=access.account)
        for each in (battery, mine):
            put(each, (NOON, soc(50.0)))
        customer = client_of(access.user)

        assert customer.get("/bms/devices").json()["devices"] == [mine.battery_id]
        assert customer.get(f"/bms/{battery.battery_id}").status_code == 404
        assert customer.get(f"/bms/{mine.battery_id}").status_code == 200

    def test_takes_keys_that_query_or_send_for_batteries(self, battery):
        path = "/bms/ZHPESS232A230002"

        assert client_of(scopes=[Scope.QUERIES]).get(path).status_code == 200
        assert client_of(scopes=[Scope.BATTERIES]).get(path).status_code == 200
        assert client_of(scopes=[Scope.DEVICES]).get(path).status_code == 403
        assert client_of().get(path).status_code == 401
        assert client_of(UserFactory(role=Role.AGENT)).get(path).status_code == 404


class TestReadings:
    def path(self, battery, query=""):
        return f"/api/v1/batteries/{battery.battery_id}/bms{query}"

    def test_pages_by_cursor_the_newest_first(self, battery, operator):
        put(battery, *((NOON + n * SECOND, soc(50.0 + n)) for n in range(5)))

        first = operator.get(self.path(battery, "?page_size=3")).json()
        second = operator.get(first["next"]).json()

        assert [row["soc"] for row in [*first["results"], *second["results"]]] == [54.0, 53.0, 52.0, 51.0, 50.0]
        assert second["next"] is None

    def test_keeps_to_the_asked_span_without_its_end(self, battery, operator):
        put(battery, *((NOON + n * SECOND, soc(50.0 + n)) for n in range(5)))

        found = operator.get(self.path(battery, "?from=2025-03-01T12:00:01Z&to=2025-03-01T12:00:03Z")).json()

        assert [row["soc"] for row in found["results"]] == [52.0, 51.0]

    def test_reads_naive_bounds_on_the_batterys_clock(self, operator):
        battery = BatteryFactory(zone="Europe/Berlin")
        put(battery, (NOON, soc(50.0)))

        assert len(operator.get(self.path(battery, "?from=2025-03-01T13:00:00")).json()["results"]) == 1
        assert operator.get(self.path(battery, "?from=2025-03-01T13:00:01")).json()["results"] == []

    def test_draws_together_without_losing_a_peak(self, battery, operator):
        put(battery, *((NOON + n * SECOND, soc(99.0 if n == 7 else 50.0)) for n in range(90)))

        query = "?from=2025-03-01T12:00Z&to=2025-03-01T13:00Z&resolution=60&fields=soc"
        answer = operator.get(self.path(battery, query)).json()

        assert (answer["device_id"], answer["system"], answer["resolution_seconds"]) == (battery.battery_id, "bms", 60)
        assert answer["data"] == [
            {"timestamp": "2025-03-01T12:00:00Z", "rows": 60, "soc": 50.8167, "soc_min": 50.0, "soc_max": 99.0},
            {"timestamp": "2025-03-01T12:01:00Z", "rows": 30, "soc": 50.0, "soc_min": 50.0, "soc_max": 50.0},
        ]

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("?resolution=1&from=2025-03-01&to=2025-03-03", "too_many_points"),
            ("?resolution=86400&from=2024-03-01&to=2025-03-03", "period_too_long"),
            ("?resolution=60&from=2025-03-03&to=2025-03-01", "end_before_start"),
        ],
    )
    def test_names_what_cannot_be_drawn_together(self, battery, operator, query, code):
        answer = operator.get(self.path(battery, query))

        assert (answer.status_code, answer.json()["code"]) == (422, code)

    def test_refuses_signals_that_there_are_not(self, battery, operator):
        assert operator.get(self.path(battery, "?resolution=60&fields=soc,speed")).status_code == 400

    def test_leaves_as_a_file(self, battery, operator):
        put(battery, (NOON, soc(50.0)))

        listed = operator.get(self.path(battery, "?format=csv")).content.decode()
        drawn = operator.get(self.path(battery, "?format=csv&resolution=60&from=2025-03-01&to=2025-03-02&fields=soc"))

        assert "2025-03-01T12:00:00Z,50" in listed
        assert drawn.content.decode().splitlines()[0].endswith("timestamp,rows,soc,soc_min,soc_max")

    def test_costs_the_same_number_of_queries_however_much_was_told(self, battery):
        client = client_of(ManagerFactory())

        def queries():
            with CaptureQueriesContext(
                connection,
            ) as few:
                json.loads(client.get(self.path(battery)).content)
            return len(few)

        put(battery, *((NOON + n * SECOND, soc(50.0)) for n in range(3)))
        before = queries()
        put(battery, *((NOON + n * SECOND, soc(50.0)) for n in range(3, 40)))

        assert queries() == before


class TestAligned:
    def path(self, battery, query):
        return f"/api/v1/batteries/{battery.battery_id}/aligned{query}"

    def test_brings_both_systems_to_one_row_with_the_age_of_each_signal(self, battery, operator):
        put(battery, (NOON, soc(50.0)), (NOON + 30 * SECOND, soc(50.1)), (NOON + 90 * SECOND, soc(50.4)))
        powers = [(NOON + 10 * n * SECOND, {"apparent_power_kw": 12.0 + n / 5}) for n in range(6)]
        put(battery, *powers, system=System.PCS)

        query = "?from=2025-03-01T12:00Z&to=2025-03-01T12:02Z&fields=soc,apparent_power"
        answer = operator.get(self.path(battery, query)).json()

        assert answer["data"] == [
            {
                "timestamp": "2025-03-01T12:00:00Z",
                "soc": 50.1,
                "apparent_power": 12.5,
                "ages": {"soc": 30.0, "apparent_power": 10.0},
            },
            {
                "timestamp": "2025-03-01T12:01:00Z",
                "soc": 50.4,
                "apparent_power": 13.0,
                "ages": {"soc": 30.0, "apparent_power": 70.0},
            },
        ]

    def test_knows_nothing_of_the_future_and_forgets_what_is_old(self, battery, operator):
        put(battery, (NOON, soc(50.0)), (NOON + timedelta(hours=1), soc(60.0)))

        query = "?from=2025-03-01T12:00Z&to=2025-03-01T13:00Z&fields=soc"
        rows = operator.get(self.path(battery, query)).json()["data"]

        assert {row["soc"] for row in rows} == {50.0}
        assert rows[-1]["timestamp"] == "2025-03-01T12:04:00Z"

    def test_leaves_as_a_file(self, battery, operator):
        put(battery, (NOON, soc(50.0)))

        query = "?format=csv&from=2025-03-01T12:00Z&to=2025-03-01T12:01Z&fields=soc"
        lines = operator.get(self.path(battery, query)).content.decode("utf-8-sig").splitlines()

        assert lines[0] == "timestamp,soc,ages"
        assert lines[1].startswith("2025-03-01T12:00:00Z,50.0,")


class TestSummary:
    def test_tells_machines_what_the_dossier_holds_and_why_something_is_not_known(self, battery, operator):
        answer = operator.get(f"/api/v1/batteries/{battery.battery_id}/summary?from=2025-03-01&to=2025-03-02").json()

        assert (answer["battery_id"], answer["is_simulated"]) == (battery.battery_id, False)
        assert answer["throughput"]["discharged_kwh"] is None
        assert answer["round_trip_efficiency"]["dc"]["percent"] is None
        assert answer["round_trip_efficiency"]["dc"]["reason"]

    def test_refuses_an_empty_period(self, battery, operator):
        answer = operator.get(f"/api/v1/batteries/{battery.battery_id}/summary?from=2025-03-02&to=2025-03-01")

        assert (answer.status_code, answer.json()["code"]) == (422, "wrong_period")
