from datetime import UTC, datetime
from io import BytesIO
from threading import Event, get_ident

import pytest
from django.db import connection, transaction

from accounts.actors import PORTAL
from energy_portal.shared.clock import HALF_HOUR
from meters.models import RegisterReading, RegisterState
from meters.services import imports
from meters.services.behind import OneBehind
from meters.services.file_imports import ImportOptions, import_file
from meters.services.readings import receive_screened
from tests.factories import supplied_register

MIDNIGHT = datetime(2025, 3, 1, tzinfo=UTC)
NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)


def backend():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
class TestOneBehind:
    def test_goes_on_while_a_call_is_under_way_and_takes_results_in_order(self):
        gone_on = Event()
        results = []

        with OneBehind() as behind:
            behind.start(lambda: gone_on.wait(10), results.append)
            gone_on.set()
            behind.start(lambda: 2, results.append)

        assert results == [True, 2]

    def test_calls_in_another_thread_with_a_connection_of_its_own(self):
        backends = []

        with OneBehind() as behind:
            behind.start(backend, backends.append)

        assert backends != [backend()]

    def test_calls_inside_the_callers_transaction(self):
        threads = []

        with OneBehind() as behind, transaction.atomic():
            behind.start(get_ident, threads.append)

        assert threads == [get_ident()]

    def test_raises_what_a_call_raised_and_starts_no_other(self):
        started = []

        with OneBehind() as behind:
            behind.start(lambda: 1 / 0, started.append)
            with pytest.raises(ZeroDivisionError):
                behind.start(lambda: started.append(2), started.append)

        assert started == []

    def test_has_no_call_under_way_where_its_block_breaks_off(self):
        ended = []

        def break_off():
            with OneBehind() as behind:
                behind.start(lambda: ended.append(1), lambda _: None)
                raise KeyError

        with pytest.raises(KeyError):
            break_off()

        assert ended == [1]


@pytest.mark.django_db(transaction=True)
class TestImportedFiles:
    def test_are_written_batch_by_batch_while_they_are_read(self, settings):
        settings.READING_BATCH_LIMIT = 2
        register = supplied_register()
        file = rows_of(register, [100, 101, 102, 103, 104]) + b"nobody,2025-03-01T00:00:00+00:00,1\r\n"

        first, again = imported(file), imported(file)

        assert (first.stored, first.rejected, first.duplicates) == (5, 1, 0)
        assert (again.stored, again.rejected, again.duplicates) == (0, 1, 5)
        assert list(RegisterReading.objects.order_by("time").values_list("value", flat=True)) == [*range(100, 105)]
        assert RegisterState.objects.get(register=register).last_value == 104

    def test_keep_the_batches_before_the_one_that_fails(self, settings, monkeypatch):
        settings.READING_BATCH_LIMIT = 2
        offered = []

        def receive(**arguments):
            offered.append(arguments)
            if len(offered) == 2:
                raise ConnectionError
            return receive_screened(**arguments)

        monkeypatch.setattr(imports, "receive_screened", receive)

        with pytest.raises(ConnectionError):
            imported(rows_of(supplied_register(), [100, 101, 102, 103, 104]))

        assert len(offered) == 2
        assert list(RegisterReading.objects.order_by("time").values_list("value", flat=True)) == [100, 101]

    def test_leave_nothing_where_nothing_is_to_be_kept(self):
        register = supplied_register()

        report = imported(rows_of(register, [100, 101]), dry_run=True)

        assert report.stored == 2
        assert not RegisterReading.objects.exists()


def rows_of(register, values):
    rows = [
        f"{register.meter.serial},{(MIDNIGHT + number * HALF_HOUR).isoformat()},{value}\r\n"
        for number, value in enumerate(values)
    ]
    return "".join(["serial,time,value\r\n", *rows]).encode()


def imported(file, **options):
    return import_file(file=BytesIO(file), name="a.csv", options=ImportOptions(**options), actor=PORTAL, now=NOW)
