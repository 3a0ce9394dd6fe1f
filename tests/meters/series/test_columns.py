from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from tests.meters.series.samples import (
    READINGS,
)
from tests.meters.series.strategies import any_number


@pytest.mark.django_db
class TestColumnsInPostgres:
    """What a column reads in Python is what the database makes of the same value."""

    @any_number
    @given(
        st.lists(
            st.tuples(
                st.decimals(-(10**8), 10**8, allow_nan=False, places=9),
                st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
            ),
            min_size=1,
            unique_by=lambda row: row[1],
        )
    )
    def test_arrays_hold_the_values_that_they_were_packed_from(self, rows):
        values, times = (list(column) for column in zip(*rows, strict=True))
        value, time = READINGS.columns["value"], READINGS.time

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT ARRAY(SELECT unnest(%s::numeric[])::numeric(15, 6)), %s::timestamptz[]", [values, times]
            )
            (numerics, instants) = cursor.fetchone()

        assert [value.kind.restore(held) for held in value.read(values).data] == numerics
        assert [time.kind.restore(held) for held in time.read(times).data] == instants


class TestTimeKind:
    @given(st.datetimes(timezones=st.timezones()))
    def test_holds_any_time_to_the_microsecond(self, time):
        try:
            utc = time.astimezone(UTC)
        except OverflowError:
            return

        assert READINGS.time.kind.restore(READINGS.time.read([time]).data[0]) == utc

    @given(st.datetimes(timezones=st.just(UTC), max_value=datetime(9990, 1, 1)))
    def test_names_the_utc_month(self, time):
        local = time.astimezone(UTC) + timedelta(0)

        (month,) = READINGS.time.kind.months(READINGS.time.read([local]).data).tolist()

        assert (month.year, month.month) == (time.year, time.month)
