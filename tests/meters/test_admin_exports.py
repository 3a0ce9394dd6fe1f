from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from accounts.actors import Actor
from meters.models import Job
from meters.services.readings import OfferedReading, receive_readings
from meters.tasks import run_job
from tests.factories import MeterFactory, supplied_register

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now", "uploads")]

LIST = reverse("admin:meters_meter_changelist")


@pytest.fixture
def register(now):
    made = supplied_register()
    last = now.replace(minute=0)
    rows = [
        OfferedReading(made.meter.serial, last - timedelta(minutes=30) * back, Decimal(1000 - back))
        for back in range(4)
    ]
    receive_readings(readings=rows, actor=Actor(), now=now)
    return made


def ask(client, *meters, **form):
    return client.post(LIST, {"action": "export_readings", "_selected_action": [meter.pk for meter in meters], **form})


class TestExportReadings:
    def test_asks_for_days_and_format_first(self, manager_client, register):
        answer = ask(manager_client, register.meter)

        assert "A file of 1 meter" in answer.text
        assert f'name="_selected_action" value="{register.meter.pk}"' in answer.text
        assert answer.context["form"].errors == {}
        assert not Job.objects.exists()

    @pytest.mark.parametrize("file_format", ["csv", "nem12", "greenbutton", "parquet"])
    def test_leads_to_the_job_that_writes_the_file(self, manager_client, register, file_format):
        answer = ask(manager_client, register.meter, first_day="2026-03-14", last_day="2026-03-15", format=file_format)
        job = Job.objects.get()
        run_job(job_id=str(job.pk))

        assert answer["Location"] == reverse("admin:meters_job_change", args=[job.pk])
        taken = manager_client.get(reverse("admin:meters_job_result", args=[job.pk]))
        assert len(b"".join(taken.streaming_content)) > 100

    def test_takes_all_that_the_filter_finds_when_all_are_selected(self, manager_client, register):
        MeterFactory.create_batch(3, status="maintenance")
        shown = register.meter

        ask(
            manager_client,
            shown,
            select_across="1",
            first_day="2026-03-14",
            last_day="2026-03-15",
            format="csv",
        )

        assert len(Job.objects.get().parameters["meter_ids"]) == 4

    def test_means_the_whole_of_the_last_day(self, manager_client, register):
        ask(manager_client, register.meter, first_day="2026-03-14", last_day="2026-03-14", format="csv")

        asked = Job.objects.get().parameters
        assert (asked["from"], asked["to"]) == ("2026-03-14T00:00:00", "2026-03-15T00:00:00")

    def test_wants_the_days_in_order(self, manager_client, register):
        answer = ask(manager_client, register.meter, first_day="2026-03-15", last_day="2026-03-14", format="csv")

        assert "It must not be before the first day." in answer.text
        assert not Job.objects.exists()

    def test_says_what_the_format_cannot_hold(self, manager_client):
        water = supplied_register(unit="m³").meter
        type(water).objects.filter(pk=water.pk).update(type="water")

        answer = ask(manager_client, water, first_day="2026-03-14", last_day="2026-03-15", format="nem12")

        assert answer.context["form"].non_field_errors()
        assert not Job.objects.exists()
