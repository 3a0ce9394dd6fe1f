"""Backup, restore and drill against a real server: whole round trips, and each way that they may not end."""

import json
import shutil
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from django.core.management import CommandError
from django.db import DatabaseError

from accounts.models import CustomerAccount
from billing.models import Bill
from energy_portal.embedded.home import Home
from energy_portal.management.safekeeping import backup as backing_up
from energy_portal.management.safekeeping import command as commands
from energy_portal.management.safekeeping import programs
from energy_portal.management.safekeeping import restore as restoring
from energy_portal.management.safekeeping.server import Server
from energy_portal.management.services import services_alone
from meters import store
from meters.models import ChainEvent, RegisterReading, RegisterState
from meters.series.partitions import list_partitions
from tests.factories import CustomerAccountFactory, ServicePointFactory, singapore_bill
from tests.safekeeping.acts import (
    FEBRUARY,
    ISSUED_AT,
    MARCH,
    PHOTO,
    databases,
    differences,
    readings,
    run,
    run_json,
    tamper,
)

# pg_dump sees what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def any_backup(shelf, tmp_path, request):
    """Return a copy of one backup for all tests that get no further than its files."""
    if not (shelf / "backup").exists():
        request.getfixturevalue("bill")
        run("backup", shelf / "backup")
    return shutil.copytree(shelf / "backup", tmp_path / "backup")


class TestBackup:
    def test_states_what_it_holds(self, backup, bill):
        manifest = json.loads((backup / "manifest.json").read_text())

        inventory = manifest["inventory"]
        assert inventory["rows"]["meters_registerreading_y2025m02"] == 4
        assert inventory["rows"]["meters_registerreading_y2025m03"] == 4
        assert inventory["newest_readings"]["newest"] == "2025-03-02T12:00:00+00:00"
        assert inventory["bills"] == [
            {
                "month": "2025-02", "status": "issued", "currency": "SGD", "bills": 1,
                "subtotal": "89.32", "tax": "7.15", "total": "96.47",
            }
        ]  # fmt: skip
        assert "media/photos/dial.jpg" in manifest["files"]
        assert "secret-key" not in manifest["files"]

    def test_counts_and_dumps_the_same_instant(self, bill, monkeypatch, tmp_path):
        def find_late(name, **version):
            CustomerAccountFactory()
            return programs.find_program(name, **version)

        monkeypatch.setattr(backing_up, "find_program", find_late)
        run("backup", tmp_path / "backup")

        assert CustomerAccount.objects.count() == 2
        assert run_json("restore_drill", tmp_path / "backup")["passed"]

    def test_refuses_a_folder_that_is_not_empty(self, tmp_path):
        (tmp_path / "backup").mkdir()
        (tmp_path / "backup" / "mine").write_text("keep")

        with pytest.raises(CommandError, match="not empty"):
            run("backup", tmp_path / "backup")

        assert [path.name for path in (tmp_path / "backup").iterdir()] == ["mine"]

    def test_refuses_a_folder_inside_what_it_copies(self, media):
        with pytest.raises(CommandError, match="itself backed up"):
            run("backup", media / "backup")

    def test_leaves_the_folder_empty_when_it_fails(self, media, tmp_path):
        (media / "elsewhere").symlink_to(tmp_path)

        with pytest.raises(CommandError, match="link to a folder"):
            run("backup", tmp_path / "backup")

        assert not list((tmp_path / "backup").iterdir())

    def test_refuses_programs_older_than_the_server(self, monkeypatch, tmp_path):
        program = tmp_path / "pg_dump"
        program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("DATABASE_URL", "postgresql://a-real-server/portal")

        with pytest.raises(programs.SafekeepingFailed, match="older than the server"):
            programs.find_program("pg_dump", server_major=15)


