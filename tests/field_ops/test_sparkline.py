"""The line of a register's last readings."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from field_ops.admin.sparkline import HEIGHT, WIDTH, sparkline

START = datetime(2025, 3, 1, tzinfo=UTC)
VALUES = st.decimals(min_value=0, max_value=10**9, places=3)


def readings(*values):
    return [(START + timedelta(days=number), Decimal(value)) for number, value in enumerate(values)]


class TestSparkline:
    def test_rises_from_left_to_right_where_a_dial_grows(self):
        drawn = sparkline(readings(100, 110), (START + timedelta(days=2), Decimal(130)))

        xs = [point.x for point in (*drawn.known, drawn.waiting)]
        ys = [point.y for point in (*drawn.known, drawn.waiting)]
        assert xs == sorted(xs)
        assert ys == sorted(ys, reverse=True)
        assert drawn.band is None

    def test_shows_the_expected_range_where_the_value_waits(self):
        waiting = (START + timedelta(days=2), Decimal(130))

        drawn = sparkline(readings(100, 110), waiting, (Decimal(112), Decimal(125)))

        assert drawn.band.x < drawn.waiting.x < drawn.band.x + drawn.band.width
        assert drawn.waiting.y < drawn.band.y

    def test_is_not_drawn_of_a_single_point(self):
        assert sparkline([], (START, Decimal(1))) is None
        assert sparkline(readings(1), None) is None

    @given(st.lists(VALUES, min_size=2, max_size=4), VALUES, VALUES)
    def test_stays_within_its_frame(self, values, one, other):
        waiting = (START + timedelta(days=9), one)

        drawn = sparkline(readings(*values), waiting, (min(one, other), max(one, other)))

        for point in (*drawn.known, drawn.waiting):
            assert 0 <= point.x <= WIDTH
            assert 0 <= point.y <= HEIGHT
        assert 0 <= drawn.band.y <= drawn.band.y + drawn.band.height <= HEIGHT
