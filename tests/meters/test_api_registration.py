from datetime import UTC, datetime

import pytest

from accounts.actors import Actor
from accounts.models import CustomerAccount, FamilyMember
from accounts.roles import Role, Scope
from meters.models import Binding, Meter, RegisterReading, RegistrationRequest
from meters.services import registration
from meters.services.registration import confirm_request, decline_request
from tests.factories import CustomerAccountFactory, ManagerFactory, MeterFactory, UserFactory, since, supplied_register
from tests.meters.helpers import client_of

NOW = datetime(2025, 3, 15, 4, 10, tzinfo=UTC)
PATH = "/register_account"
BODY = {
    "account_id": "A-1001",
    "owner_name": "Tan Wei Ming",
    "email": "weiming@example.org",
    "address": "12 Clementi Road",
    "time_zone": "Asia/Singapore",
    "meter_ids": ["SG-900001", "SG-900002"],
    "family_members": [{"name": "Tan Li Na", "relationship": "spouse"}],
}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def machine():
    return client_of(scopes=[Scope.ACCOUNTS, Scope.READINGS])


def register(client, **changes):
    return client.post(PATH, {**BODY, **changes}, format="json")


class TestRegisterAccount:
    def test_binds_meters_for_a_key_with_the_scope(self, machine):
        answer = register(machine)

        assert answer.status_code == 201
        assert answer.json() == {"account_id": "A-1001", "meters": ["SG-900001", "SG-900002"], "status": "active"}
        account = CustomerAccount.objects.get()
        assert (account.owner_name, account.zone) == ("Tan Wei Ming", "Asia/Singapore")
        assert [str(member) for member in account.family_members.all()] == ["Tan Li Na (spouse)"]
        assert account.bindings.count() == 2
        assert set(Meter.objects.values_list("serial", "status")) == {("SG-900001", "active"), ("SG-900002", "active")}

    def test_binds_meters_for_a_manager(self):
        assert register(client_of(UserFactory(role=Role.MANAGER))).status_code == 201

    def test_writes_on_a_meter_where_it_is_found(self, machine):
        MeterFactory(serial=BODY["meter_ids"][0], address="The shed behind the house")

        register(machine)

        addresses = Meter.objects.order_by("serial").values_list("address", flat=True)
        assert list(addresses) == ["The shed behind the house"] + [BODY["address"]] * (len(BODY["meter_ids"]) - 1)

    def test_lets_readings_of_months_ago_in(self, machine):
        register(machine)

        machine.post(
            "/receive_meter_reading",
            {"meter_id": "SG-900001", "timestamp": "2025-01-31T23:59:00+08:00", "reading": 12.5},
            format="json",
        )

        assert RegisterReading.objects.count() == 1

    def test_changes_nothing_when_repeated(self, machine):
        first, second = register(machine), register(machine)

        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert (CustomerAccount.objects.count(), Binding.objects.count(), FamilyMember.objects.count()) == (1, 2, 1)

    @pytest.mark.parametrize("changes", [{"owner_name": "Somebody Else"}, {"meter_ids": ["SG-900001"]}])
    def test_refuses_an_account_that_exists_otherwise(self, machine, changes):
        register(machine)

        answer = register(machine, **changes)

        assert (answer.status_code, answer.json()["code"]) == (409, "account_exists")

    def test_refuses_a_meter_that_supplies_somebody_else_and_registers_nothing(self, machine):
        bound = supplied_register().meter

        answer = register(machine, meter_ids=["SG-900001", bound.serial])

        assert (answer.status_code, answer.json()["code"]) == (409, "meter_bound")
        assert not CustomerAccount.objects.filter(number="A-1001").exists()
        assert not Meter.objects.filter(serial="SG-900001").exists()

    def test_gives_a_meter_whose_account_has_left_from_now_on(self, machine):
        bound = supplied_register()
        binding = Binding.objects.get()
        binding.valid = since(binding.valid.lower, datetime(2025, 3, 1, tzinfo=UTC))
        binding.save()

        answer = register(machine, meter_ids=[bound.meter.serial])

        assert answer.status_code == 201
        assert CustomerAccount.objects.get(number="A-1001").bindings.get().valid.lower == NOW

    @pytest.mark.parametrize(
        "client",
        [
            client_of,
            lambda: client_of(UserFactory()),
            lambda: client_of(scopes=[Scope.READINGS]),
            lambda: client_of(UserFactory(role=Role.OPERATOR)),
        ],
    )
    def test_of_anybody_else_is_a_request_that_binds_nothing(self, client):
        answer = register(client())

        assert answer.status_code == 202
        assert answer.json()["status"] == "pending"
        assert (CustomerAccount.objects.count(), Binding.objects.count()) == (0, 0)
        assert set(Meter.objects.values_list("status", flat=True)) == {"pending"}
        assert str(RegistrationRequest.objects.get().pk) == answer.json()["request_id"]

    def test_asked_for_twice_is_one_request(self):
        assert register(client_of()).json() == register(client_of()).json()
        assert RegistrationRequest.objects.count() == 1

    def test_asked_for_tells_nothing_of_others(self):
        CustomerAccountFactory(number="A-1001")
        bound = supplied_register().meter

        assert register(client_of(), meter_ids=[bound.serial]).status_code == 202

    def test_answers_a_repeated_key_as_it_did_at_first(self, machine):
        first, second = (machine.post(PATH, BODY, format="json", headers={"Idempotency-Key": "once"}) for _ in range(2))

        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert Binding.objects.count() == 2

    def test_of_pending_meters_makes_them_active(self, machine):
        register(client_of())

        register(machine)

        assert set(Meter.objects.values_list("status", flat=True)) == {"active"}

    def test_refuses_a_meter_for_water(self, machine):
        MeterFactory(serial="W-1", type="water")

        answer = register(machine, meter_ids=["W-1"])

        assert (answer.status_code, answer.json()["code"]) == (422, "not_electric")

    @pytest.mark.parametrize(
        "changes",
        [
            {"meter_ids": []},
            {"meter_ids": ["SG-1", "SG-1"]},
            {"meter_ids": [f"SG-{n}" for n in range(201)]},
            {"meter_ids": ["x" * 65]},
            {"meter_ids": [{"a": 1}]},
            {"meter_ids": "SG-1"},
            {"account_id": ""},
            {"account_id": "x" * 41},
            {"owner_name": "x" * 151},
            {"email": "nobody"},
            {"time_zone": "Mars/Base"},
            {"time_zone": "../etc/passwd"},
            {"family_members": [{"name": "A"}]},
            {"family_members": [{"name": "A", "relationship": "x" * 51}]},
            {"supplied_since": "yesterday"},
        ],
    )
    @pytest.mark.parametrize("authorised", [True, False])
    def test_refuses_what_breaks_a_rule_with_a_problem(self, machine, changes, authorised):
        answer = register(machine if authorised else client_of(), **changes)

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
        assert answer.json()["errors"]
        assert not Meter.objects.exists()

    def test_refuses_a_body_that_is_not_an_object(self, machine):
        assert machine.post(PATH, [1], format="json").status_code == 400


