"""Archived days of samples in a backup: copied with what is recorded of them, practised, and restored."""

import json
import shutil
from contextlib import nullcontext
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.actors import PORTAL
from energy_portal.management.safekeeping import command as commands
from meters.devices.models import ArchivedDay
from meters.devices.services.retention import archive_days
from tests.factories import AdminFactory, DeviceFactory
from tests.meters.devices.days import NOW, TOLD, UNTIL, answered, drop_days, rolled_up, tell

# pg_dump sees what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folders(settings, tmp_path, monkeypatch):
    # The suite's server runs; a home of one's own would start another.
    for services in ("services_at_hand", "services_alone"):
        monkeypatch.setattr(commands, services, nullcontext)
    settings.PORTAL_HOME = tmp_path / "home"
    settings.UPLOAD_DIR = tmp_path / "home" / "media"
    settings.ARCHIVE_DIR = tmp_path / "home" / "archive"


@pytest.fixture
def device():
    """Make a device of whose three days two are archived."""
    drop_days()
    AdminFactory()
    device = DeviceFactory()
    tell(device)
    rolled_up()
    archive_days(actor=PORTAL, now=NOW, until=UNTIL, wait_seconds=5)
    return device


def run(command, folder, *arguments):
    said = StringIO()
    call_command(command, str(folder), *arguments, stdout=said)
    return said.getvalue()


class TestArchivedDays:
    def test_are_backed_up_drilled_and_restored(self, device, settings, tmp_path):
        run("backup", tmp_path / "backup")
        drilled = json.loads(run("restore_drill", tmp_path / "backup", "--json"))
        shutil.rmtree(settings.ARCHIVE_DIR)
        ArchivedDay.objects.all().delete()

        run("restore", tmp_path / "backup", "--force", "--drop-old")

        assert drilled["passed"]
        assert {check["name"]: check["compared"] for check in drilled["checks"]}["Archived files"] == 2
        assert [row.power_w for row in answered(device)] == TOLD

    def test_are_not_left_out_of_a_backup(self, device, settings, tmp_path):
        (settings.ARCHIVE_DIR / ArchivedDay.objects.earliest("day").file).unlink()

        with pytest.raises(CommandError, match="is missing"):
            run("backup", tmp_path / "backup")

    def test_that_hold_other_rows_than_recorded_fail_the_drill(self, device, tmp_path):
        day = ArchivedDay.objects.earliest("day")
        ArchivedDay.objects.filter(pk=day.pk).update(manifest={**day.manifest, "digest": "1"})
        run("backup", tmp_path / "backup")

        with pytest.raises(CommandError, match="differences"):
            run("restore_drill", tmp_path / "backup", "--json")
