"""Faults and appliances on the managers' pages."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from meters.insights.models import Appliance, Fault
from tests.factories import CustomerAccountFactory, DeviceFactory, UserFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
FAULTS = "admin:insights_fault_changelist"
EVIDENCE = {
    "figures": {"usual_run_seconds": 720},
    "chart": {
        "power_w": [[0, 90.0], [60, 91.0], [120, None], [180, 88.0], [240, 90.0]],
        "usual_w": [[0, 45], [240, 45]],
    },
}


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def appliance():
    device = DeviceFactory(name="Fridge", account=CustomerAccountFactory(number="A-77"))
    return Appliance.objects.create(device=device, kind="refrigerator", standing="watched", baseline={"x": 1})


@pytest.fixture
def fault(appliance):
    return Fault.objects.create(
        appliance=appliance,
        kind="stuck_on",
        severity="critical",
        began_at=NOW - timedelta(hours=3),
        detected_at=NOW,
        cause="It has run for three hours.",
        advice="Look at the thermostat.",
        evidence=EVIDENCE,
        subject_kind="device",
        subject=appliance.device.device_id,
        label="Fridge",
        account=appliance.device.account,
    )


class TestFaults:
    def test_are_listed_and_shown_with_their_evidence(self, manager_client, fault):
        listed = manager_client.get(reverse(FAULTS)).content.decode()
        shown = manager_client.get(reverse("admin:insights_fault_change", args=[fault.pk])).content.decode()

        assert "It has run for three hours." in listed
        assert shown.count("<polyline") == 2
        assert "Usual run (s): 720" in shown
        assert "A-77" in shown

    def test_keep_customers_from_operators(self, fault):
        client = Client()
        client.force_login(UserFactory(role=Role.OPERATOR))

        shown = client.get(reverse("admin:insights_fault_change", args=[fault.pk]))

        assert shown.status_code == 200
        assert "A-77" not in shown.content.decode()

    def test_are_acknowledged(self, manager_client, manager, fault):
        path = reverse("admin:insights_fault_acknowledge", args=[fault.pk])

        manager_client.get(path)
        manager_client.post(path, {"note": "Called."})

        fault.refresh_from_db()
        assert (fault.state, fault.acknowledged_by, fault.note) == ("acknowledged", manager, "Called.")

    @pytest.mark.parametrize(("standing", "count"), [("waiting", 1), ("open", 1), ("over", 0)])
    def test_are_found_by_their_standing(self, manager_client, fault, standing, count):
        page = manager_client.get(reverse(FAULTS), {"standing": standing})

        assert page.context["cl"].result_count == count


class TestAppliances:
    @pytest.mark.parametrize(("act", "standing"), [("learn_again", "learning"), ("watch_no_more", "removed")])
    def test_are_learnt_again_or_watched_no_more(self, manager_client, appliance, act, standing):
        path = reverse("admin:insights_appliance_changelist")

        manager_client.post(path, {"action": act, "_selected_action": [appliance.pk]})

        appliance.refresh_from_db()
        assert appliance.standing == standing
