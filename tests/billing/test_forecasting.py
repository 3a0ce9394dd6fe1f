from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.forecasting import FEWEST_STRETCHES, Projection, project_total

KWH = st.decimals(0, 100, places=3)


class TestProjectTotal:
    def test_adds_the_lightest_middle_and_heaviest_stretch(self):
        days = [Decimal(day) for day in (1, 2, 3, 4, 5, 6, 7, 8)]

        projection = project_total(measured_kwh=Decimal(100), recent_days=days, days_left=Decimal(2))

        # The stretches of two days come to 3, 5, 7, 9, 11, 13 and 15.
        assert projection == Projection(Decimal(103), Decimal(109), Decimal(115), stretch_days=2, stretches=7)

    def test_takes_part_of_a_stretch_for_part_of_a_day(self):
        projection = project_total(measured_kwh=Decimal(0), recent_days=[Decimal(8)] * 10, days_left=Decimal("1.5"))

        assert projection.likely_kwh == 12

    def test_leaves_out_stretches_with_an_unknown_day(self):
        days = [*[Decimal(1)] * 8, None, *[Decimal(1)] * 8]

        projection = project_total(measured_kwh=Decimal(0), recent_days=days, days_left=Decimal(3))

        assert projection.stretches == 12

    def test_says_nothing_on_too_little(self):
        days = [Decimal(1)] * (FEWEST_STRETCHES + 3)

        assert project_total(measured_kwh=Decimal(5), recent_days=days, days_left=Decimal(5)) is None

    def test_is_the_measured_sum_once_the_month_is_over(self):
        projection = project_total(measured_kwh=Decimal(5), recent_days=[], days_left=Decimal(0))

        assert (projection.low_kwh, projection.likely_kwh, projection.high_kwh) == (5, 5, 5)

    @given(
        measured=KWH,
        days=st.lists(KWH | st.none(), max_size=90),
        left=st.decimals(0, 31, places=3),
    )
    def test_keeps_its_three_numbers_in_order_and_above_what_is_measured(self, measured, days, left):
        projection = project_total(measured_kwh=measured, recent_days=days, days_left=left)

        if projection is not None:
            assert measured <= projection.low_kwh <= projection.likely_kwh <= projection.high_kwh
