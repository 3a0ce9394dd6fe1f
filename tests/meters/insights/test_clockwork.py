from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.insights.clockwork import SLOTS_A_DAY, grid_of, midnight_slot, slots_of, unfold

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["Asia/Singapore", "Europe/Berlin", "Australia/Melbourne", "America/New_York", "Asia/Kolkata", "Africa/Cairo"]


class TestUnfold:
    @pytest.mark.parametrize(
        ("day", "count"),
        [((2025, 3, 29), 94), ((2025, 3, 30), 94), ((2025, 10, 25), 98), ((2025, 10, 26), 98), ((2025, 6, 1), 96)],
    )
    def test_says_as_many_half_hours_as_two_local_days_have(self, day, count):
        origin = midnight_slot(datetime(*day, 13, tzinfo=BERLIN), BERLIN)

        start, values = unfold(origin, np.arange(96.0), BERLIN)

        assert start == datetime(*day, tzinfo=BERLIN)
        assert len(values) == count

    def test_drops_the_hour_that_spring_skips(self):
        origin = midnight_slot(datetime(2025, 3, 30, 13, tzinfo=BERLIN), BERLIN)

        _, values = unfold(origin, np.arange(96.0), BERLIN)

        assert values[:6].tolist() == [0, 1, 2, 3, 6, 7]

    def test_says_the_hour_that_autumn_repeats_twice(self):
        origin = midnight_slot(datetime(2025, 10, 26, 13, tzinfo=BERLIN), BERLIN)

        _, values = unfold(origin, np.arange(96.0), BERLIN)

        assert values[:10].tolist() == [0, 1, 2, 3, 4, 5, 4, 5, 6, 7]

    @given(
        instant=st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),
        zone=st.sampled_from(ZONES).map(ZoneInfo),
    )
    def test_lies_on_the_slots_that_its_half_hours_have(self, instant, zone):
        origin = midnight_slot(instant, zone)

        start, values = unfold(origin, origin + np.arange(96.0), zone)

        starts = int(start.timestamp()) + 1800 * np.arange(len(values))
        assert (slots_of(starts, zone) == values).all()
        assert start <= instant


class TestGridOf:
    def test_takes_the_mean_of_what_comes_twice_and_skips_what_never_comes(self):
        start = int(datetime(2025, 10, 25, 22, tzinfo=UTC).timestamp())
        starts = start + 1800 * np.arange(50)

        grid = grid_of(starts, np.arange(50.0), BERLIN)

        assert len(grid.values) == SLOTS_A_DAY
        assert grid.values[3:7].tolist() == [3.0, 5.0, 6.0, 8.0]
