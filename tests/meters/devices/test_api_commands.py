"""The paths that switch devices."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.roles import Role, Scope
from meters.devices.models import Command, Device
from meters.devices.services.commands import send_command
from tests.factories import AccountAccessFactory, ManagerFactory, UserFactory
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 11, 4, tzinfo=UTC)
PATH = "/api/v1/devices/plug-1/commands"


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture(autouse=True)
def device():
    return Device.objects.create(device_id="plug-1")


@pytest.fixture
def machine():
    return client_of(scopes=[Scope.DEVICES])


class TestSend:
    def test_answers_as_published_with_the_commands_id(self, machine):
        answer = machine.post("/send", {"device_id": "plug-1", "switch": True}, format="json")

        command = Command.objects.get()
        assert (answer.status_code, answer.json()) == (200, {"status": "command sent", "id": str(command.pk)})
        assert command.source is not None

    def test_is_carried_out_once_a_key(self, machine):
        answers = [
            machine.post(
                "/send", {"device_id": "plug-1", "switch": True}, format="json", headers={"Idempotency-Key": "k"}
            )
            for _ in range(2)
        ]

        assert answers[0].json() == answers[1].json()
        assert Command.objects.count() == 1

    def test_refuses_a_critical_load(self, machine):
        Device.objects.update(is_critical=True)

        answer = machine.post("/send", {"device_id": "plug-1", "switch": False}, format="json")

        assert (answer.status_code, answer.json()["code"]) == (409, "critical_load")

    def test_asks_a_machine_for_its_scope(self):
        answer = client_of(scopes=[Scope.READINGS]).post(
            "/send", {"device_id": "plug-1", "switch": True}, format="json"
        )

        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")

    def test_asks_for_a_login(self):
        assert client_of().post("/send", {"device_id": "plug-1", "switch": True}, format="json").status_code == 401


class TestDeviceCommands:
    def test_are_asked_for_with_a_lifetime(self):
        answer = client_of(ManagerFactory(email="mei@example.org")).post(
            PATH, {"switch": False, "expires_seconds": 5}, format="json"
        )

        assert answer.status_code == 201
        assert answer.headers["Location"].endswith(PATH)
        told = answer.json()
        assert (told["device_id"], told["switch"], told["status"], told["asked_by"]) == (
            "plug-1",
            False,
            "queued",
            "mei@example.org",
        )
        assert told["expires_at"] == "2025-03-11T12:00:05+08:00"
        assert [step["status"] for step in told["steps"]] == ["queued"]

    def test_are_listed_with_their_ledgers_the_newest_first(self, machine):
        for switch in (True, False):
            machine.post(PATH, {"switch": switch}, format="json")

        rows = machine.get(PATH).json()["results"]

        assert {row["switch"]: [step["status"] for step in row["steps"]] for row in rows} == {
            False: ["queued"],
            True: ["queued", "failed"],
        }

    def test_cost_the_same_number_of_queries_however_many_they_are(self, machine):
        def queries():
            with CaptureQueriesContext(connection) as captured:
                machine.get(PATH)
            return len(captured)

        send_command(device_id="plug-1", switch=True, actor=PORTAL, now=NOW)
        one = queries()
        for _ in range(4):
            send_command(device_id="plug-1", switch=True, actor=PORTAL, now=NOW)

        assert queries() == one

    @pytest.mark.parametrize(("right", "expected"), [("administer", 201), ("view", 403)])
    def test_of_a_customer_need_the_right_to_administer(self, right, expected):
        access = AccountAccessFactory(right=right)
        Device.objects.update(account=access.account)
        client = client_of(access.user)

        assert client.post(PATH, {"switch": True}, format="json").status_code == expected
        assert client.get(PATH).status_code == 200

    @pytest.mark.parametrize("role", [Role.CUSTOMER, Role.AGENT])
    def test_of_somebody_elses_device_are_not_to_be_found(self, role):
        client = client_of(UserFactory(role=role))

        assert client.get(PATH).json()["code"] == "unknown_device"
        assert client.post(PATH, {"switch": True}, format="json").status_code == 404