class TestRestore:
    def test_brings_back_readings_bills_and_files(self, backup, bill, media, settings):
        held, partitions = readings(), list_partitions(store.REGISTER_READINGS)
        RegisterReading.objects.all().delete()
        CustomerAccountFactory()
        (media / "photos" / "dial.jpg").write_bytes(b"another")
        (media / "later.jpg").write_bytes(b"later")
        (settings.PORTAL_HOME / "secret-key").write_text("new key")

        said = run_json("restore", backup, "--force", "--drop-old")

        assert readings() == held
        assert list_partitions(store.REGISTER_READINGS) == partitions
        assert CustomerAccount.objects.count() == 1
        assert Bill.objects.get().total == bill.total
        assert [path.name for path in media.rglob("*") if path.is_file()] == ["dial.jpg"]
        assert (media / "photos" / "dial.jpg").read_bytes() == PHOTO
        assert (settings.PORTAL_HOME / "secret-key").read_text() == "new key"
        assert said["migrations_to_run"] == []
        assert not databases()
        with pytest.raises(DatabaseError, match="cannot be changed"):
            Bill.objects.update(subtotal=Decimal(1), total=Decimal(1), tax=Decimal(0))

    def test_keeps_what_it_replaces_under_another_name(self, backup, media):
        (media / "later.jpg").write_bytes(b"later")

        said = run_json("restore", backup, "--force")

        try:
            assert databases() == {said["old_database"]}
            assert [folder.rpartition("/")[2].startswith("media-before") for folder in said["old_folders"]] == [True]
        finally:
            with Server.configured().maintained() as maintenance:
                maintenance.drop(said["old_database"])

    def test_refuses_a_database_that_holds_data(self, backup):
        with pytest.raises(CommandError, match="not empty; --force"):
            run("restore", backup)

    def test_refuses_while_somebody_is_connected(self, any_backup):
        with Server.configured().connect(), pytest.raises(CommandError, match="stop the portal"):
            run("restore", any_backup, "--force")

    def test_refuses_while_the_portal_of_this_home_runs(self, any_backup, monkeypatch, settings):
        monkeypatch.setattr(commands, "services_alone", services_alone)

        with Home(settings.PORTAL_HOME).locked(), pytest.raises(CommandError, match="Stop the portal"):
            run("restore", any_backup, "--force")

    def test_refuses_a_half_backup(self, any_backup):
        (any_backup / "manifest.json").unlink()

        with pytest.raises(CommandError, match="not finished"):
            run("restore", any_backup, "--force")

    def test_finds_a_flipped_byte(self, any_backup):
        largest = max((any_backup / "database").iterdir(), key=lambda path: path.stat().st_size)
        content = bytearray(largest.read_bytes())
        content[len(content) // 2] ^= 1
        largest.write_bytes(content)

        with pytest.raises(CommandError, match=f"database/{largest.name} was changed"):
            run("restore", any_backup, "--force")

    def test_finds_a_changed_manifest(self, any_backup):
        manifest = any_backup / "manifest.json"
        manifest.write_text(manifest.read_text().replace("96.47", "96.48"))

        with pytest.raises(CommandError, match="was changed after"):
            run("restore", any_backup, "--force")

    @pytest.mark.parametrize("part", ["_require_same", "set_aside", "swap"])
    def test_leaves_the_old_database_and_files_when_a_part_fails(self, part, backup, media, monkeypatch):
        def fail(*args, **kwargs):
            raise restoring.SafekeepingFailed("no space left")

        place = restoring.Maintenance if part == "swap" else restoring
        monkeypatch.setattr(place, part, fail)
        CustomerAccountFactory(number="A-LATER")
        (media / "later.jpg").write_bytes(b"later")

        with pytest.raises(CommandError, match="no space left"):
            run("restore", backup, "--force")

        assert CustomerAccount.objects.filter(number="A-LATER").exists()
        assert (media / "later.jpg").exists()
        assert [path.name for path in media.parent.iterdir() if path.name.startswith("media")] == ["media"]
        assert not databases()

    def test_puts_the_signing_key_back_when_told(self, bill, tmp_path, settings):
        run("backup", tmp_path / "backup", "--with-secret")
        key = settings.PORTAL_HOME / "secret-key"
        key.write_text("new key")

        run("restore", tmp_path / "backup", "--force", "--drop-old", "--with-secret")

        assert key.read_text() == "old key"


class TestDrill:
    def test_passes_on_a_good_backup_and_leaves_nothing(self, backup):
        said = run_json("restore_drill", backup)

        assert said["passed"]
        compared = {check["name"]: check["compared"] for check in said["checks"]}
        assert compared["Newest readings"] == compared["Live bills that stand"] == 1
        assert compared["Partitions"] >= 2
        assert not databases()

    def test_finds_a_bill_that_was_tampered_with_before_the_backup(self, bill, tmp_path):
        tamper("UPDATE billing_billline SET amount = amount - 10 WHERE bill_id = %s AND kind = 'energy'", bill.pk)
        run("backup", tmp_path / "backup")

        found = differences(tmp_path / "backup")

        assert found.keys() == {"… from the lines", "Bills against lines", "Quantities at their rates"}
        assert bill.number in found["Bills against lines"][0]

    def test_finds_a_live_bill_that_was_tampered_with_since(self, backup, bill):
        tamper("UPDATE billing_bill SET subtotal = 1, total = 1 + tax WHERE id = %s", bill.pk)

        assert differences(backup).keys() == {"Live bills that stand"}
        assert not databases()

    def test_finds_a_newest_reading_that_is_missing(self, bill, tmp_path):
        RegisterReading.objects.filter(value=Decimal(1007)).delete()
        run("backup", tmp_path / "backup")

        (found,) = differences(tmp_path / "backup").values()

        assert "its newest reading, 1007" in found[0]

    def test_takes_the_read_of_a_removal_for_a_newest_value(self, bill, tmp_path):
        taken_down = datetime(2025, 3, 5, tzinfo=UTC)
        state = RegisterState.objects.get()
        RegisterState.objects.update(last_time=taken_down)
        ChainEvent.objects.create(
            service_point=ServicePointFactory(), register=state.register, kind="removed", at=taken_down, value=1007
        )
        run("backup", tmp_path / "backup")

        assert run_json("restore_drill", tmp_path / "backup")["passed"]

    def test_does_not_mind_what_happened_since(self, backup):
        singapore_bill(account=CustomerAccountFactory(), first_day=MARCH, issued_at=ISSUED_AT)
        Bill.objects.filter(month=FEBRUARY).update(status="void")

        assert run_json("restore_drill", backup)["passed"]

    def test_drops_its_database_when_it_fails(self, backup, monkeypatch):
        def fail(*args, **kwargs):
            raise psycopg.OperationalError("connection lost")

        monkeypatch.setattr("energy_portal.management.safekeeping.drill.take_inventory", fail)

        with pytest.raises(CommandError, match="connection lost"):
            run("restore_drill", backup)

        assert not databases()
