"""The archive beside others and killed at any step: at every moment each reading is there exactly once."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from accounts.actors import PORTAL
from meters import store
from meters.models import ArchivedMonth, RegisterReading
from meters.series.partitions import ensure_partitions
from meters.services.archive_runs import archive_and_prepare, restore_months
from meters.services.archiving import CHANGE_LOCK, ArchiveBusy, held
from meters.store import REGISTER_READINGS, Window
from meters.store.reads import readings_within
from meters.store.shelves import MONTHLY_READINGS
from tests.factories import supplied_register
from tests.meters.archiver import NOW, UNTIL
from tests.meters.helpers import in_thread

pytestmark = pytest.mark.django_db(transaction=True)

START, DAYS = datetime(2025, 1, 1, tzinfo=UTC), 59
ALL = [START + timedelta(days=day, hours=12) for day in range(DAYS)]


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.ARCHIVE_DIR = tmp_path / "archive"
    return settings.ARCHIVE_DIR


@pytest.fixture
def register():
    register = supplied_register()
    ensure_partitions(REGISTER_READINGS, ALL, floor=ALL[0], ceiling=ALL[-1])
    RegisterReading.objects.bulk_create(
        RegisterReading(register=register, time=time, value=Decimal(day), received_at=time)
        for day, time in enumerate(ALL)
    )
    return register


def answered(register):
    """Return the values that a question about the register is answered with."""
    rows = readings_within([Window(register.pk, START, NOW)], [])
    assert [time for _, time, _, _ in rows] == sorted({time for _, time, _, _ in rows})
    return [value for _, _, value, _ in rows]


def archive(**options):
    return archive_and_prepare(actor=PORTAL, now=NOW, until=UNTIL, **{"wait_seconds": 5, **options})


def months():
    return [f"{month.low:%m}" for month in ArchivedMonth.objects.order_by("low")]


class TestKilled:
    @pytest.mark.parametrize("step", ["exporting", "written", "named", "proved", "recorded", "dropped", "committed"])
    def test_while_it_archives_loses_nothing_and_is_finished_by_the_next_run(self, step, register, killed, folder):
        killed("archive", step)

        assert answered(register) == list(range(DAYS))
        assert months() == (["01"] if step == "committed" else [])
        archive()
        assert answered(register) == list(range(DAYS))
        assert months() == ["01", "02"]
        assert not RegisterReading.objects.exists()
        assert sorted(path.name for path in folder.rglob("*.*")) == ["2025-01-r1.parquet", "2025-02-r1.parquet"]

    @pytest.mark.parametrize("step", ["filled", "verified", "attached", "recorded", "committed"])
    def test_while_it_restores_loses_nothing_and_is_finished_by_the_next_run(self, step, register, killed):
        archive()

        killed("restore", step)

        assert answered(register) == list(range(DAYS))
        assert months() == (["02"] if step == "committed" else ["01", "02"])
        restore_months(month="all", actor=PORTAL, now=NOW)
        assert answered(register) == list(range(DAYS))
        assert RegisterReading.objects.count() == DAYS


class TestReaders:
    def test_never_see_a_row_twice_or_not_at_all(self, register):
        ended = threading.Event()

        def read():
            seen = 0
            while not ended.is_set():
                assert answered(register) == list(range(DAYS))
                seen += 1
            return seen

        readers = [in_thread(read) for _ in range(2)]
        try:
            for _ in range(4):
                archive()
                restore_months(month="all", actor=PORTAL, now=NOW)
        finally:
            ended.set()
        assert all(wait() > 8 for wait in readers)

    def test_see_one_list_of_months_within_a_transaction(self, register):
        with transaction.atomic():
            assert store.archive.months_held() == []
            moving = in_thread(lambda: archive(wait_seconds=0))
            assert answered(register) == list(range(DAYS))
            assert store.archive.months_held() == []
        moving()
        assert months() == ["01", "02"]


class TestWriters:
    def test_of_late_rows_find_them_in_the_archive_or_left_in_its_way(self, register):
        """Write some late rows as fast as they go, while their months are archived and restored."""
        ended = threading.Event()
        written = []

        def write():
            number = 0
            while not ended.is_set() and number < 150:
                time = START + timedelta(minutes=30 * number + 10)
                with transaction.atomic():
                    if store.archive.months_held():
                        continue
                    RegisterReading.objects.create(register=register, time=time, value=-1, received_at=NOW)
                written.append(time)
                number += 1

        writer = in_thread(write)
        try:
            for _ in range(3):
                archive()
                restore_months(month="all", actor=PORTAL, now=NOW)
        finally:
            ended.set()
        writer()
        archive()
        assert sorted(answered(register)) == sorted([*range(DAYS), *[-1] * len(written)])


class TestTwoRuns:
    def test_do_not_work_at_once(self, register):
        with held(MONTHLY_READINGS.run_lock, wait_seconds=0):
            second = in_thread(lambda: archive(wait_seconds=0))
            with pytest.raises(ArchiveBusy):
                second()

        assert months() == []

    def test_follow_one_another(self, register):
        both = [in_thread(archive), in_thread(archive)]

        moved = sorted(len(wait().archived) for wait in both)

        assert moved == [0, 2]

    def test_wait_for_a_backup(self, register):
        with held(CHANGE_LOCK, wait_seconds=0):
            moving = in_thread(lambda: archive(wait_seconds=0))
            with pytest.raises(ArchiveBusy):
                moving()

        assert answered(register) == list(range(DAYS))
