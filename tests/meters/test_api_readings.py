import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role, Scope
from meters.models import RegisterReading
from tests.factories import AccountAccessFactory, MeterFactory, UserFactory, since, supplied_register
from tests.meters.helpers import client_of

NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
PATH = "/receive_meter_reading"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def register():
    return supplied_register()


@pytest.fixture
def machine():
    return client_of(scopes=[Scope.READINGS])


def row(register, stamp="2025-03-01T10:00:00+08:00", reading=100.5, **more):
    return {"meter_id": register.meter.serial, "timestamp": stamp, "reading": reading, **more}


class TestReceiveMeterReading:
    def test_takes_one_reading(self, register, machine):
        answer = machine.post(PATH, row(register), format="json")

        assert answer.status_code == 201
        assert answer.json() == {"stored": 1, "duplicates": 0, "quarantined": [], "conflicts": [], "rejected": []}
        reading = RegisterReading.objects.get()
        assert reading.value == Decimal("100.5")
        assert reading.source.scopes == [Scope.READINGS]

    @pytest.mark.parametrize("shape", [lambda rows: {"readings": rows}, lambda rows: rows])
    def test_takes_a_list_and_keeps_its_good_rows(self, register, machine, shape):
        rows = [
            row(register),
            row(register, "2025-03-01T10:15:00+08:00"),
            row(register, "2025-03-01T10:30:00+08:00", "a lot"),
            {"meter_id": "nobody's", "timestamp": "2025-03-01T10:30:00+08:00", "reading": 1},
            "not an object",
            {"meter_id": register.meter.serial},
            row(register, "2025-03-01T10:30:00+08:00", "100.7"),
            row(register, "2025-03-01T10:30:00+08:00", 100.7),
            row(register, "2025-03-01T10:30:00+08:00", 100.8),
        ]

        answer = machine.post(PATH, shape(rows), format="json")

        assert answer.status_code == 201
        report = answer.json()
        assert (report["stored"], report["duplicates"]) == (2, 1)
        assert [(each["index"], each["code"]) for each in report["conflicts"]] == [(8, "conflict")]
        assert [(each["index"], each["code"]) for each in report["rejected"]] == [
            (1, "off_mark"),
            (2, "not_a_number"),
            (3, "unknown_meter"),
            (4, "malformed"),
            (5, "malformed"),
        ]

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"timestamp": "2025-03-01T10:15:00+08:00"}, "off_mark"),
            ({"timestamp": "yesterday"}, "malformed"),
            ({"timestamp": "2025-03-01"}, "malformed"),
            ({"timestamp": "0001-01-01T00:00:00+14:00"}, "malformed"),
            ({"timestamp": 1741312800}, "malformed"),
            ({"timestamp": {}}, "malformed"),
            ({"timestamp": "2025-03-15T12:30:00+08:00"}, "in_future"),
            ({"timestamp": "2019-03-15T12:30:00+08:00"}, "too_old"),
            ({"reading": "a lot"}, "not_a_number"),
            ({"reading": "NaN"}, "not_a_number"),
            ({"reading": "1e400"}, "too_many_digits"),
            ({"reading": True}, "not_a_number"),
            ({"reading": [1]}, "not_a_number"),
            ({"reading": None}, "malformed"),
            ({"reading": "1.0000001"}, "too_many_decimals"),
            ({"reading": -1}, "negative"),
            ({"reading": 1_000_000}, "exceeds_register"),
            ({"meter_id": "nobody's"}, "unknown_meter"),
            ({"meter_id": "\ud800"}, "malformed_json"),
            ({"meter_id": 7}, "malformed"),
            ({"register": "9.9.9"}, "unknown_register"),
            ({"register": None}, "malformed"),
        ],
    )
    def test_names_what_is_wrong_with_a_row(self, register, machine, changes, code):
        answer = machine.post(PATH, json.dumps({**row(register), **changes}), content_type="application/json")

        assert answer.status_code in {400, 422}
        assert answer["Content-Type"] == "application/problem+json"
        problem = answer.json()
        if problem["code"] == "malformed_json":
            assert code == "malformed_json"
        else:
            assert problem["code"] == "all_rejected"
            assert [(each["index"], each["code"]) for each in problem["errors"]] == [(0, code)]
        assert not RegisterReading.objects.exists()

    @pytest.mark.parametrize("body", [b"NaN", b'{"reading": 1e400}', b"{", b'{"reading": NaN}', b"\xff"])
    def test_answers_what_is_not_json_with_a_problem(self, machine, body):
        answer = machine.post(PATH, body, content_type="application/json")

        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")

    @pytest.mark.parametrize("body", [b"7", b'"text"', b"null", b"[]", b'{"readings": 5}'])
    def test_answers_another_shape_with_a_problem(self, machine, body):
        answer = machine.post(PATH, body, content_type="application/json")

        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")

    @pytest.mark.parametrize("status", ["pending", "inactive", "out_of_service"])
    def test_refuses_a_meter_that_is_not_in_service(self, machine, status):
        register = supplied_register(meter=MeterFactory(status=status))

        answer = machine.post(PATH, row(register), format="json")

        assert answer.json()["errors"][0]["code"] == "inactive_meter"

    def test_refuses_too_large_a_batch(self, register, machine, settings):
        settings.READING_BATCH_LIMIT = 2

        answer = machine.post(PATH, [row(register)] * 3, format="json")

        assert (answer.status_code, answer.json()["code"]) == (413, "batch_too_large")

    def test_reads_naive_stamps_in_the_zone_of_the_source(self, register):
        client_of(scopes=[Scope.READINGS], zone="UTC").post(PATH, row(register, "2025-03-01T10:00:00"), format="json")

        assert RegisterReading.objects.get().time == datetime(2025, 3, 1, 10, tzinfo=UTC)

    def test_applies_the_label_convention_of_the_source(self, register):
        machine = client_of(scopes=[Scope.READINGS], label_convention="period_start")
        machine.post(PATH, row(register, "2025-03-01T09:30:00+08:00"), format="json")

        reading = RegisterReading.objects.get()
        assert (reading.time, reading.raw_stamp) == (
            datetime(2025, 3, 1, 2, tzinfo=UTC),
            "2025-03-01T09:30:00+08:00",
        )

    def test_needs_a_login(self, register):
        assert client_of().post(PATH, row(register), format="json").status_code in {401, 403}

    @pytest.mark.parametrize("role", [Role.CUSTOMER, Role.AGENT, Role.OPERATOR])
    def test_is_closed_to_people_who_are_not_staff(self, register, role):
        assert client_of(UserFactory(role=role)).post(PATH, row(register), format="json").status_code == 403

    def test_is_closed_to_keys_without_the_scope(self, register):
        answer = client_of(scopes=[Scope.QUERIES, Scope.ACCOUNTS]).post(PATH, row(register), format="json")

        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
        assert not RegisterReading.objects.exists()

    def test_is_open_to_managers(self, register):
        answer = client_of(UserFactory(role=Role.MANAGER)).post(PATH, row(register), format="json")

        assert answer.status_code == 201

    @pytest.mark.parametrize("late", [False, True])
    def test_costs_the_same_queries_for_one_row_and_for_many(self, machine, late):
        registers = [supplied_register() for _ in range(12)]
        first = [row(each, "2025-03-01T10:00:00+08:00") for each in registers]
        machine.post(PATH, first, format="json")
        hours = (8, 9) if late else (11, 12)

        counts = []
        for hour, rows in zip(hours, (registers[:1], registers), strict=True):
            batch = [row(each, f"2025-03-01T{hour:02}:00:00+08:00", 100 if late else 101) for each in rows]
            with CaptureQueriesContext(connection) as queries:
                assert machine.post(PATH, batch, format="json").json()["stored"] == len(rows)
            counts.append(len(queries))

        assert counts[0] == counts[1]


