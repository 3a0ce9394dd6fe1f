"""What a manager does at the desk: read a place's history, and take a file of readings in."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from meters.models import Job, ReadingException, Register, RegisterReading, ServicePoint
from meters.tasks import run_job
from tests.browser.conftest import with_password
from tests.factories import ManagerFactory


@pytest.fixture
def manager(transactional_db):
    return with_password(ManagerFactory(name="Mona Manager"))


def work_off(kind: Job.Kind) -> Job:
    """Do what a worker would."""
    job = Job.objects.filter(kind=kind, status=Job.Status.QUEUED).get()
    run_job(job_id=str(job.pk))
    return job


class TestHistory:
    def test_is_read_and_narrowed_down_by_keyboard(self, anywhere, household, manager):
        page = anywhere.page
        place = ServicePoint.objects.get(bindings__account=household.account)
        register = Register.objects.get(meter__installations__service_point=place)
        now = timezone.now()
        for number in range(30):
            at = now - timedelta(hours=number)
            ReadingException.objects.create(register=register, time=at, code="high", opened_at=at)
        anywhere.log_in(manager, "**/admin/")

        anywhere.open(reverse("admin:meters_servicepoint_change", args=[place.pk]))
        expect(page.get_by_role("heading", name="Last seven days")).to_be_visible()
        expect(page.locator(".portal-history > li")).to_have_count(25)
        anywhere.expect_sound()

        page.get_by_role("link", name="Older", exact=True).press("Enter")
        expect(page.get_by_text("Mei Ling Tan moved in")).to_be_visible()
        accounts = page.get_by_role("link", name="Accounts", exact=True)
        accounts.press("Enter")
        expect(page.locator(".portal-history > li")).to_have_count(1)
        expect(accounts).to_be_focused()
        expect(accounts).to_have_attribute("aria-current", "true")
        anywhere.expect_sound()

        page.get_by_role("link", name="Change multiplier").first.press("Enter")
        expect(page.get_by_role("heading", name="Change a multiplier")).to_be_visible()
        anywhere.expect_sound()


class TestImport:
    def test_leads_from_the_file_over_its_dry_run_to_the_readings(self, anywhere, household, manager, tmp_path):
        page = anywhere.page
        register = Register.objects.get(meter__installations__service_point__bindings__account=household.account)
        newest = RegisterReading.objects.filter(register=register).latest("time")
        before = RegisterReading.objects.count()
        file = tmp_path / "reads.csv"
        missing = timezone.localtime(newest.time - timedelta(days=1)).isoformat()
        file.write_text(f"serial,time,value\n{register.meter.serial},{missing},{newest.value}\nSG-NOPE,{missing},1\n")
        anywhere.log_in(manager, "**/admin/")
        anywhere.open("/admin/")
        anywhere.expect_sound()

        anywhere.open(reverse("admin:meters_job_import_readings"))
        anywhere.expect_sound()
        page.locator("input[type=file]").set_input_files(file)
        page.get_by_role("button", name="Upload", exact=True).click()
        page.wait_for_url("**/change/")
        expect(page.get_by_role("heading", name="Import readings queued")).to_be_visible()
        work_off(Job.Kind.IMPORT_READINGS)

        expect(page.get_by_role("cell", name="unknown_meter").first).to_be_visible()
        anywhere.expect_sound()
        with page.expect_download() as download:
            page.get_by_role("link", name="Problems as CSV").click()
        assert "SG-NOPE" in Path(download.value.path()).read_text(encoding="utf-8-sig")
        assert RegisterReading.objects.count() == before

        page.get_by_role("button", name="Take the file in").click()
        page.wait_for_url("**/change/")
        work_off(Job.Kind.IMPORT_READINGS)
        expect(page.get_by_role("cell", name="unknown_meter").first).to_be_visible()
