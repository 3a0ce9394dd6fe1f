"""Rows out to a file and back: exactly the same, whatever they hold."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meters.models import RegisterReading
from meters.series.archive import Archive, ArchivedFile, Asked
from meters.series.archive_files import (
    fill_table,
    finish_file,
    sha256_of,
    table_figures,
    unfinished_of,
    write_file,
)
from meters.series.errors import ArchiveDamaged, ArchiveMoved
from meters.series.writer import copy_in
from tests.meters.series.samples import READINGS, make_room, slot

pytestmark = pytest.mark.django_db

FEBRUARY = "meters_registerreading_y2025m02"
LOW, HIGH = datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)
COLUMNS = tuple(READINGS.columns)
MICROSECOND = timedelta(microseconds=1)

texts = st.one_of(
    st.none(),
    st.sampled_from(["", '"', ",", "\n", "\r\n", "\\N", "NULL", "|=", "'", "\\", " ", "\uff12\uff13", "\ufeff"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12),
)
instants = st.integers(0, (HIGH - LOW) // MICROSECOND - 1).map(lambda micros: LOW + micros * MICROSECOND)
values = st.decimals(min_value=-999_999_999, max_value=999_999_999, places=6, allow_nan=False)
rows = st.dictionaries(
    st.tuples(st.integers(1, 5), instants),
    st.tuples(values, st.integers(0, 19), st.one_of(st.none(), st.integers(1, 2**31 - 1)), texts, instants),
    min_size=1,
    max_size=25,
)


def store(held):
    """Copy rows by their key into the series."""
    make_room(READINGS, [LOW])
    keys = sorted(held)
    columns = dict(
        zip(
            ("value", "quality", "source_id", "raw_stamp", "received_at"),
            zip(*(held[key] for key in keys), strict=True),
            strict=True,
        )
    )
    with transaction.atomic():
        copy_in(
            READINGS,
            {
                "register_id": [key[0] for key in keys],
                "time": [key[1] for key in keys],
                **{n: list(v) for n, v in columns.items()},
            },
        )


def half_hours(registers, marks):
    return {(owner, slot(mark)): (Decimal(mark), 17, None, None, LOW) for owner in registers for mark in marks}


def written(path):
    with transaction.atomic():
        manifest = write_file(READINGS, FEBRUARY, path, connection)
    finish_file(path)
    return manifest


def archive(path, *columns):
    return Archive(READINGS, (ArchivedFile(path, LOW, HIGH),), columns)


def held_in(table):
    names = ", ".join(COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {names} FROM {table} ORDER BY register_id, time")  # noqa: S608
        return cursor.fetchall()


class TestWriteFile:
    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(held=rows)
    def test_holds_every_row_exactly_and_gives_it_back(self, held, tmp_path_factory):
        path = tmp_path_factory.mktemp("archive") / "month.parquet"
        with transaction.atomic():
            store(held)
            before = held_in(FEBRUARY)
            manifest = written(path)
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE TABLE given_back (LIKE {FEBRUARY} INCLUDING ALL)")
            fill_table(READINGS, path, "given_back", connection)

            assert held_in("given_back") == before
            assert table_figures(READINGS, "given_back", connection).digest == manifest.digest
            asked = [Asked(owner, LOW, HIGH) for owner in range(6)]
            names = ("value", "quality", "source_id", "raw_stamp", "received_at")
            read = list(archive(path, *names).windows(asked))
            assert read == [(owner, time, *held[owner, time]) for owner, time in sorted(held)]
            transaction.set_rollback(True)

    def test_tells_what_the_file_holds(self, tmp_path):
        store(half_hours((1, 2), range(3)))

        manifest = written(tmp_path / "month.parquet")

        assert (manifest.rows, manifest.bytes) == (6, (tmp_path / "month.parquet").stat().st_size)
        assert manifest.sha256 == sha256_of(tmp_path / "month.parquet")
        assert manifest.columns["value"] == {"nulls": 0, "min": "0.000000", "max": "2.000000", "sum": "6.000000"}
        assert manifest.columns["source_id"]["nulls"] == 6
        assert json.loads(json.dumps(manifest.as_json())) == manifest.as_json()

    def test_can_hold_no_row_at_all(self, tmp_path):
        make_room(READINGS, [LOW])

        manifest = written(tmp_path / "month.parquet")

        assert (manifest.rows, manifest.low) == (0, None)
        assert list(archive(tmp_path / "month.parquet").windows([Asked(1, LOW, HIGH)])) == []

    def test_is_not_there_under_its_name_until_it_is_finished(self, tmp_path):
        path = tmp_path / "month.parquet"
        store(half_hours((1,), range(3)))

        write_file(READINGS, FEBRUARY, path, connection)

        assert [each.name for each in tmp_path.iterdir()] == [unfinished_of(path).name]

    def test_finds_a_file_that_does_not_hold_what_the_table_holds(self, tmp_path, monkeypatch):
        store(half_hours((1,), range(3)))
        export = write_file.__globals__["_export"]

        def lossy(spec, table, path, *arguments):
            RegisterReading.objects.filter(time=slot(1)).delete()
            export(spec, table, path, *arguments)

        monkeypatch.setitem(write_file.__globals__, "_export", lossy)

        with pytest.raises(ArchiveDamaged, match="holds 2 rows"):
            write_file(READINGS, FEBRUARY, tmp_path / "month.parquet", connection)

    def test_says_why_it_cannot_write(self, tmp_path):
        store(half_hours((1,), range(3)))
        unfinished_of(tmp_path / "month.parquet").mkdir()

        with pytest.raises((ArchiveDamaged, OSError)):
            write_file(READINGS, FEBRUARY, tmp_path / "month.parquet", connection)


class TestFillTable:
    def test_finds_a_file_that_is_cut_short(self, tmp_path):
        path = tmp_path / "month.parquet"
        store(half_hours((1,), range(100)))
        written(path)
        path.write_bytes(path.read_bytes()[:-20])

        with pytest.raises(ArchiveDamaged), transaction.atomic():
            fill_table(READINGS, path, FEBRUARY, connection)


class TestArchive:
    @pytest.fixture
    def path(self, tmp_path):
        store(half_hours(range(1, 4), range(0, 100, 2)))
        written(tmp_path / "month.parquet")
        return tmp_path / "month.parquet"

    def test_reads_each_row_of_overlapping_windows_once(self, path):
        asked = [Asked(2, slot(0), slot(4)), Asked(2, slot(2), slot(6)), Asked(1, slot(98), slot(200))]

        found = list(archive(path, "value").windows(asked))

        assert found == [(1, slot(98), Decimal(98)), *((2, slot(mark), Decimal(mark)) for mark in (0, 2, 4, 6))]

    def test_reads_the_newest_first(self, path):
        found = list(archive(path).windows([Asked(3, slot(0), slot(9))], newest_first=True, limit=2))

        assert found == [(3, slot(8)), (3, slot(6))]

    def test_reads_the_first_and_last_of_each_window(self, path):
        found = sorted(
            archive(path).edges([Asked(1, slot(3), slot(9)), Asked(2, slot(4), slot(4)), Asked(9, LOW, HIGH)])
        )

        assert found == [(1, slot(4)), (1, slot(8)), (2, slot(4))]

    def test_finds_the_nearest_before_and_after(self, path):
        reader = archive(path)

        before = sorted(reader.nearest([(1, slot(4)), (1, slot(5)), (1, slot(0)), (9, HIGH)], before=True))
        after = sorted(reader.nearest([(1, slot(4)), (2, slot(98))], before=False))

        assert before == [(1, slot(2)), (1, slot(4))]
        assert after == [(1, slot(6))]

    def test_looks_for_the_nearest_from_file_to_file(self, path, tmp_path):
        RegisterReading.objects.all().delete()
        store(half_hours((5,), (7,)))
        written(tmp_path / "another.parquet")
        other = ArchivedFile(tmp_path / "another.parquet", HIGH, HIGH + timedelta(days=31))
        reader = Archive(READINGS, (*archive(path).files, other), ())

        assert list(reader.nearest([(1, HIGH + timedelta(days=40))], before=True)) == [(1, slot(98))]

    def test_reads_many_owners(self, path):
        asked = [Asked(owner, slot(2), slot(2)) for owner in range(500)]

        assert list(archive(path).windows(asked)) == [(owner, slot(2)) for owner in (1, 2, 3)]

    def test_tells_a_file_that_is_gone_from_one_that_is_damaged(self, path):
        path.write_bytes(b"PAR1 but no more")
        with pytest.raises(ArchiveDamaged) as damaged:
            list(archive(path).windows([Asked(1, LOW, HIGH)]))
        assert not isinstance(damaged.value, ArchiveMoved)

        path.unlink()
        with pytest.raises(ArchiveMoved):
            list(archive(path).windows([Asked(1, LOW, HIGH)]))
