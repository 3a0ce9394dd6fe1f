"""Faults over the API: who sees which, who may acknowledge one, and who says what hangs behind a device."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.roles import Role, Scope
from meters.insights.models import Appliance, Fault
from tests.factories import AccountAccessFactory, DeviceFactory, ManagerFactory, UserFactory
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def access():
    return AccountAccessFactory(right="administer")


@pytest.fixture
def device(access):
    return DeviceFactory(device_id="fridge", account=access.account)


def fault_of(device, **more):
    appliance, _ = Appliance.objects.get_or_create(device=device, defaults={"kind": "refrigerator"})
    told = {"kind": "stuck_on", "severity": "critical", "began_at": NOW - timedelta(hours=3), "detected_at": NOW}
    whose = {"subject_kind": "device", "subject": device.device_id, "label": "Fridge", "account": device.account}
    return Fault.objects.create(
        appliance=appliance, cause="It runs.", advice="Look.", note="Rang.", **whose, **told | more
    )


class TestList:
    @pytest.fixture(autouse=True)
    def faults(self, device):
        fault_of(device)
        fault_of(device, kind="power_drift", state="closed", severity="info", closed_at=NOW)
        fault_of(DeviceFactory(device_id="kettle"))

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("", 3),
            ("?open=true", 2),
            ("?state=closed", 1),
            ("?kind=power_drift", 1),
            ("?severity=critical", 2),
            ("?device_id=kettle", 1),
            ("?appliance=kettle", 0),
            ("?detected_until=2025-03-01T12:00:00Z", 0),
        ],
    )
    def test_is_filtered(self, query, count):
        found = client_of(ManagerFactory()).get(f"/api/v1/faults{query}").json()["results"]

        assert len(found) == count

    def test_shows_each_role_what_is_theirs(self, access):
        callers = (access.user, UserFactory(role=Role.OPERATOR), UserFactory())

        counts = [len(client_of(user).get("/api/v1/faults").json()["results"]) for user in callers]

        assert counts == [2, 3, 0]
        assert len(client_of(scopes=[Scope.QUERIES]).get("/api/v1/faults").json()["results"]) == 3

    def test_keeps_from_customers_what_staff_says(self, access):
        row = client_of(access.user).get("/api/v1/faults").json()["results"][0]

        assert row["note"] == ""
        assert row["account"] == access.account.number

    def test_asks_a_constant_number_of_queries(self, django_assert_max_num_queries):
        for number in range(5):
            fault_of(DeviceFactory(device_id=f"more-{number}"))
        client = client_of(ManagerFactory())

        with django_assert_max_num_queries(4):
            client.get("/api/v1/faults")


class TestOne:
    def test_tells_its_evidence(self, device, access):
        fault = fault_of(device, evidence={"figures": {"hours": 3}})

        found = client_of(access.user).get(f"/api/v1/faults/{fault.pk}").json()

        assert (found["device_id"], found["appliance"], found["evidence"]) == (
            "fridge",
            "refrigerator",
            {"figures": {"hours": 3}},
        )

    def test_is_not_there_for_others(self, device):
        fault = fault_of(device)

        answer = client_of(UserFactory()).get(f"/api/v1/faults/{fault.pk}")

        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_fault")

    def test_is_acknowledged_once(self, device, access):
        fault = fault_of(device)
        path = f"/api/v1/faults/{fault.pk}/acknowledge"

        first = client_of(access.user).post(path, {"note": "I call."}, format="json")
        other = client_of(ManagerFactory()).post(path, {}, format="json")

        assert (first.status_code, first.json()["state"]) == (200, "acknowledged")
        assert (other.status_code, other.json()["code"]) == (409, "fault_already_acknowledged")


class TestAppliance:
    def test_is_told_and_taken_back(self, device, access):
        client, path = client_of(access.user), "/api/v1/devices/fridge/appliance"

        answers = [
            client.get(path),
            client.put(path, {"kind": "refrigerator"}, format="json"),
            client.get(path),
            client.delete(path),
            client.get(path),
        ]

        assert [answer.status_code for answer in answers] == [404, 200, 200, 204, 404]
        assert answers[2].json()["standing"] == "learning"

    def test_is_of_a_kind_that_is_known(self, device, access):
        answer = client_of(access.user).put("/api/v1/devices/fridge/appliance", {"kind": "piano"}, format="json")

        assert answer.status_code == 400

    def test_is_not_told_to_others(self, device):
        assert client_of(UserFactory()).get("/api/v1/devices/fridge/appliance").status_code == 404
