from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_portal.management.demo.cast import MODULUS_WH, cast_of
from energy_portal.management.demo.climate import calendar, is_leisure
from energy_portal.management.demo.households import Archetype, half_hourly_watt_hours

SINGAPORE = ZoneInfo("Asia/Singapore")
NOW = datetime(2026, 11, 21, 5, 12, tzinfo=UTC)
YEAR = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]


@pytest.fixture(scope="module")
def year():
    return cast_of(accounts=24, days=365, now=NOW, zone=SINGAPORE)


@pytest.fixture(scope="module")
def weather():
    return calendar(YEAR, np.random.default_rng(1))


class TestCast:
    def test_is_the_same_each_time(self, year):
        again = cast_of(accounts=24, days=365, now=NOW, zone=SINGAPORE)

        assert [household.serial for household in again.households] == [h.serial for h in year.households]
        assert all((a.dial_wh == b.dial_wh).all() for a, b in zip(again.households, year.households, strict=True))

    def test_gives_everybody_a_number_serial_and_address_of_their_own(self, year):
        for name in ("number", "serial", "address", "email"):
            assert len({getattr(household, name) for household in year.households}) == 24

    def test_has_one_exchange_one_rollover_one_move_and_one_resend(self, year):
        turned = [
            household
            for household in year.households
            if household.dial_wh[0] // MODULUS_WH != household.dial_wh[-1] // MODULUS_WH
        ]

        assert len(turned) == 1
        assert len([1 for household in year.households if household.exchanged_at is not None]) == 1
        assert len([1 for household in year.households if household.new_tenant_at is not None]) == 1
        assert len([1 for household in year.households if household.resends]) == 1

    def test_shows_the_first_household_with_hardly_a_gap(self, year):
        assert (~year.households[0].arrives()).sum() == 3

    def test_has_left_something_on_since_yesterday_in_the_first_household(self, year):
        before, since = (year.households[0].dial_wh[days * 48 + 20 : days * 48 + 49] for days in (363, 364))

        assert np.diff(since).min() > np.diff(before).min() + 300

    @settings(max_examples=25, deadline=None)
    @given(
        accounts=st.integers(1, 9),
        days=st.integers(1, 80),
        now=st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    )
    def test_never_counts_backwards_nor_reaches_beyond_now(self, accounts, days, now):
        cast = cast_of(accounts=accounts, days=days, now=now, zone=SINGAPORE)

        assert now - timedelta(minutes=30) < cast.marks[-1] <= now
        assert cast.marks[0].astimezone(SINGAPORE).time().isoformat() == "00:00:00"
        for household in cast.households:
            assert len(household.dial_wh) == len(cast.marks)
            assert (np.diff(household.dial_wh) >= 0).all()
            assert household.dial_wh[0] >= 0
            for event in (household.exchanged_at, household.new_tenant_at):
                assert event is None or 0 < event < len(cast.marks) - 1


class TestHouseholds:
    @pytest.mark.parametrize("archetype", Archetype)
    def test_use_what_a_home_uses(self, archetype, weather):
        use = half_hourly_watt_hours(archetype, weather, np.random.default_rng(2))

        assert 120 < use.sum() / 12_000 < 900
        assert use.min() > 10
        assert use.max() < 6_000

    def test_cool_more_in_the_warm_months(self, weather):
        use = half_hourly_watt_hours(Archetype.AIR_CONDITIONED, weather, np.random.default_rng(2)).reshape(365, 48)

        may, january = (use[[day.month == month for day in YEAR]].mean() for month in (5, 1))
        assert may > 1.1 * january

    def test_are_up_at_night_where_the_night_owl_lives(self, weather):
        owl, family = (
            half_hourly_watt_hours(kind, weather, np.random.default_rng(2)).reshape(365, 48)
            for kind in (Archetype.NIGHT_OWL, Archetype.FAMILY)
        )

        assert owl[:, 1:4].sum() / owl.sum() > 1.3 * family[:, 1:4].sum() / family.sum()


class TestClimate:
    def test_is_warmer_by_day_and_in_may(self, weather):
        assert weather.temperatures[:, 28].mean() > weather.temperatures[:, 8].mean() + 4
        assert weather.temperatures.min() > 20
        assert weather.temperatures.max() < 40

    @pytest.mark.parametrize(
        ("day", "leisure"),
        [
            (date(2026, 11, 21), True),
            (date(2026, 11, 20), False),
            (date(2026, 12, 25), True),
            (date(2026, 2, 17), True),
            (date(2026, 2, 18), True),
            (date(2026, 2, 19), False),
        ],
    )
    def test_knows_when_people_are_at_home(self, day, leisure):
        assert is_leisure(day) is leisure
