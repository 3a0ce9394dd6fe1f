"""Floats and booleans out to a file and back, to the bit."""

import math
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meters.series.archive import Archive, ArchivedFile, Asked
from meters.series.archive_files import fill_table, finish_file, table_figures, write_file
from meters.series.errors import ArchiveDamaged
from meters.series.writer import copy_in
from tests.meters.series.samples import SAMPLES, Sample, make_room, samples_of, slot

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("samples")]

FEBRUARY = "series_samples_y2025m02"
LOW, HIGH = datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)
NAMES = ("power", "level", "online", "energy", "count", "state")

reals = st.one_of(st.none(), st.sampled_from([-0.0, 1e20, 16777216.0]), st.floats(width=32, allow_nan=False))
doubles = st.one_of(st.none(), st.sampled_from([-0.0, 1e300, 5e-324]), st.floats(allow_nan=False))
booleans = st.none() | st.booleans()


def finite(number):
    return number is None or math.isfinite(number)


measures = st.lists(st.tuples(reals.filter(finite), doubles.filter(finite), booleans), min_size=1, max_size=25)


def stored(held):
    make_room(SAMPLES, [LOW])
    power, level, online = (list(column) for column in zip(*held, strict=True))
    keys = [(number % 3, number) for number in range(len(held))]
    with transaction.atomic():
        copy_in(SAMPLES, samples_of(keys, power=power, level=level, online=online))


def written(path):
    with transaction.atomic():
        manifest = write_file(SAMPLES, FEBRUARY, path, connection)
    finish_file(path)
    return manifest


def shown(table):
    """Return the rows as the database tells them."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT device, time, {', '.join(NAMES)} FROM {table} ORDER BY device, time")  # noqa: S608
        return cursor.fetchall()


def signed(rows):
    """Return rows in which a zero's sign tells."""
    return [[(value, math.copysign(1, value)) if value == 0 else value for value in row] for row in rows]


class TestFloats:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(measures)
    def test_come_back_to_the_bit_and_read_as_from_the_database(self, tmp_path_factory, held):
        path = tmp_path_factory.mktemp("archive") / "month.parquet"
        with transaction.atomic():
            stored(held)
            manifest = written(path)
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE TABLE given_back (LIKE {FEBRUARY} INCLUDING ALL)")
            fill_table(SAMPLES, path, "given_back", connection)

            before = signed(sorted(shown(FEBRUARY)))
            assert signed(sorted(shown("given_back"))) == before
            assert table_figures(SAMPLES, "given_back", connection).digest == manifest.digest
            reader = Archive(SAMPLES, (ArchivedFile(path, LOW, HIGH),), NAMES)
            read = list(reader.windows([Asked(device, LOW, HIGH) for device in range(3)]))
            assert signed(read) == before
            transaction.set_rollback(True)

    def test_are_summed_up_without_a_sum(self, tmp_path):
        stored([(0.1, -0.0, True), (None, 2.5, None)])

        manifest = written(tmp_path / "month.parquet")

        assert manifest.columns["power"] == {"nulls": 1, "min": repr(0.10000000149011612), "max": "0.10000000149011612"}
        assert manifest.columns["level"] == {"nulls": 0, "min": "0.0", "max": "2.5"}
        assert manifest.columns["online"] == {"nulls": 1, "min": "true", "max": "true"}

    def test_that_differ_in_their_last_bit_are_found_out(self, tmp_path, monkeypatch):
        stored([(0.1, 0.1, True)])
        export = write_file.__globals__["_export"]

        def lossy(spec, table, path, *arguments):
            Sample.objects.update(level=math.nextafter(0.1, 1))
            export(spec, table, path, *arguments)

        monkeypatch.setitem(write_file.__globals__, "_export", lossy)

        with pytest.raises(ArchiveDamaged, match="not just what"):
            write_file(SAMPLES, FEBRUARY, tmp_path / "month.parquet", connection)

    def test_that_are_missing_are_no_zeros(self, tmp_path):
        stored([(None, None, None), (0.0, 0.0, False)])
        path = tmp_path / "month.parquet"
        written(path)

        rows = Archive(SAMPLES, (ArchivedFile(path, LOW, HIGH),), ("power", "level", "online"))

        assert list(rows.windows([Asked(0, LOW, HIGH)])) == [(0, slot(0), None, None, None)]
        assert list(rows.windows([Asked(1, LOW, HIGH)])) == [(1, slot(1), 0.0, 0.0, False)]
