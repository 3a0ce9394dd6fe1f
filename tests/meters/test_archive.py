"""Months out to the archive and back: every reading is there exactly once, and asks for no second run."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from energy_portal.shared.errors import Invalid
from meters import store
from meters.models import ArchivedMonth, RegisterReading
from meters.series.archive import Asked
from meters.series.errors import ArchiveDamaged
from meters.series.partitions import ensure_partitions, list_partitions
from meters.services import archiving
from meters.services.archive_runs import archive_and_prepare, plan_archive, restore_months
from meters.store import REGISTER_READINGS
from tests.factories import supplied_register

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
JANUARY, FEBRUARY, MARCH = (datetime(2025, month, 1, tzinfo=UTC) for month in (1, 2, 3))


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.ARCHIVE_DIR = tmp_path / "archive"
    return settings.ARCHIVE_DIR


@pytest.fixture
def register(db):
    """Make a register with a reading at every noon of the first quarter."""
    register = supplied_register()
    times = [JANUARY + timedelta(days=day, hours=12) for day in range(90)]
    ensure_partitions(REGISTER_READINGS, times, floor=times[0], ceiling=times[-1])
    RegisterReading.objects.bulk_create(
        RegisterReading(register=register, time=time, value=Decimal(day), received_at=time)
        for day, time in enumerate(times)
    )
    return register


def rows():
    return list(RegisterReading.objects.order_by("register_id", "time").values())


def archived(register):
    """Return what the archive holds of a register."""
    months = [store.archive.Month(month.low, month.revision) for month in ArchivedMonth.objects.all()]
    reader = store.archive.reader(months, "value")
    return [value for _, _, value in reader.windows([Asked(register.pk, JANUARY, NOW)])]


def run(until=date(2025, 3, 1), **options):
    return archive_and_prepare(actor=PORTAL, now=NOW, until=until, wait_seconds=0, **options)


def months_there():
    """Return the months of the quarter that the database holds; other tests may have left later ones."""
    return [f"{each.start:%Y-%m}" for each in list_partitions(REGISTER_READINGS) if JANUARY <= each.start <= MARCH]


class TestArchiveAndPrepare:
    def test_moves_closed_months_into_files(self, register, folder):
        report = run()

        assert [(month.part, month.rows, month.revision) for month in report.archived] == [
            ("2025-01", 31, 1),
            ("2025-02", 28, 1),
        ]
        assert months_there() == ["2025-03"]
        assert RegisterReading.objects.count() == 31
        assert archived(register) == [Decimal(day) for day in range(59)]
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        assert files == [f"meters_registerreading/2025-0{month}-r1.parquet" for month in (1, 2)]

    def test_records_what_it_verified(self, register, folder):
        (moved, _) = run().archived

        month = ArchivedMonth.objects.get(low=JANUARY)
        assert (month.high, month.rows, month.revision, month.archived_at) == (FEBRUARY, 31, 1, NOW)
        assert month.manifest["bytes"] == moved.bytes == (folder / month.path).stat().st_size
        assert month.manifest["columns"]["value"]["sum"] == "465.000000"
        assert AuditEntry.objects.filter(action="archive.month_archived").count() == 2

    def test_makes_the_coming_partitions(self, register):
        run()

        names = {partition.name for partition in list_partitions(REGISTER_READINGS)}
        assert {f"meters_registerreading_y2025m{month:02}" for month in (6, 7, 8, 9)} <= names

    def test_leaves_empty_months_alone(self, register):
        RegisterReading.objects.filter(time__lt=FEBRUARY).delete()

        assert [month.part for month in run().archived] == ["2025-02"]

    def test_does_nothing_a_second_time(self, register):
        run()

        report = run()

        assert report.idle
        assert AuditEntry.objects.filter(action="archive.month_archived").count() == 2

    def test_keeps_what_is_within_the_retention(self, register, settings):
        settings.READING_RETENTION_MONTHS = 4

        assert [month.part for month in run(until=None).archived] == ["2025-01"]

    def test_leaves_a_month_that_is_not_over_everywhere(self, register):
        eleven = datetime(2025, 4, 1, 11, 59, tzinfo=UTC)

        report = archive_and_prepare(actor=PORTAL, now=eleven, until=date(2025, 5, 1))

        assert [month.part for month in report.archived] == ["2025-01", "2025-02"]
        twelve = archive_and_prepare(actor=PORTAL, now=eleven + timedelta(minutes=1), until=date(2025, 5, 1))
        assert [month.part for month in twelve.archived] == ["2025-03"]

    def test_plans_without_touching_anything(self, register, folder):
        report = plan_archive(now=NOW, until=date(2025, 3, 1))

        assert [(month.part, month.rows) for month in report.planned] == [("2025-01", 31), ("2025-02", 28)]
        assert not folder.exists()
        assert RegisterReading.objects.count() == 90

    def test_redoes_the_file_when_a_row_came_meanwhile(self, register):
        late = JANUARY + timedelta(hours=1)

        def write_late(step):
            if step.name == "named" and step.part == "2025-01":
                RegisterReading.objects.get_or_create(
                    register=register, time=late, defaults={"value": Decimal("0.5"), "received_at": NOW}
                )

        report = run(tell=write_late)

        assert [month.rows for month in report.archived] == [32, 28]
        assert archived(register)[0] == Decimal("0.5")

    def test_notices_a_value_that_was_replaced_meanwhile(self, register):
        def correct(step):
            if step.name == "named":
                RegisterReading.objects.filter(time__lt=FEBRUARY, value=7).update(value=8)

        run(tell=correct)

        assert archived(register)[6:9] == [6, 8, 8]

    def test_removes_what_a_killed_run_left(self, register, folder):
        left = folder / "meters_registerreading" / "2025-01-r1.parquet.part"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"half")

        run()

        assert not left.exists()

    def test_drops_an_empty_partition_beside_its_archived_month(self, register):
        run()
        ensure_partitions(REGISTER_READINGS, [JANUARY], floor=JANUARY, ceiling=NOW)

        run()

        assert months_there() == ["2025-03"]

    def test_takes_rows_in_that_were_written_beside_their_archived_month(self, register):
        run()
        ensure_partitions(REGISTER_READINGS, [JANUARY], floor=JANUARY, ceiling=NOW)
        RegisterReading.objects.create(register=register, time=JANUARY, value=Decimal("0.25"), received_at=NOW)

        report = run()

        assert [(month.part, month.rows, month.revision) for month in report.archived] == [("2025-01", 32, 2)]
        assert archived(register)[:2] == [Decimal("0.25"), Decimal(0)]


class TestRestoreMonths:
    def test_puts_every_row_back_as_it_was(self, register):
        before = rows()
        partitions = list_partitions(REGISTER_READINGS)
        run()

        restored = restore_months(month="all", actor=PORTAL, now=NOW)

        assert [month.rows for month in restored] == [31, 28]
        assert rows() == before
        assert set(partitions) <= set(list_partitions(REGISTER_READINGS))
        assert not ArchivedMonth.objects.exists()

    def test_makes_a_partition_like_the_others(self, register):
        def indexes(table):
            with connection.cursor() as cursor:
                cursor.execute("SELECT replace(indexdef, %s, '') FROM pg_indexes WHERE tablename = %s", [table, table])
                return sorted(definition.split(" ON ")[1] for (definition,) in cursor.fetchall())

        table = "meters_registerreading_y2025m01"
        before = indexes(table)
        run()

        restore_months(month="2025-01", actor=PORTAL, now=NOW)

        assert indexes(table) == before

    @pytest.mark.parametrize("keep", [True, False])
    def test_leaves_the_file_only_when_told(self, keep, register, folder):
        run()

        restore_months(month="2025-01", actor=PORTAL, now=NOW, keep=keep)

        assert (folder / "meters_registerreading" / "2025-01-r1.parquet").exists() is keep

    def test_is_archived_anew_under_the_next_revision(self, register, folder):
        run()
        restore_months(month="2025-01", actor=PORTAL, now=NOW, keep=True)

        (moved,) = run().archived

        assert moved.revision == 2
        assert [path.name for path in sorted(folder.rglob("2025-01*"))] == ["2025-01-r2.parquet"]

    def test_changes_nothing_when_the_file_was_tampered_with(self, register, folder):
        run()
        path = folder / "meters_registerreading" / "2025-01-r1.parquet"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

        with pytest.raises(ArchiveDamaged, match="checksum"):
            restore_months(month="2025-01", actor=PORTAL, now=NOW)

        assert ArchivedMonth.objects.filter(low=JANUARY).exists()
        assert months_there() == ["2025-03"]

    def test_says_that_the_file_is_missing(self, register, folder):
        run()
        (folder / "meters_registerreading" / "2025-01-r1.parquet").unlink()

        with pytest.raises(ArchiveDamaged, match="No such file"):
            restore_months(month="2025-01", actor=PORTAL, now=NOW)

    def test_refuses_a_month_that_is_not_archived(self, register):
        with pytest.raises(archiving.NotArchived):
            restore_months(month="2025-01", actor=PORTAL, now=NOW)

    def test_refuses_what_is_no_month(self, register):
        with pytest.raises(Invalid, match="not a month"):
            restore_months(month="January", actor=PORTAL, now=NOW)
