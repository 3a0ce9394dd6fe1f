from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from hypothesis import given
from hypothesis import strategies as st

from meters.models import RegisterReading
from meters.series.errors import BadValue, MissingPartition, RowsVanished
from meters.series.writer import Outcome, copy_in, write
from tests.meters.series.samples import (
    READINGS,
    SAMPLES,
    Sample,
    make_room,
    readings,
    samples_of,
    slot,
    write_committed,
)
from tests.meters.series.strategies import any_number, keys, rolled_back, split_rows

STORED, DUPLICATE, CONFLICT = Outcome.STORED, Outcome.DUPLICATE, Outcome.CONFLICT
NEVER = datetime(1990, 1, 1, tzinfo=UTC)


def stored_values() -> dict[tuple[int, datetime], Decimal]:
    return {(row.register_id, row.time): row.value for row in RegisterReading.objects.all()}


@pytest.mark.django_db
class TestWrite:
    def test_stores_new_rows_as_they_were_given(self):
        rows = readings([(7, 0), (3, 1)], [Decimal("1.5"), Decimal("-2.000001")])
        rows["raw_stamp"] = ["2025-02-01 23:59", None]
        rows["source_id"] = [None, 5]

        result = write_committed(READINGS, rows)

        assert result.outcomes == [STORED, STORED]
        assert list(
            RegisterReading.objects.order_by("register_id").values_list(
                "register_id", "time", "value", "source_id", "raw_stamp"
            )
        ) == [
            (3, slot(1), Decimal("-2.000001"), 5, None),
            (7, slot(0), Decimal("1.500000"), None, "2025-02-01 23:59"),
        ]

    def test_calls_the_same_value_again_a_duplicate_and_another_a_conflict_with_what_stands(self):
        write_committed(READINGS, readings([(1, 0), (1, 1)], [Decimal(10), Decimal(11)]))

        result = write_committed(
            READINGS, readings([(1, 1), (1, 2), (1, 0)], [Decimal(12), Decimal(13), Decimal("10.0")])
        )

        assert result.outcomes == [CONFLICT, STORED, DUPLICATE]
        assert result.standing == {0: (Decimal(11),)}
        assert stored_values()[1, slot(1)] == 11

    def test_lets_the_first_of_a_batch_stand(self):
        result = write_committed(READINGS, readings([(1, 0)] * 3, [Decimal("4.2"), Decimal("4.20"), Decimal("4.3")]))

        assert result.outcomes == [STORED, DUPLICATE, CONFLICT]
        assert result.standing == {2: (Decimal("4.200000"),)}

    def test_judges_a_repeated_key_by_what_stands_in_the_table(self):
        write_committed(READINGS, readings([(1, 0)], [Decimal(4)]))

        result = write_committed(READINGS, readings([(1, 0)] * 2, [Decimal(5), Decimal(4)]))

        assert result.outcomes == [CONFLICT, DUPLICATE]

    def test_takes_what_the_column_rounds_away_for_the_same_value(self):
        rows = readings([(1, 0)], [Decimal("1.2345675")])

        assert write_committed(READINGS, rows).outcomes == [STORED]
        assert write_committed(READINGS, rows).outcomes == [DUPLICATE]
        assert stored_values()[1, slot(0)] == Decimal("1.234568")

    def test_takes_the_same_instant_in_another_zone_for_the_same_key(self):
        write_committed(READINGS, readings([(1, 0)], [Decimal(1)]))
        rows = readings([(1, 0)], [Decimal(1)])
        rows["time"] = [slot(0).astimezone(datetime(2025, 1, 1).astimezone().tzinfo)]

        assert write_committed(READINGS, rows).outcomes == [DUPLICATE]

    def test_reads_numpy_columns(self):
        times = np.datetime64("2025-02-01T00:00", "us") + np.arange(3) * np.timedelta64(30, "m")
        values = [Decimal(n) for n in range(3)]
        rows = {"register_id": np.ones(3, int), "time": times, "value": values, "quality": np.full(3, 17)}

        assert write_committed(READINGS, rows).outcomes == [STORED] * 3
        assert stored_values()[1, slot(2)] == 2

    def test_fills_columns_that_were_left_out_with_the_databases_defaults(self):
        rows = {"register_id": [1], "time": [slot(0)], "value": [Decimal(1)], "quality": [17]}

        write_committed(READINGS, rows)

        assert RegisterReading.objects.get().received_at is not None

    def test_writes_nothing_of_an_empty_batch(self):
        assert write(READINGS, readings([], []), connection).outcomes == []

    @any_number
    @given(split_rows(st.tuples(keys, st.integers(0, 2))))
    def test_tells_one_truth_however_rows_are_split_and_repeated(self, batches):
        def check() -> None:
            truth: dict[tuple[int, datetime], Decimal] = {}
            for batch in batches:
                expected = []
                for (register, number), value in batch:
                    before = truth.setdefault((register, slot(number)), Decimal(value))
                    expected.append((register, slot(number), before == value))
                result = write_committed(READINGS, readings([key for key, _ in batch], [Decimal(v) for _, v in batch]))
                assert [outcome is not CONFLICT for outcome in result.outcomes] == [same for *_, same in expected]
                assert result.standing == {
                    at: (truth[register, time],) for at, (register, time, same) in enumerate(expected) if not same
                }
                stored.extend(result.outcomes)
            assert stored_values() == truth
            assert stored.count(STORED) == len(truth)

        stored: list[Outcome] = []
        rolled_back(check)

    @any_number
    @given(split_rows(st.tuples(keys, st.integers(0, 2))), st.randoms(use_true_random=False))
    def test_stores_each_key_once_in_any_order(self, batches, random):
        def check() -> None:
            rows = [row for batch in batches for row in batch] * 2
            random.shuffle(rows)
            outcomes = [
                outcome
                for start in range(0, len(rows), 7)
                for outcome in write_committed(
                    READINGS,
                    readings(
                        [key for key, _ in rows[start : start + 7]], [Decimal(v) for _, v in rows[start : start + 7]]
                    ),
                ).outcomes
            ]
            assert set(stored_values()) == {(register, slot(number)) for (register, number), _ in rows}
            assert outcomes.count(STORED) == len(stored_values())
            assert len(outcomes) == len(rows)

        rolled_back(check)


