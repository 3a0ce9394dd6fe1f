from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.pages.windows import View, days_in_words, window_of_query, window_on

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))


class TestWindow:
    @given(view=st.sampled_from(View), day=DAYS)
    def test_holds_its_day_and_touches_its_neighbours(self, view, day):
        window = window_on(view, day)

        assert window.first <= day < window.after
        assert window_on(view, window.previous).after == window.first
        assert window_on(view, window.after).first == window.after

    @given(view=st.sampled_from(View), day=DAYS)
    def test_is_covered_by_its_slots(self, view, day):
        window = window_on(view, day)

        slots = window.slots(BERLIN)

        assert slots[0].period.start == window.period(BERLIN).start
        assert slots[-1].period.end == window.period(BERLIN).end
        assert all(one.period.end == two.period.start for one, two in pairwise(slots))

    @pytest.mark.parametrize(
        ("day", "half_hours"), [(date(2025, 3, 30), 46), (date(2025, 3, 31), 48), (date(2025, 10, 26), 50)]
    )
    def test_has_as_many_half_hours_as_the_clock_makes(self, day, half_hours):
        assert len(window_on(View.DAY, day).slots(BERLIN)) == half_hours

    def test_begins_weeks_on_monday(self):
        assert window_on(View.WEEK, date(2025, 3, 16)).first == date(2025, 3, 10)

    @pytest.mark.parametrize(
        ("view", "title"),
        [
            (View.DAY, "Saturday 1 March 2025"),
            (View.WEEK, "24 February \u2013 2 March 2025"),
            (View.MONTH, "March 2025"),
            (View.YEAR, "2025"),
        ],
    )
    def test_is_named_as_people_say_it(self, view, title):
        assert window_on(view, date(2025, 3, 1)).title == title


class TestWindowOfQuery:
    def test_shows_the_present_month_unless_told(self):
        assert window_of_query({}, today=date(2025, 3, 15)) == window_on(View.MONTH, date(2025, 3, 1))

    @given(view=st.text(max_size=8), on=st.text(max_size=12) | DAYS.map(date.isoformat))
    def test_never_leaves_the_past_and_present(self, view, on):
        today = date(2025, 3, 15)

        window = window_of_query({"view": view, "on": on}, today=today)

        assert date(1970, 1, 1) < window.first <= today


class TestDaysInWords:
    @pytest.mark.parametrize(
        ("first", "last", "words"),
        [
            (date(2025, 3, 1), date(2025, 3, 1), "1 March 2025"),
            (date(2025, 3, 1), date(2025, 3, 31), "1\u201331 March 2025"),
            (date(2025, 3, 1), date(2025, 4, 2), "1 March \u2013 2 April 2025"),
            (date(2024, 12, 30), date(2025, 1, 5), "30 December 2024 \u2013 5 January 2025"),
        ],
    )
    def test_says_nothing_twice(self, first, last, words):
        assert days_in_words(first, last) == words

    def test_counts_a_week(self):
        assert days_in_words(date(2025, 3, 3), date(2025, 3, 3) + timedelta(days=6)) == "3\u20139 March 2025"