class TestRegistrationRequest:
    @pytest.fixture
    def request_id(self):
        return register(client_of()).json()["request_id"]

    @pytest.fixture
    def manager(self):
        return Actor(user=ManagerFactory())

    def test_registers_once_a_manager_confirms(self, request_id, manager):
        account = confirm_request(request_id=request_id, actor=manager, now=NOW)

        assert account.bindings.count() == 2
        request = RegistrationRequest.objects.get()
        assert (request.status, request.account, request.decided_by) == ("confirmed", account, manager.user)

    def test_binds_nothing_when_declined(self, request_id, manager):
        decline_request(request_id=request_id, actor=manager, now=NOW, note="unknown")

        assert not Binding.objects.exists()
        assert RegistrationRequest.objects.get().note == "unknown"

    @pytest.mark.parametrize("decide", [confirm_request, decline_request])
    def test_is_decided_once(self, request_id, manager, decide):
        decide(request_id=request_id, actor=manager, now=NOW)

        with pytest.raises(registration.AlreadyDecided):
            confirm_request(request_id=request_id, actor=manager, now=NOW)

    def test_stays_open_when_it_cannot_be_carried_out(self, request_id, manager):
        CustomerAccountFactory(number="A-1001")

        with pytest.raises(registration.AccountExists):
            confirm_request(request_id=request_id, actor=manager, now=NOW)

        assert RegistrationRequest.objects.get().status == "open"