@pytest.mark.django_db
class TestWriteRefuses:
    @pytest.mark.parametrize(
        ("column", "value", "reason"),
        [
            ("register_id", None, "missing"),
            ("register_id", 2**31, "out of the range"),
            ("register_id", 1.5, "not a whole number"),
            ("register_id", "1", "not a whole number"),
            ("time", None, "missing"),
            ("time", datetime(2025, 2, 1), "zone"),
            ("value", 1.5, "not a finite Decimal"),
            ("value", "1.5", "not a finite Decimal"),
            ("value", Decimal("NaN"), "not a finite Decimal"),
            ("value", Decimal("Infinity"), "range"),
            ("value", Decimal("1e9"), "range"),
            ("value", Decimal("1e400000000"), "range"),
            ("quality", None, "missing"),
            ("quality", 40_000, "out of the range"),
            ("raw_stamp", "nul \x00", "NUL"),
            ("raw_stamp", 7, "not a text"),
            ("raw_stamp", "\ud800", "surrogates"),
            ("surprise", 1, "not a column"),
        ],
    )
    def test_a_value_that_does_not_fit_its_column(self, column, value, reason):
        rows = readings([(1, 0)], [Decimal(1)])
        rows[column] = [value]

        with pytest.raises(BadValue, match=f"{column}.*{reason}"):
            write(READINGS, rows, connection)

    def test_columns_of_different_lengths(self):
        rows = readings([(1, 0)], [Decimal(1), Decimal(2)])

        with pytest.raises(BadValue, match="another number"):
            write(READINGS, rows, connection)

    def test_a_batch_without_its_values(self):
        with pytest.raises(BadValue, match="value: missing"):
            write(READINGS, {"register_id": [1], "time": [slot(0)]}, connection)

    def test_a_month_that_has_no_partition(self):
        rows = {**readings([(1, 0)], [Decimal(1)]), "time": [NEVER]}

        with pytest.raises(MissingPartition), transaction.atomic():
            write(READINGS, rows, connection)

    @pytest.mark.django_db(transaction=True)
    def test_to_write_outside_a_transaction(self):
        with pytest.raises(TransactionManagementError):
            write(READINGS, readings([(1, 0)], [Decimal(1)]), connection)


