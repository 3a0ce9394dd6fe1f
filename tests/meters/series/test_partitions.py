import threading
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
from django.db import connection, connections, transaction

from meters.series.errors import BadValue, MissingPartition, OutsideAcceptance
from meters.series.partitions import Partition, forget_partitions, list_partitions
from meters.series.writer import Outcome
from tests.meters.series.samples import (
    CEILING,
    FLOOR,
    SAMPLES,
    Sample,
    make_room,
    write_committed,
)

TABLE = SAMPLES.table
INSERT = "INSERT INTO series_samples (device, time) VALUES (1, %s)"


def in_thread(action) -> threading.Thread:
    def run() -> None:
        try:
            action()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.usefixtures("samples")
class TestEnsurePartitions:
    def test_makes_one_for_each_utc_month(self):
        singapore = timezone(timedelta(hours=8))
        times = [
            datetime(2025, 3, 1, 7, 59, tzinfo=singapore),
            datetime(2024, 12, 31, 23, 59, tzinfo=UTC),
            datetime(2025, 2, 3, tzinfo=UTC),
        ]

        made = make_room(SAMPLES, times)

        assert made == [f"{TABLE}_y2024m12", f"{TABLE}_y2025m02"]
        assert list_partitions(SAMPLES) == [
            Partition(made[0], datetime(2024, 12, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)),
            Partition(made[1], datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)),
        ]

    def test_makes_nothing_twice(self):
        make_room(SAMPLES, [FLOOR])

        assert make_room(SAMPLES, [FLOOR, FLOOR + timedelta(days=30)]) == []

    def test_needs_no_partition_for_no_rows(self):
        assert make_room(SAMPLES, []) == []

    def test_accepts_the_floor_and_the_ceiling_themselves(self):
        assert len(make_room(SAMPLES, [FLOOR, CEILING])) == 2

    @pytest.mark.parametrize("outside", [FLOOR - timedelta(microseconds=1), CEILING + timedelta(microseconds=1)])
    def test_refuses_a_batch_with_a_time_outside_and_makes_nothing(self, outside):
        with pytest.raises(OutsideAcceptance) as caught:
            make_room(SAMPLES, [FLOOR, outside, CEILING])

        assert caught.value.time == outside
        assert list_partitions(SAMPLES) == []

    @pytest.mark.parametrize("time", [None, datetime(2025, 1, 1)])
    def test_refuses_what_is_no_instant(self, time):
        with pytest.raises(BadValue, match="time"):
            make_room(SAMPLES, [FLOOR, time])

    def test_gives_each_partition_the_indexes_of_its_series(self):
        (name,) = make_room(SAMPLES, [FLOOR])

        with connection.cursor() as cursor:
            constraints = connection.introspection.get_constraints(cursor, name)

        assert [c["columns"] for c in constraints.values() if c["primary_key"]] == [["device", "time"]]
        assert ("brin", ["time"]) in [(c.get("type"), c["columns"]) for c in constraints.values()]

    def test_is_taken_back_with_the_tests_transaction(self):
        with transaction.atomic():
            make_room(SAMPLES, [FLOOR])
            transaction.set_rollback(True)

        assert list_partitions(SAMPLES) == []
        assert len(make_room(SAMPLES, [FLOOR])) == 1


@pytest.mark.usefixtures("committed_samples")
class TestEnsurePartitionsForOtherConnections:
    def test_costs_no_query_for_a_month_that_is_known(self, django_assert_num_queries):
        make_room(SAMPLES, [FLOOR])

        with django_assert_num_queries(0):
            make_room(SAMPLES, [FLOOR])

    def test_costs_one_query_for_a_month_that_another_process_made(self, django_assert_num_queries):
        make_room(SAMPLES, [FLOOR])
        forget_partitions(SAMPLES)

        with django_assert_num_queries(1):
            assert make_room(SAMPLES, [FLOOR]) == []

    def test_outlives_a_rollback_of_the_callers_own_transaction(self):
        with transaction.atomic():
            (name,) = make_room(SAMPLES, [FLOOR])
            transaction.set_rollback(True)

        assert [partition.name for partition in list_partitions(SAMPLES)] == [name]

    def test_serves_a_transaction_that_has_already_written(self):
        make_room(SAMPLES, [FLOOR])
        with transaction.atomic():
            Sample.objects.create(device=1, time=FLOOR)
            made = make_room(SAMPLES, [CEILING])
            Sample.objects.create(device=1, time=CEILING)

        assert len(made) == 1
        assert Sample.objects.count() == 2

    def test_waits_for_no_writer_and_makes_none_wait(self):
        """Beside another's open transaction; that one then writes to the new month before it commits."""
        make_room(SAMPLES, [FLOOR])
        parameters = connections["default"].get_connection_params()
        with psycopg.connect(**parameters) as writer:
            writer.execute("SET lock_timeout = '5s'")
            writer.execute(INSERT, [FLOOR])

            made = make_room(SAMPLES, [CEILING])

            writer.execute(INSERT, [CEILING])
            writer.commit()
        assert len(made) == 1
        assert Sample.objects.count() == 2

    def test_is_made_once_by_two_at_the_same_time(self):
        months = [FLOOR + n * timedelta(days=31) for n in range(12)]
        made: list[list[str]] = []
        start = threading.Barrier(4)

        def make() -> None:
            start.wait()
            made.append(make_room(SAMPLES, months))

        for thread in [in_thread(make) for _ in range(4)]:
            thread.join()

        assert len(made) == 4
        assert sorted(name for names in made for name in names) == [p.name for p in list_partitions(SAMPLES)]

    def test_looks_again_after_a_partition_was_detached(self):
        rows = {"device": [1], "time": [FLOOR], **{column.name: [None] for column in SAMPLES.identity}}
        (name,) = make_room(SAMPLES, [FLOOR])
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {SAMPLES.table} DETACH PARTITION {name}")
            cursor.execute(f"DROP TABLE {name}")

        with pytest.raises(MissingPartition):
            write_committed(SAMPLES, rows)

        assert write_committed(SAMPLES, rows).outcomes == [Outcome.STORED]
