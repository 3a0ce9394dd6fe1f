"""Archived months of readings in a backup: copied, practised, restored, and never half."""

import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError

from accounts.actors import PORTAL
from energy_portal.management.safekeeping import backup as backing_up
from energy_portal.management.safekeeping.folders import copy_folder
from meters import store
from meters.models import ArchivedMonth, RegisterReading, RegisterState
from meters.services.archive_runs import archive_and_prepare
from meters.services.archiving import ArchiveBusy
from meters.store.reads import readings_within
from tests.factories import RegisterFactory
from tests.safekeeping.acts import FEBRUARY, ISSUED_AT, MARCH, differences, run, run_json

# pg_dump sees what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


class TestArchivedMonths:
    @pytest.fixture
    def archived(self, bill):
        """Archive February, of which 4 readings are, and all of a register that was silent since."""
        silent = RegisterFactory()
        last = datetime(2025, 2, 27, tzinfo=UTC)
        RegisterReading.objects.create(register=silent, time=last, value=Decimal(7), received_at=last)
        RegisterState.objects.create(register=silent, last_time=last, last_value=Decimal(7))
        archive_and_prepare(actor=PORTAL, now=datetime(2025, 5, 2, tzinfo=UTC), until=MARCH, wait_seconds=5)
        return ArchivedMonth.objects.get(low__date=FEBRUARY)

    def test_are_backed_up_drilled_and_restored(self, archived, settings, tmp_path):
        def answers():
            windows = [store.Window(register, ISSUED_AT - timedelta(days=30), ISSUED_AT) for register in registers]
            return readings_within(windows, [])

        registers = RegisterState.objects.values_list("register_id", flat=True)
        before = answers()
        run("backup", tmp_path / "backup")
        drilled = run_json("restore_drill", tmp_path / "backup")
        shutil.rmtree(settings.ARCHIVE_DIR)
        ArchivedMonth.objects.all().delete()

        run("restore", tmp_path / "backup", "--force", "--drop-old")

        assert drilled["passed"]
        assert {check["name"]: check["compared"] for check in drilled["checks"]}["Archived files"] == 1
        assert answers() == before
        assert len(before) == 8

    @pytest.mark.parametrize("damage", ["is missing", "was changed"])
    def test_are_not_left_out_of_a_backup(self, damage, archived, settings, tmp_path):
        file = settings.ARCHIVE_DIR / archived.path
        if damage == "is missing":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes() + b"more")

        with pytest.raises(CommandError, match=damage):
            run("backup", tmp_path / "backup")

    def test_that_lack_a_newest_reading_fail_the_drill(self, archived, tmp_path):
        RegisterState.objects.filter(last_value=7).update(last_value=8)
        run("backup", tmp_path / "backup")

        (found,) = differences(tmp_path / "backup").values()

        assert "its newest reading, 8" in found[0]

    def test_that_hold_other_rows_than_recorded_fail_the_drill(self, archived, tmp_path):
        ArchivedMonth.objects.update(rows=99)
        run("backup", tmp_path / "backup")

        (found,) = differences(tmp_path / "backup").values()

        assert "99 rows were archived, 5 are there" in found[0]

    def test_do_not_move_while_a_backup_is_taken(self, bill, monkeypatch, tmp_path):
        """Archive, and be refused, between the dump and the copy of the files."""
        refused = []

        def copy_late(source, *arguments, **options):
            if not refused:
                with pytest.raises(ArchiveBusy):
                    archive_and_prepare(actor=PORTAL, now=datetime(2025, 5, 2, tzinfo=UTC), until=MARCH, wait_seconds=0)
                refused.append(source)
            return copy_folder(source, *arguments, **options)

        monkeypatch.setattr(backing_up, "copy_folder", copy_late)
        run("backup", tmp_path / "backup")

        assert refused
        assert RegisterReading.objects.count() == 8
        assert run_json("restore_drill", tmp_path / "backup")["passed"]
        assert not [path for path in (tmp_path / "backup").rglob("*") if path.suffix == ".part"]