@pytest.mark.django_db
class TestCopyIn:
    def test_stores_what_write_would_store(self):
        rows = readings([(2, 1), (1, 0), (1, 1344)], [Decimal(0), Decimal("-0.5"), Decimal("999999999.999999")])
        rows["raw_stamp"] = ["ü", None, ""]
        make_room(READINGS, rows["time"])

        count = copy_in(READINGS, rows)

        assert count == 3
        assert write(READINGS, rows, connection).outcomes == [DUPLICATE] * 3
        assert set(RegisterReading.objects.values_list("register_id", "raw_stamp")) == {(2, "ü"), (1, None), (1, "")}

    @pytest.mark.usefixtures("samples")
    def test_copies_every_type_of_column(self):
        rows = samples_of(
            [(1, 0), (2**40, 1)],
            power=[0.1, None],
            energy=[None, Decimal("-1234567.89")],
            level=[1e300, None],
            count=[None, -7],
            small=[-32768, None],
            online=[True, None],
            state=[None, "idle"],
        )
        make_room(SAMPLES, rows["time"])

        copy_in(SAMPLES, rows)

        assert write(SAMPLES, rows, connection).outcomes == [DUPLICATE] * 2
        assert Sample.objects.values_list("energy", "count", "state").get(device=2**40) == (
            Decimal("-1234567.89"),
            -7,
            "idle",
        )

    def test_refuses_a_key_that_stands(self):
        rows = readings([(1, 0)], [Decimal(1)])
        write_committed(READINGS, rows)

        with pytest.raises(IntegrityError), transaction.atomic():
            copy_in(READINGS, rows)

    def test_refuses_a_month_that_has_no_partition(self):
        rows = {**readings([(1, 0)], [Decimal(1)]), "time": [NEVER]}

        with pytest.raises(MissingPartition), transaction.atomic():
            copy_in(READINGS, rows)

    def test_copies_nothing_of_an_empty_batch(self):
        assert copy_in(READINGS, readings([], [])) == 0


@pytest.mark.usefixtures("samples")
class TestRowsThatAreNeitherAddedNorFound:
    def test_ask_for_another_try(self):
        rows = samples_of([(1, 0)])
        make_room(SAMPLES, rows["time"])
        with connection.cursor() as cursor:
            cursor.execute("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
            cursor.execute(
                "CREATE TRIGGER swallow BEFORE INSERT ON series_samples FOR EACH ROW EXECUTE FUNCTION swallow()"
            )

        with pytest.raises(RowsVanished):
            write(SAMPLES, rows, connection)


@pytest.mark.usefixtures("committed_samples")
class TestWriteOverManyMonths:
    def test_touches_only_the_months_of_the_batch(self):
        rows = samples_of([(1, 0), (1, 1344)])
        make_room(SAMPLES, [slot(0) + n * timedelta(days=30) for n in range(-30, 9)])
        write_committed(SAMPLES, rows)

        with transaction.atomic():
            assert write(SAMPLES, rows, connection).outcomes == [DUPLICATE] * 2
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT DISTINCT relname FROM pg_locks JOIN pg_class ON pg_class.oid = relation"
                    " WHERE pid = pg_backend_pid() AND relispartition AND relkind = 'r'"
                )
                touched = {name for (name,) in cursor.fetchall()}

        assert touched == {f"{SAMPLES.table}_y2025m02", f"{SAMPLES.table}_y2025m03"}
