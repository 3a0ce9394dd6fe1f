from datetime import UTC, datetime

import pytest
from django.urls import reverse

from accounts.models import AuditEntry
from meters.models import RegisterReading
from tests.factories import AdminFactory, ManagerFactory, RegisterFactory, UserFactory, supplied_register
from tests.meters.helpers import client_of
from tests.meters.test_estimating import after, offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def register():
    made = supplied_register()
    offer(made, (after(0), 100), (after(2), 104))
    return made


def ask(client, of, start=0, end=2, **more):
    url = reverse("meters:api_meter_estimates", args=[of.meter.serial])
    return client.post(url, {"from": after(start).isoformat(), "to": after(end).isoformat(), **more}, format="json")


class TestMeterEstimates:
    def test_tells_what_was_estimated_and_how(self, register):
        answer = ask(client_of(ManagerFactory()), register)

        assert answer.status_code == 200
        body = answer.json()
        (of_register,) = body["registers"]
        (gap,) = of_register["gaps"]
        assert (body["meter_id"], body["entered"], of_register["register"]) == (register.meter.serial, 3, "1.8.0")
        assert [(each["reading"], each["quality"]) for each in gap["estimates"]] == [(101, 9), (102, 9), (103, 9)]
        assert (gap["refused"], gap["detail"]) == (None, None)
        assert datetime.fromisoformat(gap["from"]) == after(0)
        assert RegisterReading.objects.filter(quality=9).count() == 3

    def test_changes_nothing_when_it_is_asked_again(self, register):
        client = client_of(AdminFactory())
        ask(client, register)

        assert ask(client, register).json()["entered"] == 0

    def test_is_audited_under_who_asked(self, register):
        manager = ManagerFactory()

        ask(client_of(manager), register)

        assert AuditEntry.objects.get(action="register.estimated").user == manager

    def test_says_why_a_gap_was_left(self):
        register = supplied_register()
        offer(register, (after(0), 100))

        gap = ask(client_of(ManagerFactory()), register, 0, 24).json()["registers"][0]["gaps"][0]

        assert (gap["refused"], gap["estimates"], gap["to"]) == ("no_like_day", [], None)

    def test_keeps_to_the_register_that_is_named(self, register):
        other = RegisterFactory(meter=register.meter, code="2.8.0", direction="export")
        offer(other, (after(0), 1), (after(2), 2))

        ask(client_of(ManagerFactory()), register, register="2.8.0")

        assert set(RegisterReading.objects.filter(quality=9).values_list("register", flat=True)) == {other.pk}

    @pytest.mark.parametrize(
        ("more", "status", "code"),
        [
            ({"register": "9.9.9"}, 404, "no_such_register"),
            ({"to": "1990-01-01T00:00:00Z"}, 422, "nothing_to_estimate"),
            ({"from": "1990-01-01T00:00:00Z", "to": "1990-01-02T00:00:00Z"}, 422, "nothing_to_estimate"),
            ({"from": "2025-01-01T00:00:00Z", "to": "2025-12-01T00:00:00Z"}, 422, "nothing_to_estimate"),
            ({"from": None}, 400, "null"),
        ],
    )
    def test_refuses_what_cannot_be(self, register, time_machine, more, status, code):
        time_machine.move_to(datetime(2026, 1, 1, tzinfo=UTC))

        answer = ask(client_of(ManagerFactory()), register, **more)

        assert answer.status_code == status
        assert code in answer.content.decode()

    def test_is_for_managers_and_admins(self, register):
        assert ask(client_of(UserFactory()), register).status_code == 403
        assert ask(client_of(scopes=["readings", "queries"]), register).status_code == 403
        assert ask(client_of(), register).status_code == 401
        assert not RegisterReading.objects.filter(quality=9).exists()