class TestMeterReadings:
    def test_are_listed_newest_first_in_pages(self, register, machine):
        machine.post(PATH, [row(register, f"2025-03-01T{hour:02}:00:00+08:00") for hour in range(5)], format="json")
        client = client_of(scopes=[Scope.QUERIES])

        first = client.get(f"/api/v1/meters/{register.meter.serial}/readings", {"page_size": 3}).json()
        second = client.get(first["next"]).json()

        stamps = [each["timestamp"] for page in (first, second) for each in page["results"]]
        assert [datetime.fromisoformat(stamp).astimezone(UTC).hour for stamp in stamps] == [20, 19, 18, 17, 16]
        assert second["next"] is None
        assert first["results"][0]["reading"] == 100.5

    def test_are_taken_for_the_meter_of_the_path(self, register, machine):
        answer = machine.post(
            f"/api/v1/meters/{register.meter.serial}/readings",
            {"timestamp": "2025-03-01T10:00:00+08:00", "reading": 5},
            format="json",
        )

        assert (answer.status_code, answer.json()["stored"]) == (201, 1)

    def test_of_somebody_else_do_not_exist(self, register):
        answer = client_of(UserFactory()).get(f"/api/v1/meters/{register.meter.serial}/readings")

        assert answer.status_code == 404

    def test_are_cut_to_the_time_of_supply(self, register, machine):
        binding = register.meter.installations.get().service_point.bindings.get()
        binding.valid = since(datetime(2025, 2, 28, 18, tzinfo=UTC), datetime(2025, 2, 28, 20, tzinfo=UTC))
        binding.save()
        user = AccountAccessFactory(account=binding.account).user
        machine.post(PATH, [row(register, f"2025-03-01T{hour:02}:00:00+08:00") for hour in range(9)], format="json")

        results = client_of(user).get(f"/api/v1/meters/{register.meter.serial}/readings").json()["results"]

        assert [datetime.fromisoformat(each["timestamp"]).astimezone(UTC).hour for each in results] == [20, 19, 18]
