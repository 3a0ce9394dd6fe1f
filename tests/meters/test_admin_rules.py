"""Managers tune rules, rehearse them, and read corrections."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from accounts.actors import Actor
from meters.models import Correction, Job, Rehearsal, ValidationRule
from meters.services.corrections import correct_reading
from meters.services.jobs import run_job
from meters.services.readings import OfferedReading, receive_readings
from meters.services.rehearsals import run_rehearsal
from tests.factories import ValidationRuleFactory, supplied_register
from tests.meters.test_flagging import write

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 10, tzinfo=UTC)
HALF = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def spike():
    return ValidationRuleFactory(code="spike", thresholds={"percent": 180, "hours": 24, "percent_of_capacity": 10})


def page(row, act="change"):
    return reverse(f"admin:meters_{row._meta.model_name}_change", args=[row.pk]).replace("/change/", f"/{act}/")


def settings(**changes):
    shown = {"severity": "flag", "enabled": "on", "threshold_percent": "180", "threshold_hours": "24"}
    return shown | {"threshold_percent_of_capacity": "10"} | changes


class TestRules:
    def test_are_listed_with_units(self, manager_client, spike):
        listed = manager_client.get(reverse("admin:meters_validationrule_changelist")).text

        assert "180 %, 24 h, 10 % of capacity" in listed

    def test_ask_for_their_own_thresholds(self, manager_client, spike):
        form = manager_client.get(page(spike, "tune")).text

        assert "2 to 168 h." in form
        assert "threshold_weeks" not in form

    def test_are_set(self, manager_client, spike):
        answer = manager_client.post(page(spike, "tune"), settings(threshold_percent="250", severity="quarantine"))

        spike.refresh_from_db()
        assert (answer.status_code, spike.thresholds["percent"], spike.severity) == (302, 250, "quarantine")
        assert "quarantine" in manager_client.get(reverse("admin:meters_validationrule_history", args=[spike.pk])).text

    @pytest.mark.parametrize("wrong", [{"threshold_percent": "-1"}, {"threshold_hours": ""}, {"severity": "shout"}])
    def test_are_not_set_wrongly(self, manager_client, spike, wrong):
        answer = manager_client.post(page(spike, "tune"), settings(**wrong))

        assert answer.status_code == 200
        assert spike.thresholds == ValidationRule.objects.get(pk=spike.pk).thresholds

    def test_are_narrowed_and_removed_again(self, manager_client, spike):
        manager_client.post(page(spike, "narrow"), settings(commodity="water", service_class=""))
        narrow = ValidationRule.objects.get(code="spike", commodity="water")

        manager_client.post(page(narrow, "drop"))

        assert not ValidationRule.objects.filter(pk=narrow.pk).exists()
        assert page(spike, "drop") not in manager_client.get(page(spike)).text


class TestRehearsals:
    def test_show_what_they_found(self, manager_client, spike):
        register = supplied_register(meter__serial="SG-42")
        write(register, [1.0, 1.1, 2.7], start=NOW - timedelta(days=1))
        asked = manager_client.post(page(spike, "rehearse"), settings(threshold_percent="150", days="2"))
        rehearsal = Rehearsal.objects.get()
        before = manager_client.get(asked.url).text

        run_job(job_id=rehearsal.job_id, runners={Job.Kind.REHEARSAL: run_rehearsal}, now=NOW)

        after = manager_client.get(asked.url).text
        assert asked.url == page(rehearsal)
        assert "It is run now." in before
        assert "SG-42" in after
        assert "170 % above the third highest" in after
        assert manager_client.get(reverse("admin:meters_rehearsal_changelist")).status_code == 200
        assert "SG-42" in manager_client.get(reverse("admin:meters_rehearsal_found", args=[rehearsal.pk])).text

    def test_can_be_switched_on(self, manager_client, spike):
        manager_client.post(page(spike, "rehearse"), settings(threshold_percent="150", days="2"))

        manager_client.post(page(Rehearsal.objects.get(), "switch-on"))

        spike.refresh_from_db()
        assert spike.thresholds["percent"] == 150

    def test_are_not_offered_where_the_past_cannot_tell(self, manager_client, spike):
        off_mark = ValidationRuleFactory(code="off_mark", severity="reject")

        assert page(off_mark, "rehearse") not in manager_client.get(page(off_mark)).text
        assert page(spike, "rehearse") in manager_client.get(page(spike)).text


class TestCorrections:
    def test_tell_what_moved(self, manager_client):
        register = supplied_register()
        start = NOW - timedelta(days=1)
        readings = [OfferedReading(register.meter.serial, start + n * HALF, value) for n, value in enumerate((1, 3, 4))]
        receive_readings(readings=readings, actor=Actor(), now=NOW)
        midnight = datetime(2025, 3, 8, 16, tzinfo=UTC)
        correction = correct_reading(
            register=register, time=start + HALF, value=2, reason="Misread.", actor=Actor(), now=NOW
        )
        Correction.objects.update(
            touched={
                "unit": "kWh",
                "months": [],
                "days": [{"from": midnight.isoformat(), "to": NOW.isoformat(), "before": "77.5", "after": "76.25"}],
            }
        )

        shown = manager_client.get(page(correction)).text

        assert "77.5" in shown
        assert "76.25" in shown
        assert "Misread." in manager_client.get(reverse("admin:meters_correction_changelist")).text
